"""Arrays: which are images, which are stacks of crops, and the advice for others."""

import numpy as np
import pytest

from mien import images
from mien.errors import ArrayError

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (6, 8, 3), np.uint8)


def array_error(call, array) -> ArrayError:
    with pytest.raises(ArrayError) as caught:
        call(array)
    assert caught.value.happened
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value


def test_rgb_is_not_copied():
    assert images.load_image(RGB).pixels is RGB or np.shares_memory(images.load_image(RGB).pixels, RGB)
    assert images.load_image(RGB).name == "<array>"


@pytest.mark.parametrize("view", [RGB[::-1], RGB[..., ::-1], RGB[:, ::2], RGB.transpose(1, 0, 2)])
def test_views_become_contiguous(view):
    pixels = images.load_image(view).pixels
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, view)


@pytest.mark.parametrize("gray", [RGB[..., 0], RGB[..., :1]])
def test_gray_becomes_three_equal_channels(gray):
    pixels = images.load_image(gray).pixels
    for channel in range(3):
        np.testing.assert_array_equal(pixels[..., channel], RGB[..., 0])


def test_alpha_is_put_on_white():
    alpha = np.dstack([RGB, np.zeros((6, 8), np.uint8)])
    assert (images.load_image(alpha).pixels == 255).all()
    alpha[..., 3] = 255
    np.testing.assert_array_equal(images.load_image(alpha).pixels, RGB)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (RGB.astype(np.float32) / 255, "(array * 255).round()"),
        (RGB.astype(np.float64), "array.round().astype"),
        (RGB.astype(np.float64) - 128, "Scale the values to 0..255"),
        (np.full((4, 4, 3), np.nan), "not finite"),
        (np.full((4, 4, 3), np.inf), "not finite"),
        (RGB > 100, "* 255"),
        (RGB.astype(np.int64), "array.astype(np.uint8)"),
        (RGB.astype(np.uint16) * 257, "// 257"),
        (RGB.astype(complex), "Scale the values"),
        (RGB.astype(object), "Scale the values"),
    ],
)
def test_error_for_other_dtypes_has_advice(array, advice):
    error = array_error(images.load_image, array)
    assert str(array.dtype) in error.happened
    assert advice in error.remedy


def test_error_mentions_nan():
    assert "NaN" in array_error(images.load_image, np.full((4, 4), np.nan)).happened


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((3, 6, 8), "transpose(1, 2, 0)"),
        ((1, 6, 8), "transpose(1, 2, 0)"),
        ((2, 6, 8, 3), "read_many"),
        ((6, 8, 2), "one of these"),
        ((6, 8, 5), "one of these"),
        ((100,), "as bytes"),
        ((), "one of these"),
        ((0, 8, 3), "slice"),
        ((6, 0), "slice"),
        ((6, 8, 0), "slice"),
    ],
)
def test_error_for_other_shapes_has_advice(shape, advice):
    error = array_error(images.load_image, np.zeros(shape, np.uint8))
    assert str(shape) in error.happened
    assert advice in error.remedy


# Crops


@pytest.mark.parametrize("shape", [(5, 48, 48), (5, 48, 40, 3), (0, 48, 48), (0, 48, 48, 3), (3, 48, 48)])
def test_stacks_of_crops_are_accepted(shape):
    crops = np.zeros(shape, np.uint8)
    assert images.check_crops(crops).shape == shape


def test_single_gray_channel_of_crops_is_removed():
    assert images.check_crops(np.zeros((5, 48, 48, 1), np.uint8)).shape == (5, 48, 48)


def test_list_of_crops_becomes_a_stack():
    assert images.check_crops([np.zeros((48, 48), np.uint8)] * 3).shape == (3, 48, 48)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((48, 48), "crops[None]"),
        ((48, 48, 3), "crops[None]"),
        ((5, 3, 48, 48), "transpose(0, 2, 3, 1)"),
        ((5, 48, 48, 4), "[..., :3]"),
        ((5, 48, 48, 2), "one of these"),
        ((5, 0, 48), "slice"),
        ((5, 48, 0, 3), "slice"),
        ((0,), "slice"),
        ((1, 5, 48, 48, 3), "one of these"),
    ],
)
def test_error_for_other_stacks_has_advice(shape, advice):
    error = array_error(images.check_crops, np.zeros(shape, np.uint8))
    assert str(shape) in error.happened
    assert advice in error.remedy


@pytest.mark.parametrize("kind", [np.float32, bool, np.int32])
def test_error_for_crops_names_the_dtype(kind):
    assert str(np.dtype(kind)) in array_error(images.check_crops, np.zeros((2, 8, 8), kind)).happened


def test_error_for_no_crops_of_another_dtype_has_advice():
    assert "dtype=np.uint8" in array_error(images.check_crops, np.zeros((0, 8, 8))).remedy


def test_crops_of_different_sizes_are_an_error():
    ragged = [np.zeros((8, 8), np.uint8), np.zeros((9, 9), np.uint8)]
    assert "do not all have the same size" in array_error(images.check_crops, ragged).happened
