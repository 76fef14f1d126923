"""Detection at several scales and in tiles: no face is missed or counted twice."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.faces.tiling import (
    Detection,
    TilingSettings,
    convert_to_faces,
    detect_in_tiles,
    plan_tiles,
    suppress_overlaps,
)
from mien.results import Box, Pixels, Point

SETTINGS = TilingSettings(smallest=20, area=640 * 480, close_up=160, tile=400, overlap=120)


def detect_white_squares(view: Pixels) -> list[Detection]:
    """Detects white squares of 16 to 200 pixels."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((view[..., 0] > 127).astype(np.uint8))
    return [Detection(*map(float, row[:4]), 0.9) for row in stats[1:] if 16 <= row[2] <= 200 and 16 <= row[3] <= 200]


def draw_squares(width: int, height: int, *squares: Box) -> Pixels:
    image = np.zeros((height, width, 3), np.uint8)
    for x, y, side, _ in squares:
        image[y : y + side, x : x + side] = 255
    return image


@settings(max_examples=50)
@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.none() | st.integers(1, 400),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_each_point_belongs_to_one_tile_of_each_scale(width, height, min_face, fractions):
    x, y = fractions[0] * width, fractions[1] * height
    owners: dict[float, int] = {}
    for tile in plan_tiles((height, width, 3), SETTINGS, min_face):
        box = tile.box
        assert 0 <= box.x < box.x + box.width <= width
        assert 0 <= box.y < box.y + box.height <= height
        owned = tile.owns(Detection(x, y, 0, 0, 1))
        owners[tile.scale] = owners.get(tile.scale, 0) + owned
        if owned:
            assert box.x - 1 <= x <= box.x + box.width + 1
            assert box.y - 1 <= y <= box.y + box.height + 1
    assert set(owners.values()) == {1}


@given(st.integers(400, 8000), st.integers(400, 8000), st.integers(8, 100))
def test_tiles_are_not_larger_than_the_setting(width, height, min_face):
    _whole, *tiles = plan_tiles((height, width, 3), SETTINGS, min_face)
    assert all(max(tile.box.width, tile.box.height) * tile.scale <= SETTINGS.tile + 2 for tile in tiles)


@pytest.mark.parametrize("side", [24, 40, 90, 200, 500, 1500])
def test_small_min_face_detects_every_size(side):
    square = Box(900, 400, side, side)
    (face,) = detect_in_tiles(draw_squares(2500, 2000, square), detect_white_squares, SETTINGS, min_face=24)
    assert np.allclose(face[:4], square, atol=max(3, side * 0.05))


def test_many_faces_are_detected_once_each():
    crowd = [Box(x, y, 30, 30) for x in range(10, 1700, 97) for y in range(10, 1100, 97)]
    detections = detect_in_tiles(draw_squares(1800, 1200, *crowd), detect_white_squares, SETTINGS, min_face=24)
    assert len(detections) == len(crowd)


def test_small_faces_are_detected_only_on_request():
    image = draw_squares(3000, 2000, Box(50, 60, 30, 30))
    assert detect_in_tiles(image, detect_white_squares, SETTINGS) == []
    assert len(detect_in_tiles(image, detect_white_squares, SETTINGS, min_face=30)) == 1


def test_faces_smaller_than_min_face_are_left_out():
    image = draw_squares(640, 480, Box(30, 30, 40, 40), Box(200, 200, 120, 120))
    assert [
        round(detection.width) for detection in detect_in_tiles(image, detect_white_squares, SETTINGS, min_face=100)
    ] == [120]


def test_face_that_fills_the_image_is_detected_in_the_close_up():
    (face,) = detect_in_tiles(draw_squares(640, 480, Box(80, 20, 450, 450)), detect_white_squares, SETTINGS)
    assert face.width == pytest.approx(450, abs=8)


def test_small_image_is_enlarged():
    (face,) = detect_in_tiles(draw_squares(48, 48, Box(20, 20, 12, 12)), detect_white_squares, SETTINGS)
    assert face.width == pytest.approx(12, abs=1)


@given(st.lists(st.builds(Detection, *[st.floats(0, 200)] * 2, *[st.floats(1, 80)] * 2, st.floats(0, 1)), max_size=12))
def test_suppression_retains_the_best_and_is_idempotent(detections):
    retained = suppress_overlaps(detections)
    assert suppress_overlaps(retained) == retained
    scores = [detection.score for detection in retained]
    assert scores == sorted(scores, reverse=True)
    assert not detections or scores[0] == max(detection.score for detection in detections)


def test_detection_inside_a_better_one_is_suppressed():
    face, mouth, other = Detection(0, 0, 100, 100, 0.9), Detection(30, 60, 40, 30, 0.6), Detection(90, 0, 100, 100, 0.5)
    assert suppress_overlaps([mouth, other, face]) == [face, other]


def test_landmarks_are_transformed_with_the_detection():
    detection = Detection(10, 20, 30, 40, 0.5, (Point(15, 25),)).to_image(0.5, 100, 200)
    assert detection == Detection(120, 240, 60, 80, 0.5, (Point(130, 250),))


def test_faces_are_sorted_by_size_and_rounded():
    faces = convert_to_faces(
        [Detection(0.4, 0.6, 9.8, 9.8, 0.91234), Detection(50, 50, 0.2, 0.2, 1), Detection(5, 5, 20, 20, 0.3)]
    )
    assert [face.box for face in faces] == [Box(5, 5, 20, 20), Box(0, 1, 10, 9), Box(50, 50, 1, 1)]
    assert faces[1].detection == 0.9123
