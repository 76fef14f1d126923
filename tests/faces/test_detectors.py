"""Haar and YuNet on real pictures, and the table that knows them by name."""

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
#: Eyebrows to chin, cheek to cheek, looked at by eye.
PORTRAITS = {"astronaut": Box(178, 70, 92, 104), "hopper": Box(174, 112, 182, 222)}
ODD_SIZES = [(1, 1), (3, 5), (2, 10000), (10000, 2), (48, 48)]


def portrait(name: str) -> Pixels:
    return np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"))


def scaled(pixels: Pixels, scale: float) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def near(found: Box, true: Box, scale: float = 1.0) -> bool:
    middle, expected = ((box.x + box.width / 2, box.y + box.height / 2) for box in (found, true))
    off = max(abs(a - b * scale) for a, b in zip(middle, expected, strict=True))
    return off < true.width * scale * 0.25 and 0.7 < found.width / (true.width * scale) < 1.5


@pytest.fixture(params=["haar", "yunet"])
def detector(request: pytest.FixtureRequest) -> Detector:
    yunet = request.getfixturevalue("yunet_file") if request.param == "yunet" else None
    return load_detector(request.param, yunet=yunet)


def test_the_names():
    assert detector_names()[:4] == ("auto", "haar", "yunet", "none")


def test_auto_is_haar_without_a_file_and_yunet_with_one(yunet_file):
    assert load_detector().name == "haar"
    assert load_detector(yunet=yunet_file).name == "yunet"


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(DetectorError, match=r"'yunett'.*haar.*Did you mean 'yunet'\?"):
        load_detector("yunett")


def test_yunet_without_its_file_says_how_to_get_it():
    with pytest.raises(DetectorError, match="mien models pull yunet"):
        load_detector("yunet")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 400])
def test_a_damaged_yunet_file_is_one_sentence(content, tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"yunet\.onnx is damaged"):
        load_detector("yunet", yunet=path)


def test_a_cut_off_yunet_file_is_one_sentence(yunet_file, tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(yunet_file.read_bytes()[:100_000])
    with pytest.raises(DetectorError, match="damaged"):
        load_detector("yunet", yunet=path)


def test_a_yunet_file_that_is_gone(tmp_path):
    with pytest.raises(DetectorError, match="cannot be read"):
        load_detector("yunet", yunet=tmp_path / "nothing.onnx")


@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.35])
def test_a_portrait_has_one_face(detector, name, scale):
    (face,) = detector.detect(scaled(portrait(name), scale))
    assert near(face.box, PORTRAITS[name], scale)
    assert 0.5 < face.detection <= 1.0


