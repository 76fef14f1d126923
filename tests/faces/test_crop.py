"""The one crop: always the right shape, the right pixels, upright."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.faces.crop import FRAMINGS, LEVEL_ABOVE, Framing, crop_face, measure_eye_slope, to_model_input
from mien.results import Box, Face, Point

WHOLE = Framing(1.0)
numbers = st.integers(-(10**6), 10**6)
framings = st.builds(Framing, st.floats(0.1, 5), st.floats(-2, 2), st.floats(-2, 2))


def ramp(width: int, height: int) -> np.ndarray:
    """Red grows to the right, green downwards."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), x * 0], axis=2).astype(np.uint8)


def eyes(right: tuple[float, float], left: tuple[float, float]) -> tuple[Point, ...]:
    return tuple(Point(*place) for place in (right, left, (0, 0), (0, 0), (0, 0)))


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.builds(Box, numbers, numbers, st.integers(0, 10**6), st.integers(0, 10**6)),
    framings,
    st.sampled_from([1, 7, 48, 64]),
    st.floats(-180, 180),
)
def test_every_crop_is_a_square_of_the_picture_s_colours(size, box, framing, side, lean):
    pixels = np.full((size[1], size[0], 3), (10, 120, 200), np.uint8)
    turned = eyes((0, 0), (np.cos(np.radians(lean)) * 9, np.sin(np.radians(lean)) * 9))
    crop = crop_face(pixels, Face(box, landmarks=turned), framing, side)
    assert crop.shape == (side, side, 3)
    assert crop.dtype == np.uint8
    assert crop.flags.c_contiguous
    # Turning darkens nothing: where the picture ends, its last pixels go on.
    assert np.abs(crop.astype(int) - (10, 120, 200)).max() <= 1


@given(st.integers(0, 40), st.integers(0, 40), st.integers(20, 60))
def test_a_crop_of_its_own_size_is_the_picture_itself(x, y, side):
    pixels = np.random.default_rng(side).integers(0, 256, (100, 100, 3), np.uint8)
    crop = crop_face(pixels, Face(Box(x, y, side, side)), WHOLE, side)
    np.testing.assert_array_equal(crop, pixels[y : y + side, x : x + side])


@given(
    st.builds(Box, st.integers(-300, 300), st.integers(-300, 300), st.integers(8, 200), st.integers(8, 200)), framings
)
def test_the_square_has_the_framing_s_size_and_centre(box, framing):
    left, top, side = framing.square(Face(box))
    assert side == pytest.approx(framing.scale * np.sqrt(box.width * box.height))
    assert left + side / 2 == pytest.approx(box.x + box.width * (0.5 + framing.dx), abs=1e-6)
    assert top + side / 2 == pytest.approx(box.y + box.height * (0.5 + framing.dy), abs=1e-6)


def test_a_crop_shows_what_lies_in_its_square():
    crop = crop_face(ramp(200, 200), Face(Box(50, 100, 100, 100)), WHOLE, 48).astype(int)
    assert crop[24, 0, 0] == pytest.approx(64, abs=2)
    assert crop[24, 47, 0] == pytest.approx(191, abs=2)
    assert crop[0, 24, 1] == pytest.approx(128, abs=2)


def test_outside_the_picture_its_edge_goes_on():
    crop = crop_face(ramp(100, 100), Face(Box(-50, 20, 100, 100)), WHOLE, 50)
    assert (crop[:, :25, 0] == crop[:, :1, 0]).all()
    assert crop[0, 49, 0] > crop[0, 26, 0]


def test_shrinking_keeps_the_mean_of_fine_stripes():
    stripes = np.zeros((480, 480, 3), np.uint8)
    stripes[:, ::2] = 200
    crop = crop_face(stripes, Face(Box(0, 0, 480, 480)), WHOLE, 48)
    assert crop.min() >= 95
    assert crop.max() <= 105


@pytest.mark.parametrize("lean", [-40, -20, 20, 40])
def test_a_leaning_face_is_turned_upright(lean):
    upright = np.zeros((200, 200, 3), np.uint8)
    for eye in ((75, 85), (125, 85)):
        cv2.circle(upright, eye, 8, (255, 255, 255), -1)
    turn = cv2.getRotationMatrix2D((100, 100), -lean, 1.0)
    leaning = cv2.warpAffine(upright, turn, (200, 200))
    places = [tuple(turn @ (*eye, 1)) for eye in ((75, 85), (125, 85))]
    face = Face(Box(50, 50, 100, 100), landmarks=eyes(*places))
    assert measure_eye_slope(face) == pytest.approx(lean, abs=0.5)
    crop, expected = (
        crop_face(picture, one, WHOLE, 50).astype(int) for picture, one in ((leaning, face), (upright, Face(face.box)))
    )
    assert np.abs(crop - expected).mean() < 3


def test_a_slight_slope_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    box = Box(20, 20, 48, 48)
    leaning = eyes((0, 0), (100, 100 * np.tan(np.radians(LEVEL_ABOVE - 0.5))))
    np.testing.assert_array_equal(
        crop_face(pixels, Face(box, landmarks=leaning), WHOLE, 48), crop_face(pixels, Face(box), WHOLE, 48)
    )


def test_every_built_in_detector_has_a_measured_framing():
    assert set(FRAMINGS) == {"haar", "yunet", "none"}
    assert FRAMINGS["none"] == WHOLE


@pytest.mark.parametrize("shape", [(3, 48, 48), (3, 48, 48, 3), (1, 20, 31), (2, 97, 60, 3), (0, 48, 48)])
@pytest.mark.parametrize(("color", "channels"), [("gray", 1), ("rgb", 3)])
def test_as_input_has_the_model_s_shape(shape, color, channels):
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    ready = to_model_input(crops, 48, color)
    assert ready.shape == (shape[0], 48, 48, channels)
    assert ready.dtype == np.uint8


def test_as_input_leaves_gray_crops_of_the_right_size_untouched():
    crops = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
    np.testing.assert_array_equal(to_model_input(crops, 48, "gray")[..., 0], crops)
    np.testing.assert_array_equal(to_model_input(crops, 48, "rgb")[..., 2], crops)


def test_gray_weighs_the_colours_as_eyes_do():
    crops = np.zeros((3, 48, 48, 3), np.uint8)
    for channel in range(3):
        crops[channel, ..., channel] = 200
    np.testing.assert_allclose(to_model_input(crops, 48, "gray").mean(axis=(1, 2, 3)), (59.8, 117.4, 22.8), atol=0.6)
