"""Where one shot ends and the next begins."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.types import Pixels

_Thumb: TypeAlias = NDArray[np.float32]

#: A thumbnail's size, and from which difference on two of them show different scenes (0 the same, 1 unrelated).
_WIDTH, _HEIGHT = 32, 18
CUT = 0.55


class Shots:
    """Tells cuts, frame after frame of one film."""

    def __init__(self) -> None:
        self._before: _Thumb | None = None
        self._size: tuple[int, ...] = ()

    def cut(self, pixels: Pixels) -> bool:
        """Does a new shot begin with this frame? Never with the first."""
        before, size = self._before, self._size
        self._before, self._size = _thumb(pixels), pixels.shape
        if before is None:
            return False
        return size != pixels.shape or difference(before, self._before) > CUT


def difference(one: _Thumb, other: _Thumb) -> float:
    """1 less the correlation of two thumbnails: light that changes over all of the picture makes no difference."""
    return 1.0 - float((one * other).sum())


def _thumb(pixels: Pixels) -> _Thumb:
    """Unit length, mean 0. A frame without any contrast is all zeros, and unlike everything."""
    # Nearest rows first: averaging every pixel of a large frame costs more than looking at it.
    step = max(min(pixels.shape[0] // (_HEIGHT * 4), pixels.shape[1] // (_WIDTH * 4)), 1)
    small = cv2.resize(np.ascontiguousarray(pixels[::step, ::step]), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    thumb = np.asarray(small, np.float32)
    thumb -= thumb.mean(axis=(0, 1))
    return thumb / np.float32(max(float(np.sqrt((thumb * thumb).sum())), 1e-6))
