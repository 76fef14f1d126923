"""Brows, eyes, nose, mouth and the rest of a face, on its crop; and how a map's evidence lies on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import Regions, Saliency
from mien.results import Point, Score

#: The regions; a region map says for each pixel which of them it is, by its place here.
REGIONS = ("rest", "brows", "eyes", "nose", "mouth")

LANDMARKS, MEAN_GEOMETRY = "landmarks", "mean geometry"

#: Where eyes, nose and corners of the mouth lie in a crop, as parts of its side: medians over 768 of FER2013's training
#: faces in which YuNet finds them, made symmetric. They spread by 0.07 to 0.11 about them.
MEAN_FACE = (
    Point(0.317, 0.379),
    Point(0.683, 0.379),
    Point(0.500, 0.593),
    Point(0.352, 0.746),
    Point(0.648, 0.746),
)


def build_region_map(side: int, landmarks: Sequence[Point] | None = None) -> NDArray[np.uint8]:
    """For each pixel of a crop its region; ``landmarks`` are the five points in pixels of the crop, or None."""
    return _mean_map(side) if landmarks is None else _drawn(side, np.array(landmarks, np.float64))


@lru_cache(maxsize=8)
def _mean_map(side: int) -> NDArray[np.uint8]:
    return _drawn(side, np.array(MEAN_FACE) * side - 0.5)


def _drawn(side: int, points: NDArray[np.float64]) -> NDArray[np.uint8]:
    right, left, nose, *corners = points
    eyes, mouth = (right + left) / 2, (corners[0] + corners[1]) / 2
    across, apart = _axis(left - right, side)
    down = np.array([-across[1], across[0]])
    deep = max(abs(float((mouth - eyes) @ down)), apart * 0.6)
    drawn = np.zeros((side, side), np.uint8)
    tip = nose * 0.75 + eyes * 0.25 + down * deep * 0.04
    _ellipse(drawn, "nose", tip, (apart * 0.27, deep * 0.30), across)
    for eye in (right, left):
        _ellipse(drawn, "brows", eye - down * deep * 0.33, (apart * 0.42, deep * 0.20), across)
    for eye in (right, left):
        _ellipse(drawn, "eyes", eye, (apart * 0.33, deep * 0.17), across)
    wide = max(float(np.linalg.norm(corners[1] - corners[0])), apart * 0.5)
    _ellipse(drawn, "mouth", mouth, (wide * 0.68, deep * 0.34), across)
    drawn.setflags(write=False)
    return drawn


def measure_regions(saliency: Saliency, where: NDArray[np.uint8], basis: str) -> Regions:
    """The part of a map's evidence for its target that lies on each region."""
    weight = np.maximum(saliency.map, 0).astype(np.float64)
    sums = np.bincount(where.ravel(), weight.ravel(), len(REGIONS))
    if sums.sum() <= 0:
        return Regions(saliency.method, basis, ())
    parts = sums / sums.sum()
    order = (*range(1, len(REGIONS)), 0)
    return Regions(saliency.method, basis, tuple(Score(REGIONS[i], round(float(parts[i]), 4)) for i in order))


def _axis(vector: NDArray[np.float64], side: int) -> tuple[NDArray[np.float64], float]:
    """Its direction and its length; of a face seen from the side, where both eyes fall together, never too small."""
    length = float(np.linalg.norm(vector))
    return (vector / length, max(length, side * 0.15)) if length > 1e-6 else (np.array([1.0, 0.0]), side * 0.15)


def _ellipse(
    drawn: NDArray[np.uint8],
    name: str,
    middle: NDArray[np.float64],
    radii: tuple[float, float],
    across: NDArray[np.float64],
) -> None:
    """Exactly the pixels whose middle lies inside: a drawn one would lean to one side by a pixel."""
    y, x = np.indices(drawn.shape)
    aside, below = x - middle[0], y - middle[1]
    along = (aside * across[0] + below * across[1]) / radii[0]
    athwart = (below * across[0] - aside * across[1]) / radii[1]
    drawn[along**2 + athwart**2 <= 1] = REGIONS.index(name)
