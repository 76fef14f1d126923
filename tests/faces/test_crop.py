"""Face crops: the right shape, the right pixels, eyes level."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.faces.crop import (
    FRAMINGS,
    LEVEL_ABOVE,
    Framing,
    crop_face,
    crop_square,
    crop_thumbnail,
    measure_eye_slope,
    to_model_input,
)
from mien.results import Box, Face, Point

WHOLE = Framing(1.0)
numbers = st.integers(-(10**6), 10**6)
framings = st.builds(Framing, st.floats(0.1, 5), st.floats(-2, 2), st.floats(-2, 2))


def ramp(width: int, height: int) -> np.ndarray:
    """Red increases to the right, green downwards."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), x * 0], axis=2).astype(np.uint8)


def eyes(right: tuple[float, float], left: tuple[float, float]) -> tuple[Point, ...]:
    return tuple(Point(*position) for position in (right, left, (0, 0), (0, 0), (0, 0)))


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.builds(Box, numbers, numbers, st.integers(0, 10**6), st.integers(0, 10**6)),
    framings,
    st.sampled_from([1, 7, 48, 64]),
    st.floats(-180, 180),
)
def test_crop_is_a_square_of_the_colours_of_the_image(size, box, framing, side, angle):
    pixels = np.full((size[1], size[0], 3), (10, 120, 200), np.uint8)
    landmarks = eyes((0, 0), (np.cos(np.radians(angle)) * 9, np.sin(np.radians(angle)) * 9))
    crop = crop_face(pixels, Face(box, landmarks=landmarks), framing, side)
    assert crop.shape == (side, side, 3)
    assert crop.dtype == np.uint8
    assert crop.flags.c_contiguous
    # Rotation adds no black: outside the image its edge is repeated.
    assert np.abs(crop.astype(int) - (10, 120, 200)).max() <= 1


@given(st.integers(0, 40), st.integers(0, 40), st.integers(20, 60))
def test_crop_of_the_same_size_is_not_resampled(x, y, side):
    pixels = np.random.default_rng(side).integers(0, 256, (100, 100, 3), np.uint8)
    crop = crop_face(pixels, Face(Box(x, y, side, side)), WHOLE, side)
    np.testing.assert_array_equal(crop, pixels[y : y + side, x : x + side])


@given(
    st.builds(Box, st.integers(-300, 300), st.integers(-300, 300), st.integers(8, 200), st.integers(8, 200)), framings
)
def test_square_has_the_size_and_centre_of_the_framing(box, framing):
    left, top, side = framing.square(Face(box))
    assert side == pytest.approx(framing.scale * np.sqrt(box.width * box.height))
    assert left + side / 2 == pytest.approx(box.x + box.width * (0.5 + framing.dx), abs=1e-6)
    assert top + side / 2 == pytest.approx(box.y + box.height * (0.5 + framing.dy), abs=1e-6)


def test_crop_has_the_pixels_of_its_square():
    crop = crop_face(ramp(200, 200), Face(Box(50, 100, 100, 100)), WHOLE, 48).astype(int)
    assert crop[24, 0, 0] == pytest.approx(64, abs=2)
    assert crop[24, 47, 0] == pytest.approx(191, abs=2)
    assert crop[0, 24, 1] == pytest.approx(128, abs=2)


def test_edge_is_repeated_outside_the_image():
    crop = crop_face(ramp(100, 100), Face(Box(-50, 20, 100, 100)), WHOLE, 50)
    assert (crop[:, :25, 0] == crop[:, :1, 0]).all()
    assert crop[0, 49, 0] > crop[0, 26, 0]


def test_reduction_keeps_the_mean_of_fine_stripes():
    stripes = np.zeros((480, 480, 3), np.uint8)
    stripes[:, ::2] = 200
    crop = crop_face(stripes, Face(Box(0, 0, 480, 480)), WHOLE, 48)
    assert crop.min() >= 95
    assert crop.max() <= 105


@pytest.mark.parametrize("angle", [-40, -20, 20, 40])
def test_sloping_face_is_rotated_until_the_eyes_are_level(angle):
    upright = np.zeros((200, 200, 3), np.uint8)
    for eye in ((75, 85), (125, 85)):
        cv2.circle(upright, eye, 8, (255, 255, 255), -1)
    rotation = cv2.getRotationMatrix2D((100, 100), -angle, 1.0)
    sloping = cv2.warpAffine(upright, rotation, (200, 200))
    positions = [tuple(rotation @ (*eye, 1)) for eye in ((75, 85), (125, 85))]
    face = Face(Box(50, 50, 100, 100), landmarks=eyes(*positions))
    assert measure_eye_slope(face) == pytest.approx(angle, abs=0.5)
    crop = crop_face(sloping, face, WHOLE, 50).astype(int)
    expected = crop_face(upright, Face(face.box), WHOLE, 50).astype(int)
    assert np.abs(crop - expected).mean() < 3


def test_slight_slope_is_not_rotated():
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    box = Box(20, 20, 48, 48)
    sloping = eyes((0, 0), (100, 100 * np.tan(np.radians(LEVEL_ABOVE - 0.5))))
    np.testing.assert_array_equal(
        crop_face(pixels, Face(box, landmarks=sloping), WHOLE, 48), crop_face(pixels, Face(box), WHOLE, 48)
    )


def test_built_in_detectors_have_framings():
    assert set(FRAMINGS) == {"haar", "yunet", "none"}
    assert FRAMINGS["none"] == WHOLE


@pytest.mark.parametrize("shape", [(3, 48, 48), (3, 48, 48, 3), (1, 20, 31), (2, 97, 60, 3), (0, 48, 48)])
@pytest.mark.parametrize(("color", "channels"), [("gray", 1), ("rgb", 3)])
def test_model_input_has_the_shape_of_the_model(shape, color, channels):
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    faces = to_model_input(crops, 48, color)
    assert faces.shape == (shape[0], 48, 48, channels)
    assert faces.dtype == np.uint8


def test_gray_crops_of_the_right_size_are_unchanged():
    crops = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
    np.testing.assert_array_equal(to_model_input(crops, 48, "gray")[..., 0], crops)
    np.testing.assert_array_equal(to_model_input(crops, 48, "rgb")[..., 2], crops)


def test_gray_has_the_weights_of_luma():
    crops = np.zeros((3, 48, 48, 3), np.uint8)
    for channel in range(3):
        crops[channel, ..., channel] = 200
    np.testing.assert_allclose(to_model_input(crops, 48, "gray").mean(axis=(1, 2, 3)), (59.8, 117.4, 22.8), atol=0.6)


# Thumbnails

PIXELS = np.arange(60 * 80, dtype=np.uint32).reshape(60, 80, 1).repeat(3, axis=2).astype(np.uint8)


def test_square_has_the_margin_on_each_side_of_the_face():
    square = crop_square(PIXELS, Box(30, 20, 20, 20), 0.25)
    assert np.array_equal(square, PIXELS[15:45, 25:55])
    assert np.shares_memory(square, PIXELS)


@pytest.mark.parametrize("box", [Box(-10, -10, 30, 30), Box(70, 50, 30, 30), Box(0, 0, 500, 500)])
def test_square_stays_inside_the_image(box):
    height, width = crop_square(PIXELS, box, 0.5).shape[:2]
    assert 0 < height == width <= 60


@pytest.mark.parametrize("side", [10, 100])
def test_thumbnail_has_the_requested_side(side):
    assert crop_thumbnail(PIXELS, Box(30, 20, 20, 20), side, 0.25).shape == (side, side, 3)