def test_the_group_comes_largest_first(detector):
    faces = detector.detect(portrait("portraits"))
    assert len(faces) == 2
    assert faces[0].box.x > 480 > faces[1].box.x
    assert faces[0].box.width > faces[1].box.width


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_face_that_fills_the_picture_is_found(detector, name):
    x, y, width, height = PORTRAITS[name]
    tight = portrait(name)[y - height // 8 : y + height + height // 12, x - width // 8 : x + width + width // 8]
    for side in (48, 200, 900):
        faces = detector.detect(np.asarray(cv2.resize(tight, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8))
        assert len(faces) == 1, side
        assert faces[0].box.width > side / 2


def test_landmarks_lie_where_the_features_are(yunet_file):
    (face,) = load_detector("yunet", yunet=yunet_file).detect(portrait("astronaut"))
    expected = [(204, 105), (246, 105), (227, 131), (208, 150), (247, 149)]
    assert face.landmarks is not None
    assert np.abs(np.array(face.landmarks) - expected).max() < 12


def test_a_picture_without_a_face_is_an_empty_result(detector):
    picture = portrait("astronaut").copy()
    picture[20:230, 120:330] = 90
    assert detector.detect(picture) == ()
    assert detector.detect(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)) == ()


@pytest.mark.parametrize("size", ODD_SIZES)
@pytest.mark.parametrize("min_face", [None, 1, 24])
def test_odd_sizes_have_no_faces_and_do_no_harm(detector, size, min_face):
    assert detector.detect(np.full((*size, 3), 127, np.uint8), min_face=min_face) == ()


@pytest.mark.parametrize("size", [(1, 192), (24, 163), (2, 700), (17, 282)])
def test_narrow_pictures_never_show_faces_that_are_not_there(yunet_file, size):
    # OpenCV's YuNet reads memory that nobody wrote when a side is 32 pixels or less; about one look in ten shows it.
    detector = load_detector("yunet", yunet=yunet_file)
    narrow, ordinary = np.full((*size, 3), 127, np.uint8), scaled(portrait("hopper"), 0.3)
    for _ in range(30):
        assert len(detector.detect(ordinary)) == 1
        assert detector.detect(narrow) == ()


def test_pixels_need_not_be_contiguous_or_writable(detector):
    picture = portrait("astronaut")[:, ::-1]
    picture.flags.writeable = False
    mirrored = Box(512 - 178 - 92, *PORTRAITS["astronaut"][1:])
    assert [near(face.box, mirrored) for face in detector.detect(picture)] == [True]


def test_many_threads_get_the_numbers_of_one(detector):
    pictures = [scaled(portrait(name), scale) for name in (*PORTRAITS, "portraits") for scale in (0.6, 0.3)]
    alone = [detector.detect(picture) for picture in pictures]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(detector.detect, pictures * 3))
    assert together == alone * 3


def crowd(width: int, height: int, face: int) -> tuple[Pixels, int]:
    """A group photo: the two portraits side by side, small, all over; and how many faces it has."""
    small = scaled(portrait("portraits"), face / 92)
    rows, columns = height // small.shape[0], width // small.shape[1]
    picture = np.full((height, width, 3), 96, np.uint8)
    for row in range(0, rows, 4):
        for column in range(0, columns, 3):
            y, x = row * small.shape[0], column * small.shape[1]
            picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return picture, 2 * len(range(0, rows, 4)) * len(range(0, columns, 3))


def found_in(picture: Pixels, detector: Detector, min_face: int | None = None) -> int:
    return sum(20 < face.box.width < 80 for face in detector.detect(picture, min_face=min_face))


def test_small_faces_are_found_on_request(detector):
    picture, faces = crowd(2400, 1600, 24)
    assert found_in(picture, detector) < faces / 2
    assert (0.85 if detector.name == "haar" else 0.98) * faces <= found_in(picture, detector, 24) <= faces * 1.03


@pytest.mark.slow
def test_24_megapixels_and_24_pixel_faces(detector):
    picture, faces = crowd(6000, 4000, 24)
    assert (0.85 if detector.name == "haar" else 0.98) * faces <= found_in(picture, detector, 24) <= faces * 1.03


def test_none_takes_the_picture_for_the_face():
    whole = load_detector("none")
    (face,) = whole.detect(np.zeros((30, 20, 3), np.uint8))
    assert face.box == (0, 0, 20, 30)
    assert face.detection == 1.0
    assert whole.detect(np.zeros((30, 20, 3), np.uint8), min_face=24) == ()


def test_threads_are_opencv_s_for_the_whole_process_and_only_when_given():
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
    """An installed package that brings three detectors, two of them useless."""
    info = tmp_path / "corners-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: corners\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mien.detectors]\ncorner = corners:Corner\nbroken = corners:broken\nlost = corners:Lost\n"
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
def test_other_packages_add_detectors():
    assert detector_names()[-3:] == ("corner", "broken", "lost")
    corner = load_detector("corner")
    assert isinstance(corner, Detector)
    assert corner.detect(np.zeros((9, 9, 3), np.uint8))[0].box == (0, 0, 8, 8)
    with pytest.raises(DetectorError, match=r"'broken'.*has no"):
        load_detector("broken")
    with pytest.raises(DetectorError, match=r"'lost'.*cannot be loaded"):
        load_detector("lost")
