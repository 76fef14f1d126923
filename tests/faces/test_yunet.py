"""YuNet in ONNX Runtime: the detections of OpenCV for the same file, for any shape of image, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.faces.tiling import compute_working_scale, plan_tiles
from mien.faces.yunet import MIN_SCORE, YunetDetector, padded_side, suppress_by_union
from mien.images import load_image

TILING = YunetDetector.tiling
EXAMPLES = Path(__file__).parents[2] / "examples"
ASTRONAUT, PORTRAITS = EXAMPLES / "astronaut.jpg", EXAMPLES / "portraits.jpg"


@pytest.fixture(scope="module")
def detector(yunet_file):
    return YunetDetector(yunet_file)


def detect_with_opencv(path, pixels):
    """Rows of box, five landmarks and score."""
    height, width = pixels.shape[:2]
    network = cv2.FaceDetectorYN.create(str(path), "", (width, height), MIN_SCORE, 0.3, 5000)
    rows = network.detect(np.ascontiguousarray(pixels[..., ::-1]))[1]
    return np.zeros((0, 15)) if rows is None else np.asarray(sorted(rows.tolist()))


def montage() -> np.ndarray:
    """Nine faces of three sizes, some rotated."""
    portrait = load_image(ASTRONAUT).pixels[:300, 100:400]
    rows = []
    for row, side in enumerate((120, 180, 240)):
        tile = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        rotation = cv2.getRotationMatrix2D((side / 2, side / 2), 15 * row, 1)
        tile = cv2.warpAffine(tile, rotation, (side, side), borderMode=cv2.BORDER_REPLICATE)
        rows.append(cv2.copyMakeBorder(np.hstack([tile] * 3), 10, 10, 0, 720 - 3 * side, cv2.BORDER_CONSTANT))
    return np.vstack(rows)


@pytest.mark.parametrize("name", ["astronaut", "portraits", "montage", "odd size"])
def test_detections_are_those_of_opencv(detector, yunet_file, name):
    pictures = {"astronaut": ASTRONAUT, "portraits": PORTRAITS, "odd size": ASTRONAUT}
    pixels = montage() if name == "montage" else load_image(pictures[name]).pixels
    pixels = pixels[:403, 37:] if name == "odd size" else pixels
    expected = detect_with_opencv(yunet_file, pixels)
    actual = [
        [each.x, each.y, each.width, each.height, *(c for point in each.landmarks for c in point), each.score]
        for each in detector.detect_once(pixels)
    ]
    assert len(expected) == len(actual) > 0
    np.testing.assert_allclose(np.array(sorted(actual)), expected, atol=1.0)


def test_of_overlapping_boxes_the_best_is_retained():
    rows = np.zeros((4, 15), np.float32)
    rows[:, :4] = [(0, 0, 100, 100), (10, 0, 100, 100), (300, 0, 50, 50), (0, 60, 100, 100)]
    rows[:, 14] = 0.7, 0.9, 0.8, 0.75
    assert suppress_by_union(rows)[:, 14].tolist() == pytest.approx([0.9, 0.8, 0.75])
    assert len(suppress_by_union(rows[:0])) == 0


def test_threads_share_a_detector(detector):
    pixels = load_image(PORTRAITS).pixels
    pictures = [pixels[:, : 400 + 8 * n] for n in range(16)]
    expected = [detector.detect(each) for each in pictures]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detector.detect, pictures)) == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60_000_000), st.integers(1, 60_000_000), st.sampled_from([None, 1, 10, 40]))
def test_the_network_never_sees_much_more_than_the_planned_area(width, height, min_face):
    """A strip of 50,000,000 x 1 pixels is extended to MIN_SIDE, and that extended image is small too."""
    if width * height > 60_000_000:
        return
    scale = compute_working_scale((height, width), TILING)
    assert padded_side(round(width * scale)) * padded_side(round(height * scale)) < 1.5 * TILING.area
    for tile in islice(plan_tiles((height, width), TILING, min_face), 50):
        area = padded_side(round(tile.box.width * tile.scale)) * padded_side(round(tile.box.height * tile.scale))
        assert area <= max(1.5 * TILING.area, 1.2 * TILING.tile**2)


@pytest.mark.parametrize("shape", [(1, 400_000), (400_000, 1), (2, 3), (63, 65), (1, 1)])
def test_strips_and_tiny_images_have_no_face(detector, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert detector.detect(pixels) == ()
    assert detector.detect(pixels, min_face=8) == ()
