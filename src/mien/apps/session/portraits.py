"""A face and a little around it, as a small square picture: for lists of faces and of moments."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from mien.results import Box, Pixels


def crop_thumbnail(pixels: Pixels, box: Box, side: int, around: float) -> Pixels:
    """``(side, side, 3)``; on each side of the face ``around`` of its size is added, as far as the picture goes."""
    cut = crop_square(pixels, box, around)
    kind = Resampling.BOX if len(cut) > side else Resampling.BICUBIC
    return np.array(Image.fromarray(cut).resize((side, side), kind), np.uint8)


def crop_square(pixels: Pixels, box: Box, around: float) -> Pixels:
    """The square itself, as large as it is in the picture."""
    height, width = pixels.shape[:2]
    side = min(round(max(box.width, box.height) * (1 + 2 * around)), width, height)
    left = min(max(box.x + box.width // 2 - side // 2, 0), width - side)
    top = min(max(box.y + box.height // 2 - side // 2, 0), height - side)
    return pixels[top : top + side, left : left + side]
