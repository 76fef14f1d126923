"""What is counted and measured on labelled faces."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lab import likeness
from mien.lab.check import counts
from mien.lab.data import TRAINING, Faces
from mien.labels import EMOTIONS

#: So many pairs of twins, and of near-twins, are shown.
PAIRS = 9


@dataclass(frozen=True)
class Pair:
    """Two faces by their places. ``likeness`` is 1 for the very same pixels."""

    one: int
    other: int
    likeness: float


@dataclass(frozen=True)
class Numbers:
    """``counts`` by split and class; ``weights`` by class, from the Training faces, 0 where there are none.

    ``brightness`` and ``contrast`` (N,) are the mean and the standard deviation of each face's pixels; ``means`` and
    ``spreads`` (K, 48, 48) the mean and the standard deviation of each class's faces, of all pixels in the first row.
    ``near`` counts the pairs that are nearly the same picture.
    """

    counts: dict[str, list[int]]
    weights: list[float]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    means: NDArray[np.float32]
    spreads: NDArray[np.float32]
    pairs: tuple[Pair, ...]
    near: int
    twins: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "class_weights": dict(zip(EMOTIONS, self.weights, strict=True)),
            "brightness": _spread(self.brightness),
            "contrast": _spread(self.contrast),
            "twins": self.twins,
            "near_twins": self.near,
            "pairs_shown": [asdict(pair) for pair in self.pairs],
        }


def measured(faces: Faces) -> Numbers:
    found = counts(faces)
    flat = faces.pixels.reshape(len(faces), -1)
    groups, near = likeness.groups(faces.pixels), likeness.nearly(faces.pixels)
    means, spreads = _averaged(faces)
    return Numbers(
        found,
        weights(next(iter(found.values())) if TRAINING not in found else found[TRAINING]),
        flat.mean(1, dtype=np.float32),
        flat.std(1, dtype=np.float32),
        means,
        spreads,
        (*_twins(faces, groups), *_near(faces, near)),
        len(near),
        sum(len(group) - 1 for group in groups),
    )


def weights(row: list[int]) -> list[float]:
    """How much a face of each class counts, so that every class counts the same: all / (classes * its own)."""
    there = sum(count > 0 for count in row)
    return [round(sum(row) / (there * count), 4) if count else 0.0 for count in row]


def _averaged(faces: Faces) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of all faces, then of each class; gray where a class has none."""
    means, spreads = np.full((2, len(EMOTIONS) + 1, *faces.pixels.shape[1:]), 128, np.float32)
    for row in range(len(EMOTIONS) + 1):
        some = faces.pixels if row == 0 else faces.pixels[faces.labels == row - 1]
        if len(some):
            means[row], spreads[row] = some.mean(0, dtype=np.float32), some.std(0, dtype=np.float32)
    return means, spreads


def _twins(faces: Faces, groups: list[NDArray[np.int64]]) -> list[Pair]:
    blank = faces.blank()
    return _chosen(faces, [Pair(int(group[0]), int(group[-1]), 1.0) for group in groups if not blank[group[0]]])


def _near(faces: Faces, near: likeness.Pairs) -> list[Pair]:
    found = zip(near.places.tolist(), near.likeness.tolist(), strict=True)
    return _chosen(faces, [Pair(one, other, min(round(alike, 4), 0.9999)) for (one, other), alike in found])


def _chosen(faces: Faces, pairs: list[Pair]) -> list[Pair]:
    """The most telling: other labels before other splits, and no face twice."""
    shown: set[int] = set()
    chosen = []
    for pair in sorted(pairs, key=lambda pair: _telling(faces, pair)):
        if not shown & {pair.one, pair.other}:
            chosen.append(pair)
            shown |= {pair.one, pair.other}
    return chosen[:PAIRS]


def _telling(faces: Faces, pair: Pair) -> tuple[bool, bool]:
    one, other = pair.one, pair.other
    return bool(faces.labels[one] == faces.labels[other]), bool(faces.usage[one] == faces.usage[other])


def _spread(values: NDArray[np.float32]) -> dict[str, float]:
    """Five numbers that say how values are spread."""
    low, first, middle, third, high = np.percentile(values, [1, 25, 50, 75, 99]).round(1).tolist()
    return {"1 %": low, "25 %": first, "50 %": middle, "75 %": third, "99 %": high}
