"""Occlusion, RISE and the counterfactual: the network predicts again with parts of the face covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.activations import freeze_map
from mien.explain.explanation import Counterfactual, ExplanationTarget, Map

#: Probabilities ``(N, labels)`` for faces ``(N, side, side, channels)``.
ScoreFunction = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

Box = tuple[int, int, int, int]

#: Pixels in one run of the network, and its limits in faces: memory stays constant.
_PIXELS, _MAX_BATCH, _MIN_BATCH = 300_000, 128, 8

#: Occlusion: side of the patch, and its step, relative to the side of the crop.
PATCH, STEP = 0.21, 0.1

#: RISE: number of masks, cells along a side, and the probability that a cell is visible.
MASKS, CELLS, VISIBLE_PART = 500, 7, 0.5

#: Counterfactual: the largest covered part of the crop. With more than half covered it is a different face.
MAX_AREA = 0.5

#: Shapes of the rectangles, as factors of width and height: squares, and bars along brows and mouth.
_SHAPES = ((1.0, 1.0), (1.7, 0.6), (0.6, 1.7))

#: Side of the smallest square and smallest step, relative to the side of the crop; factor from one area to the next.
_MIN_SIDE, _MIN_STEP = 1 / 8, 1 / 12
_GROWTH = 1.6


def blur_face(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face ``(side, side, channels)`` without its features: the content of covered areas.

    A black or gray area would have edges and a shape, to which the network responds.
    """
    blurred = cv2.GaussianBlur(face, (0, 0), face.shape[0] / 6, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8).reshape(face.shape)


def compute_occlusion(score: ScoreFunction, face: NDArray[np.uint8], target: ExplanationTarget) -> Map:
    """For each pixel the mean decrease of the target's probability over all patches that cover it."""
    masks = _patch_masks(face.shape[0])
    decrease = _target_scores(score(face[None]), target)[0] - _score_masked(score, face, masks, target)
    weighted, counts, _ = _sum_masks(decrease, masks)
    values = weighted / counts
    return freeze_map(values if target.versus is not None else np.maximum(values, 0))


def compute_rise(score: ScoreFunction, face: NDArray[np.uint8], target: ExplanationTarget, count: int = MASKS) -> Map:
    """For each pixel how much higher the target's probability is when it is visible, over random masks."""
    masks = _random_masks(face.shape[0], count, target.seed)
    scores = _score_masked(score, face, masks, target)
    # With centred scores the mean of the masks is not needed; the deviation corrects for masks that vary more.
    weighted, sums, squares = _sum_masks(scores.mean() - scores, masks)
    deviation = np.sqrt(np.maximum(squares / count - (sums / count) ** 2, 0))
    values = weighted / (count * (deviation + 1e-6))
    return freeze_map(values if target.versus is not None else np.maximum(values, 0))


def _target_scores(scores: NDArray[np.float32], target: ExplanationTarget) -> NDArray[np.float64]:
    reference = 0.0 if target.versus is None else scores[:, target.versus]
    return np.asarray(scores[:, target.target] - reference, np.float64)


def _score_masked(
    score: ScoreFunction, face: NDArray[np.uint8], masks: NDArray[np.uint8], target: ExplanationTarget
) -> NDArray[np.float64]:
    """The target's score under each mask."""
    batches = (score(_apply_masks(face, masks[batch])) for batch in _batches(masks))
    return np.concatenate([_target_scores(scores, target) for scores in batches])


