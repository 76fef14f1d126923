"""The detectors Haar, YuNet and none on real images, and their names."""

import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mien.errors import DetectorError
from mien.faces.detectors import Detector, detector_names, load_detector
from mien.results import Box, Pixels

EXAMPLES = Path(__file__).parents[2] / "examples"
#: From the eyebrows to the chin and from cheek to cheek, measured by eye.
PORTRAITS = {"astronaut": Box(178, 70, 92, 104), "hopper": Box(174, 112, 182, 222)}
ODD_SIZES = [(1, 1), (3, 5), (1, 2000), (2000, 1), (2, 10000), (10000, 2), (48, 48)]


def portrait(name: str) -> Pixels:
    return np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"))


def resize(pixels: Pixels, scale: float) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def matches(box: Box, expected: Box, scale: float = 1.0) -> bool:
    centre, target = ((each.x + each.width / 2, each.y + each.height / 2) for each in (box, expected))
    offset = max(abs(a - b * scale) for a, b in zip(centre, target, strict=True))
    return offset < expected.width * scale * 0.25 and 0.7 < box.width / (expected.width * scale) < 1.5


@pytest.fixture(scope="module", params=["haar", "yunet"])
def detector(request: pytest.FixtureRequest) -> Detector:
    yunet = request.getfixturevalue("yunet_file") if request.param == "yunet" else None
    return load_detector(request.param, yunet=yunet)


def test_names_of_the_detectors():
    assert detector_names()[:4] == ("auto", "haar", "yunet", "none")


def test_auto_is_haar_without_a_file_and_yunet_with_one(yunet_file):
    assert load_detector().name == "haar"
    assert load_detector(yunet=yunet_file).name == "yunet"


def test_error_for_an_unknown_name_suggests_a_similar_one():
    with pytest.raises(DetectorError, match=r"'yunett'.*haar.*Did you mean 'yunet'\?"):
        load_detector("yunett")


def test_error_for_yunet_without_its_file_says_how_to_download_it():
    with pytest.raises(DetectorError, match="mien models pull yunet"):
        load_detector("yunet")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 400])
def test_damaged_yunet_file_is_an_error(content, tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"yunet\.onnx is damaged"):
        load_detector("yunet", yunet=path)


def test_truncated_yunet_file_is_an_error(yunet_file, tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(yunet_file.read_bytes()[:100_000])
    with pytest.raises(DetectorError, match="damaged"):
        load_detector("yunet", yunet=path)


def test_missing_yunet_file_is_an_error(tmp_path):
    with pytest.raises(DetectorError, match="cannot be read"):
        load_detector("yunet", yunet=tmp_path / "missing.onnx")


@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.35])
def test_portrait_has_one_face(detector, name, scale):
    (face,) = detector.detect(resize(portrait(name), scale))
    assert matches(face.box, PORTRAITS[name], scale)
    assert 0.5 < face.detection <= 1.0


def test_faces_are_sorted_by_size(detector):
    faces = detector.detect(portrait("portraits"))
    assert len(faces) == 2
    assert faces[0].box.x > 480 > faces[1].box.x
    assert faces[0].box.width > faces[1].box.width


