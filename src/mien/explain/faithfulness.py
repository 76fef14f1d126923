"""Faithfulness of evidence maps: deletion and insertion curves, baselines, and the similarity of two maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.perturbation import ScoreFunction, blur_face

#: The face is deleted in squares, so many along a side: a network responds to the noise of single pixels.
BLOCKS = 12

#: Steps of a curve between nothing and everything.
STEPS = 18

Floats = NDArray[np.float64]


class FaithfulnessCurves(NamedTuple):
    """The target's probability, ``(STEPS + 1,)`` each, with 0 to all of the face deleted, or inserted."""

    deletion: Floats
    insertion: Floats

    @property
    def areas(self) -> tuple[float, float]:
        """The area under deletion (small is good) and under insertion (large is good), 0 to 1."""
        return area_under_curve(self.deletion), area_under_curve(self.insertion)


def compute_curves(
    score: ScoreFunction, face: NDArray[np.uint8], saliency: NDArray[np.floating], target: int, seed: int = 0
) -> FaithfulnessCurves:
    """Both curves of one map ``(side, side)`` on one face ``(side, side, channels)``."""
    selected = _select_pixels(saliency, seed)[..., None]
    blurred = blur_face(face)
    deleted, inserted = np.where(selected, blurred, face), np.where(selected, face, blurred)
    scores = score(np.concatenate([deleted, inserted]))[:, target].astype(np.float64)
    return FaithfulnessCurves(scores[: len(selected)], scores[len(selected) :])


def _select_pixels(saliency: NDArray[np.floating], seed: int) -> NDArray[np.bool_]:
    """``(STEPS + 1, side, side)``: the pixels selected at each step, the squares with most evidence first.

    Squares with equal evidence come in random order.
    """
    side = saliency.shape[0]
    blocks = _block_means(saliency)
    order = np.lexsort((np.random.default_rng(seed).random(blocks.size), -blocks))
    rank = np.empty(blocks.size, np.int64)
    rank[order] = np.arange(blocks.size)
    limits = np.linspace(0, blocks.size, STEPS + 1).round()
    selected = (rank[None] < limits[:, None]).reshape(-1, BLOCKS, BLOCKS)
    index = np.arange(side) * BLOCKS // side
    return np.asarray(selected[:, index][:, :, index])


def area_under_curve(curve: Floats) -> float:
    """The mean height of a curve with evenly spaced points."""
    return float((curve[:-1] + curve[1:]).mean() / 2)


def edge_baseline(face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The strength of the edges: a map that depends on the face and not on the network."""
    gray = face.astype(np.float32).mean(axis=2)
    horizontal, vertical = (cv2.Sobel(gray, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.GaussianBlur(np.hypot(horizontal, vertical), (0, 0), 1.0), np.float32)


def centre_baseline(side: int) -> NDArray[np.float32]:
    """A Gaussian in the middle of the crop: a map that depends on nothing but the position of faces."""
    line = (np.arange(side) - (side - 1) / 2) / side
    return np.asarray(np.exp(-(line[:, None] ** 2 + line[None] ** 2) / (2 * 0.2**2)), np.float32)


def random_baseline(side: int, seed: int) -> NDArray[np.float32]:
    """Random values, one for each square."""
    coarse = np.random.default_rng(seed).random((BLOCKS, BLOCKS)).astype(np.float32)
    index = np.arange(side) * BLOCKS // side
    return coarse[index][:, index]


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of two maps over the squares: 1 is the same order, 0 is no relation."""
    ranks = [_ranks(_block_means(each)) for each in (one, other)]
    centred = [each - each.mean() for each in ranks]
    norm = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / norm if norm else 0.0


def _block_means(saliency: NDArray[np.floating]) -> Floats:
    """The mean of the map in each square, flat."""
    side = saliency.shape[0]
    index = np.arange(side) * BLOCKS // side
    blocks = (index[:, None] * BLOCKS + index[None]).ravel()
    sums = np.bincount(blocks, saliency.ravel().astype(np.float64), BLOCKS**2)
    return sums / np.maximum(np.bincount(blocks, minlength=BLOCKS**2), 1)


def _ranks(values: Floats) -> Floats:
    """Ranks from 0; equal values have their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts) + (ends - 1))[inverse] / 2.0


def bootstrap_mean(values: Sequence[float] | Floats, seed: int = 0, rounds: int = 1000) -> tuple[float, float, float]:
    """The mean and its 95 % bootstrap interval."""
    array = np.asarray(values, np.float64)
    samples = np.random.default_rng(seed).integers(0, len(array), (rounds, len(array)))
    low, high = np.percentile(array[samples].mean(axis=1), [2.5, 97.5])
    return float(array.mean()), float(low), float(high)
