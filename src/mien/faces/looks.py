"""What somebody looks like, in few numbers: enough to tell two people apart who cross, and no more than that.

It is never stored, and serves only while a film is watched.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.types import Box, Pixels

#: The head with collar is looked at in so many pixels, and in so many cells.
_WIDTH, _HEIGHT, _CELLS = 24, 36, (8, 12)
#: Hair, face and collar: each has a histogram of its colours (a and b of Lab), in so many steps between two values.
_BANDS, _STEPS, _RANGE = 3, 8, (88.0, 168.0)
#: The share of the cells that counts, the most alike ones: the others may be hidden behind something.
_SEEN = 0.6
#: What the cells count against the colours.
_WEIGHT = 0.3


class Look(NamedTuple):
    """``colours`` ``(bands, steps * steps)``, square roots of shares; ``cells`` ``(cells, 4)``, colour and light."""

    colours: NDArray[np.float32]
    cells: NDArray[np.float32]


def look_of(pixels: Pixels, box: Box) -> Look:
    """The look of a face in a picture."""
    around = cv2.resize(_around(pixels, box), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return Look(_colours(around), _cells(cv2.resize(around, _CELLS, interpolation=cv2.INTER_AREA)))


def unlike(one: Look, other: Look) -> float:
    """How different two looks are: below 0.1 mostly one person, above 0.3 mostly two, or one half hidden."""
    colours = 1.0 - float((one.colours * other.colours).sum()) / _BANDS
    apart = np.sqrt(((one.cells - other.cells) ** 2).sum(axis=1))
    apart.sort()
    return colours + _WEIGHT * float(apart[: int(len(apart) * _SEEN)].mean())


def blended(one: Look, other: Look, share: float) -> Look:
    """A little more like the other."""
    colours = (1 - share) * one.colours**2 + share * other.colours**2
    return Look(np.sqrt(colours), (1 - share) * one.cells + np.float32(share) * other.cells)


def _colours(around: cv2.typing.MatLike) -> NDArray[np.float32]:
    lab = np.split(cv2.cvtColor(around, cv2.COLOR_RGB2LAB), _BANDS)
    return np.stack([_histogram(band) for band in lab])


def _histogram(band: cv2.typing.MatLike) -> NDArray[np.float32]:
    counts = cv2.calcHist([np.ascontiguousarray(band)], [1, 2], None, [_STEPS, _STEPS], [*_RANGE, *_RANGE])
    soft = cv2.GaussianBlur(counts, (3, 3), 0.6).ravel()
    return np.asarray(np.sqrt(soft / max(float(soft.sum()), 1.0)), np.float32)


def _cells(small: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Colour against light, and light against the others: what changes little when the lamp does."""
    cells = np.asarray(small, np.float32).reshape(-1, 3)
    light = cells.mean(axis=1, keepdims=True)
    off = light - np.median(light)
    spread = 2 * np.median(np.abs(off)) + 16
    return np.hstack([2.0 * (cells / (light + 16) - 1), 0.6 * off / spread]).astype(np.float32)


def _around(pixels: Pixels, box: Box) -> Pixels:
    """The head, and below it half as much again: hair and collar tell more than a face that moves."""
    x, y, width, height = box
    left, top = max(x - width // 8, 0), max(y - height // 4, 0)
    part = pixels[top : max(y + height + height // 2, top + 1), left : max(x + width + width // 8, left + 1)]
    return part if part.size else np.zeros((1, 1, 3), np.uint8)