def _apply_masks(face: NDArray[np.uint8], masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One copy of the face for each mask ``(N, side, side)``: blurred where the mask is 255, else unchanged."""
    original, blurred = face.astype(np.float32), blur_face(face).astype(np.float32)
    mixed = original[None] + masks[..., None].astype(np.float32) / 255 * (blurred - original)[None]
    return np.asarray(np.rint(mixed), np.uint8)


def _batches(masks: NDArray[np.uint8]) -> Iterator[slice]:
    size = min(max(_PIXELS // (masks.shape[1] * masks.shape[2]), _MIN_BATCH), _MAX_BATCH)
    return (slice(start, start + size) for start in range(0, len(masks), size))


def _sum_masks(
    weights: NDArray[np.float64], masks: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sums over all masks for each pixel: of the weighted masks, of the masks, and of their squares."""
    side = masks.shape[1]
    weighted, sums, squares = np.zeros((3, side, side))
    for batch in _batches(masks):
        values = masks[batch].astype(np.float32) / 255
        weighted += np.tensordot(weights[batch].astype(np.float32), values, axes=1)
        sums += values.sum(axis=0)
        squares += np.einsum("nyx,nyx->yx", values, values)
    return weighted, sums, squares


@lru_cache(maxsize=4)
def _patch_masks(side: int) -> NDArray[np.uint8]:
    """Masks ``(N, side, side)`` with 255 in a patch at each step, cut at the border; patches overlap."""
    patch, step = max(round(side * PATCH), 1), max(round(side * STEP), 1)
    starts = np.arange(-patch // 2 + 1, side - patch // 2, step)
    positions = np.arange(side)
    lines = ((positions >= starts[:, None]) & (positions < starts[:, None] + patch)).astype(np.uint8)
    masks = np.einsum("ay,bx->abyx", lines, lines).reshape(-1, side, side)
    return np.asarray(masks[masks.any(axis=(1, 2))] * 255, np.uint8)


@lru_cache(maxsize=2)
def _random_masks(side: int, count: int, seed: int) -> NDArray[np.uint8]:
    """Smooth random masks ``(count, side, side)``, 255 where covered: coarse cells, enlarged and shifted."""
    random = np.random.default_rng(seed)
    cell = -(-side // CELLS)
    coarse = np.where(random.random((count, CELLS + 1, CELLS + 1)) < VISIBLE_PART, 0, 255).astype(np.uint8)
    shifts = random.integers(0, cell, (count, 2))
    masks = np.empty((count, side, side), np.uint8)
    for mask, cells, (top, left) in zip(masks, coarse, shifts, strict=True):
        enlarged = cv2.resize(cells, ((CELLS + 1) * cell,) * 2, interpolation=cv2.INTER_LINEAR)
        mask[:] = enlarged[top : top + side, left : left + side]
    return masks


def find_counterfactual(score: ScoreFunction, face: NDArray[np.uint8], labels: Sequence[str]) -> Counterfactual | None:
    """The smallest covered rectangle that changes the leading label; None up to half of the face.

    Among rectangles of the same area it is the one with the highest score of the new label.
    """
    side, blurred = face.shape[0], blur_face(face)
    top = int(score(face[None])[0].argmax())
    for boxes in _boxes_by_area(side):
        covered = np.repeat(face[None], len(boxes), axis=0)
        for copy, (x, y, width, height) in zip(covered, boxes, strict=True):
            copy[y : y + height, x : x + width] = blurred[y : y + height, x : x + width]
        scores = score(covered)
        changed = np.flatnonzero(scores.argmax(axis=1) != top)
        if len(changed):
            best = int(changed[scores[changed].max(axis=1).argmax()])
            label = int(scores[best].argmax())
            area = round(boxes[best][2] * boxes[best][3] / side**2, 4)
            return Counterfactual(*boxes[best], area, labels[label], round(float(scores[best, label]), 4))
    return None


def _boxes_by_area(side: int) -> Iterator[list[Box]]:
    """Rectangles ``(x, y, width, height)`` inside the crop, in groups of about the same area, smallest first."""
    area = (side * _MIN_SIDE) ** 2
    while area <= MAX_AREA * side**2:
        yield list(dict.fromkeys(_boxes(side, area**0.5)))
        area *= _GROWTH


def _boxes(side: int, length: float) -> Iterator[Box]:
    for wide, high in _SHAPES:
        width, height = max(round(length * wide), 1), max(round(length * high), 1)
        if width <= side and height <= side:
            for y in _starts(side, height):
                for x in _starts(side, width):
                    yield x, y, width, height


def _starts(side: int, length: int) -> list[int]:
    """Positions from border to border, half a length apart or more."""
    count = int(np.ceil((side - length) / max(length / 2, side * _MIN_STEP))) + 1
    return sorted({int(start) for start in np.linspace(0, side - length, count).round()})
