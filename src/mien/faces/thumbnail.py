"""Small square images of faces with a margin, for lists of faces and of events."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from mien.results import Box, Pixels


def crop_thumbnail(pixels: Pixels, box: Box, side: int, margin: float) -> Pixels:
    """``(side, side, 3)``: the face with ``margin`` times its size on each side, as far as the image goes."""
    square = crop_square(pixels, box, margin)
    resampling = Resampling.BOX if len(square) > side else Resampling.BICUBIC
    return np.array(Image.fromarray(square).resize((side, side), resampling), np.uint8)


def crop_square(pixels: Pixels, box: Box, margin: float) -> Pixels:
    """The same square in the resolution of the image; a view."""
    height, width = pixels.shape[:2]
    side = min(round(max(box.width, box.height) * (1 + 2 * margin)), width, height)
    left = min(max(box.x + box.width // 2 - side // 2, 0), width - side)
    top = min(max(box.y + box.height // 2 - side // 2, 0), height - side)
    return pixels[top : top + side, left : left + side]
