"""Which faces stand in which batch: decided by the seed and the epoch only, so that a resumed run deals the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError, nearest
from mien.lab.recipe import Recipe

Places = NDArray[np.int64]


def batches(recipe: Recipe, labels: NDArray[np.integer], epoch: int) -> list[Places]:
    """Whole batches of places among the faces with these labels; what is left over waits for another epoch."""
    known, size = ("all", "balanced"), recipe.fit.batch
    sampling = recipe.fit.sampling
    if sampling not in known:
        there = f"known are {', '.join(known)}"
        raise LabError(f"fit.sampling is '{sampling}'", there, nearest(sampling, known))
    rng = np.random.default_rng((recipe.fit.seed, epoch))
    order = rng.permutation(len(labels)) if sampling == "all" else _balanced(labels, rng)
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def _balanced(labels: NDArray[np.integer], rng: np.random.Generator) -> Places:
    """As many places as there are faces, each class as often: rare faces come again, of the others some stay away."""
    classes = np.unique(labels)
    each = len(labels) // len(classes)
    chosen = [np.fromiter(_again_and_again(np.flatnonzero(labels == one), rng), np.int64, each) for one in classes]
    return rng.permutation(np.concatenate(chosen))


def _again_and_again(places: Places, rng: np.random.Generator) -> Iterator[int]:
    """All of them in some order, then all in another, for ever."""
    while True:
        yield from rng.permutation(places)
