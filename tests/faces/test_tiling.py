"""Looking at a picture in several sizes and tiles: nothing overlooked, nothing counted twice."""

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

REACH = TilingSettings(smallest=20, area=640 * 480, close=160, tile=400, overlap=120)


def white_squares(view: Pixels) -> list[Detection]:
    """A detector of white squares that is blind below 16 and above 200 pixels."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((view[..., 0] > 127).astype(np.uint8))
    return [Detection(*map(float, row[:4]), 0.9) for row in stats[1:] if 16 <= row[2] <= 200 and 16 <= row[3] <= 200]


def drawn(width: int, height: int, *squares: Box) -> Pixels:
    picture = np.zeros((height, width, 3), np.uint8)
    for x, y, side, _ in squares:
        picture[y : y + side, x : x + side] = 255
    return picture


@settings(max_examples=50)
@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.none() | st.integers(1, 400),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_at_every_size_each_place_belongs_to_one_view(width, height, min_face, place):
    place = place[0] * width, place[1] * height
    owners: dict[float, int] = {}
    for view in plan_tiles((height, width, 3), REACH, min_face):
        box = view.box
        assert 0 <= box.x < box.x + box.width <= width
        assert 0 <= box.y < box.y + box.height <= height
        owned = view.owns(Detection(*place, 0, 0, 1))
        owners[view.scale] = owners.get(view.scale, 0) + owned
        if owned:
            assert box.x - 1 <= place[0] <= box.x + box.width + 1
            assert box.y - 1 <= place[1] <= box.y + box.height + 1
    assert set(owners.values()) == {1}


@given(st.integers(400, 8000), st.integers(400, 8000), st.integers(8, 100))
def test_no_tile_is_larger_than_the_reach(width, height, min_face):
    _whole, *tiles = plan_tiles((height, width, 3), REACH, min_face)
    assert all(max(tile.box.width, tile.box.height) * tile.scale <= REACH.tile + 2 for tile in tiles)


@pytest.mark.parametrize("side", [24, 40, 90, 200, 500, 1500])
def test_squares_of_every_size_are_found_on_request(side):
    square = Box(900, 400, side, side)
    (face,) = detect_in_tiles(drawn(2500, 2000, square), white_squares, REACH, min_face=24)
    assert np.allclose(face[:4], square, atol=max(3, side * 0.05))


def test_a_crowd_is_counted_once_each():
    crowd = [Box(x, y, 30, 30) for x in range(10, 1700, 97) for y in range(10, 1100, 97)]
    hits = detect_in_tiles(drawn(1800, 1200, *crowd), white_squares, REACH, min_face=24)
    assert len(hits) == len(crowd)


def test_small_faces_are_not_looked_for_unasked():
    picture = drawn(3000, 2000, Box(50, 60, 30, 30))
    assert detect_in_tiles(picture, white_squares, REACH) == []
    assert len(detect_in_tiles(picture, white_squares, REACH, min_face=30)) == 1


def test_faces_smaller_than_asked_for_are_left_out():
    picture = drawn(640, 480, Box(30, 30, 40, 40), Box(200, 200, 120, 120))
    assert [round(hit.width) for hit in detect_in_tiles(picture, white_squares, REACH, min_face=100)] == [120]


def test_a_face_that_fills_the_picture_is_found_in_the_close_up():
    (face,) = detect_in_tiles(drawn(640, 480, Box(80, 20, 450, 450)), white_squares, REACH)
    assert face.width == pytest.approx(450, abs=8)


def test_a_small_picture_is_enlarged():
    (face,) = detect_in_tiles(drawn(48, 48, Box(20, 20, 12, 12)), white_squares, REACH)
    assert face.width == pytest.approx(12, abs=1)


@given(st.lists(st.builds(Detection, *[st.floats(0, 200)] * 2, *[st.floats(1, 80)] * 2, st.floats(0, 1)), max_size=12))
def test_distinct_keeps_the_best_and_is_settled(hits):
    kept = suppress_overlaps(hits)
    assert suppress_overlaps(kept) == kept
    assert [hit.score for hit in kept] == sorted((hit.score for hit in kept), reverse=True)
    assert not hits or kept[0].score == max(hit.score for hit in hits)


def test_a_box_inside_a_better_one_is_the_same_face():
    face, mouth, other = Detection(0, 0, 100, 100, 0.9), Detection(30, 60, 40, 30, 0.6), Detection(90, 0, 100, 100, 0.5)
    assert suppress_overlaps([mouth, other, face]) == [face, other]


def test_a_moved_hit_takes_its_points_along():
    hit = Detection(10, 20, 30, 40, 0.5, (Point(15, 25),)).moved(0.5, 100, 200)
    assert hit == Detection(120, 240, 60, 80, 0.5, (Point(130, 250),))


def test_faces_come_largest_first_in_whole_pixels():
    faces = convert_to_faces([Detection(0.4, 0.6, 9.8, 9.8, 0.91234), Detection(50, 50, 0.2, 0.2, 1), Detection(5, 5, 20, 20, 0.3)])
    assert [face.box for face in faces] == [Box(5, 5, 20, 20), Box(0, 1, 10, 9), Box(50, 50, 1, 1)]
    assert faces[1].detection == 0.9123
