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
#: The variance, in grays, that every picture has at least: noise on black is no scene.
_FLAT = 30.0


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
    """0 for the same picture, 1 for unrelated ones. Light that changes over all of the picture counts little."""
    apart = float(((one - other) ** 2).sum())
    return apart / (float((one**2).sum() + (other**2).sum()) + _FLAT * one.size)


def _thumb(pixels: Pixels) -> _Thumb:
    """A small picture whose mean is 0."""
    # Nearest rows first: averaging every pixel of a large frame costs more than looking at it.
    step = max(min(pixels.shape[0] // (_HEIGHT * 4), pixels.shape[1] // (_WIDTH * 4)), 1)
    small = cv2.resize(np.ascontiguousarray(pixels[::step, ::step]), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    thumb: _Thumb = np.asarray(small, np.float32)
    thumb -= thumb.mean(axis=(0, 1))
    return thumb