@pytest.mark.parametrize("name", PORTRAITS)
def test_face_that_fills_the_image_is_detected(detector, name):
    x, y, width, height = PORTRAITS[name]
    tight = portrait(name)[y - height // 8 : y + height + height // 12, x - width // 8 : x + width + width // 8]
    for side in (48, 200, 900):
        faces = detector.detect(np.asarray(cv2.resize(tight, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8))
        assert len(faces) == 1, side
        assert faces[0].box.width > side / 2


def test_landmarks_are_at_the_facial_features(yunet_file):
    (face,) = load_detector("yunet", yunet=yunet_file).detect(portrait("astronaut"))
    expected = [(204, 105), (246, 105), (227, 131), (208, 150), (247, 149)]
    assert face.landmarks is not None
    assert np.abs(np.array(face.landmarks) - expected).max() < 12


def test_image_without_a_face_has_no_detections(detector):
    image = portrait("astronaut").copy()
    image[20:230, 120:330] = 90
    assert detector.detect(image) == ()
    assert detector.detect(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)) == ()


@pytest.mark.parametrize("size", ODD_SIZES)
@pytest.mark.parametrize("min_face", [None, 1, 24])
def test_images_of_extreme_sizes_have_no_detections(detector, size, min_face):
    assert detector.detect(np.full((*size, 3), 127, np.uint8), min_face=min_face) == ()


@pytest.mark.parametrize("size", [(1, 192), (24, 163), (2, 700), (17, 282)])
def test_narrow_images_have_no_random_detections(yunet_file, size):
    # OpenCV's YuNet reads uninitialized memory if a side has 32 pixels or less; one detection in ten shows it.
    detector = load_detector("yunet", yunet=yunet_file)
    narrow, ordinary = np.full((*size, 3), 127, np.uint8), resize(portrait("hopper"), 0.3)
    for _ in range(30):
        assert len(detector.detect(ordinary)) == 1
        assert detector.detect(narrow) == ()


def test_pixels_need_not_be_contiguous_or_writable(detector):
    image = portrait("astronaut")[:, ::-1]
    image.flags.writeable = False
    mirrored = Box(512 - 178 - 92, *PORTRAITS["astronaut"][1:])
    assert [matches(face.box, mirrored) for face in detector.detect(image)] == [True]


def test_threads_get_the_same_detections(detector):
    images = [resize(portrait(name), scale) for name in ("hopper", "portraits") for scale in (0.5, 0.3)]
    alone = [detector.detect(image) for image in images]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(detector.detect, images * 2))
    assert together == alone * 2


def crowd(width: int, height: int, face: int) -> tuple[Pixels, int]:
    """A group photo of many small copies of the two portraits, and its number of faces."""
    small = resize(portrait("portraits"), face / 92)
    rows, columns = height // small.shape[0], width // small.shape[1]
    image = np.full((height, width, 3), 96, np.uint8)
    for row in range(0, rows, 4):
        for column in range(0, columns, 3):
            y, x = row * small.shape[0], column * small.shape[1]
            image[y : y + small.shape[0], x : x + small.shape[1]] = small
    return image, 2 * len(range(0, rows, 4)) * len(range(0, columns, 3))


def count_small_faces(image: Pixels, detector: Detector, min_face: int | None = None) -> int:
    return sum(20 < face.box.width < 80 for face in detector.detect(image, min_face=min_face))


@pytest.mark.full
def test_small_faces_are_detected_on_request(detector):
    image, faces = crowd(2400, 1600, 24)
    assert count_small_faces(image, detector) < faces / 2
    assert (0.85 if detector.name == "haar" else 0.98) * faces <= count_small_faces(image, detector, 24) <= faces * 1.03


@pytest.mark.slow
def test_small_faces_are_detected_in_24_megapixels(detector):
    image, faces = crowd(6000, 4000, 24)
    assert (0.85 if detector.name == "haar" else 0.98) * faces <= count_small_faces(image, detector, 24) <= faces * 1.03


def test_none_returns_the_whole_image():
    whole = load_detector("none")
    (face,) = whole.detect(np.zeros((30, 20, 3), np.uint8))
    assert face.box == (0, 0, 20, 30)
    assert face.detection == 1.0
    assert whole.detect(np.zeros((30, 20, 3), np.uint8), min_face=24) == ()


def test_number_of_threads_is_changed_only_if_it_is_passed():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        load_detector("haar")
        assert cv2.getNumThreads() == 2
        load_detector("haar", threads=1)
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with three detectors, two of which are invalid."""
    info = tmp_path / "corners-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: corners\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mien.detectors]\ncorner = corners:Corner\nbroken = corners:broken\nmissing = corners:Missing\n"
    )
    (tmp_path / "corners.py").write_text(
        textwrap.dedent("""
            from mien.results import Box, Face

            broken = dict

            class Corner:
                name = "corner"

                def detect(self, pixels, *, min_face=None):
                    return (Face(Box(0, 0, 8, 8)),)
        """)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("corners", None)


@pytest.mark.usefixtures("package")
def test_entry_points_add_detectors():
    assert detector_names()[-3:] == ("corner", "broken", "missing")
    corner = load_detector("corner")
    assert isinstance(corner, Detector)
    assert corner.detect(np.zeros((9, 9, 3), np.uint8))[0].box == (0, 0, 8, 8)
    with pytest.raises(DetectorError, match=r"'broken'.*has no"):
        load_detector("broken")
    with pytest.raises(DetectorError, match=r"'missing'.*cannot be loaded"):
        load_detector("missing")
