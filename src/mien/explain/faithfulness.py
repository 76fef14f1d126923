"""Is a map telling the truth? Take away what it points at, and see whether the answer goes; bring it back first, and
see whether the answer comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.explain.perturbation import ScoreFunction, blur_face

#: The face is taken away in squares, so many to a side: single pixels would be noise, which a network has views on.
BLOCKS = 12

#: Points on a curve between nothing and everything.
STEPS = 18

Floats = NDArray[np.float64]


class FaithfulnessCurves(NamedTuple):
    """Mean shares of the target, ``(points,)`` each, with 0 to all of the face taken away, or brought back."""

    deletion: Floats
    insertion: Floats

    @property
    def areas(self) -> tuple[float, float]:
        """Under deletion (small is good) and insertion (large is good), 0 to 1."""
        return area_under_curve(self.deletion), area_under_curve(self.insertion)


def compute_curves(
    ask: ScoreFunction, face: NDArray[np.uint8], saliency: NDArray[np.floating], target: int, seed: int = 0
) -> FaithfulnessCurves:
    """Both curves of one map ``(side, side)`` on one face ``(side, side, channels)``."""
    gone = _stages(saliency, seed)
    soft = blur_face(face)
    without = np.where(gone[..., None], soft, face)
    only = np.where(gone[..., None], face, soft)
    shares = ask(np.concatenate([without, only]))[:, target].astype(np.float64)
    return FaithfulnessCurves(shares[: len(gone)], shares[len(gone) :])


def area_under_curve(curve: Floats) -> float:
    """The mean height of a curve of evenly spaced points."""
    return float((curve[:-1] + curve[1:]).mean() / 2)


def edge_baseline(face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The strength of edges: a map that knows the face and nothing of the network."""
    import cv2

    gray = face.astype(np.float32).mean(axis=2)
    across, down = (cv2.Sobel(gray, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.GaussianBlur(np.hypot(across, down), (0, 0), 1.0), np.float32)


def centre_baseline(side: int) -> NDArray[np.float32]:
    """A hill in the middle of the crop: a map that knows where faces are."""
    line = (np.arange(side) - (side - 1) / 2) / side
    return np.asarray(np.exp(-(line[:, None] ** 2 + line[None] ** 2) / (2 * 0.2**2)), np.float32)


def random_baseline(side: int, seed: int) -> NDArray[np.float32]:
    """Chance, one value for each square."""
    coarse = np.random.default_rng(seed).random((BLOCKS, BLOCKS)).astype(np.float32)
    places = np.arange(side) * BLOCKS // side
    return coarse[places][:, places]


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Spearman's correlation of two maps over the squares: 1 the same order, 0 none in common."""
    ranks = [_ranks(_blocks(each)) for each in (one, other)]
    centred = [each - each.mean() for each in ranks]
    layout = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / layout if layout else 0.0


def _stages(saliency: NDArray[np.floating], seed: int) -> NDArray[np.bool_]:
    """``(STEPS + 1, side, side)``: which pixels are gone, most important squares first; equal ones in random order."""
    side = saliency.shape[0]
    blocks = _blocks(saliency)
    chance = np.random.default_rng(seed).random(blocks.size)
    order = np.lexsort((chance, -blocks))
    rank = np.empty(blocks.size, np.int64)
    rank[order] = np.arange(blocks.size)
    limits = np.linspace(0, blocks.size, STEPS + 1).round()
    gone = rank[None] < limits[:, None]
    places = np.arange(side) * BLOCKS // side
    whole = gone.reshape(-1, BLOCKS, BLOCKS)
    return np.asarray(whole[:, places][:, :, places])


def _blocks(saliency: NDArray[np.floating]) -> Floats:
    """The mean of the map in each square, flat."""
    side = saliency.shape[0]
    places = np.arange(side) * BLOCKS // side
    number = (places[:, None] * BLOCKS + places[None]).ravel()
    sums = np.bincount(number, saliency.ravel().astype(np.float64), BLOCKS**2)
    return sums / np.maximum(np.bincount(number, minlength=BLOCKS**2), 1)


def _ranks(values: Floats) -> Floats:
    """Ranks from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts) + (ends - 1))[inverse] / 2.0


def bootstrap_mean(values: Sequence[float] | Floats, seed: int = 0, rounds: int = 1000) -> tuple[float, float, float]:
    """The mean and its 95 % interval, by drawing faces with replacement."""
    told = np.asarray(values, np.float64)
    drawn = np.random.default_rng(0).integers(0, len(told), (rounds, len(told)))
    low, high = np.percentile(told[drawn].mean(axis=1), [2.5, 97.5])
    return float(told.mean()), float(low), float(high)
