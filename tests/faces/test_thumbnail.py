"""Square images of faces with a margin."""

import numpy as np
import pytest

from mien.faces.crop import crop_square, crop_thumbnail
from mien.results import Box

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
