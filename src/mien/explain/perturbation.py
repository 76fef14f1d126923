"""Where a model looked, found by covering parts of the face and asking again: no gradients are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.activations import freeze_map
from mien.explain.explanation import Counterfactual, ExplanationTarget, Map

#: Shares ``(N, labels)`` for raw faces ``(N, side, side, channels)``; any number of them.
ScoreFunction = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

#: Faces asked about at once: as many as keep the memory flat, 128 small ones and a few large ones.
_PIXELS, _MOST, _LEAST = 300_000, 128, 8

#: The side of the covering square, and its step, as parts of the face's side.
PATCH, STEP = 0.21, 0.1

#: Random masks: how many, how many cells to a side, and the part of the cells that is kept.
MASKS, CELLS, VISIBLE_PART = 500, 7, 0.5


def blur_face(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face without its features, ``(side, side, channels)``: what a covered place shows.

    A black or gray cover would be an edge and a shape of its own, which the network has an opinion about.
    """
    soft = cv2.GaussianBlur(face, (0, 0), face.shape[0] / 6, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(soft, np.uint8).reshape(face.shape)


def compute_occlusion(ask: ScoreFunction, face: NDArray[np.uint8], question: ExplanationTarget) -> Map:
    """What the target loses when a square of the face is covered, as the mean over the squares that cover a pixel."""
    masks = _squares(face.shape[0])
    lost = _score(ask(face[None]), question)[0] - _scores(ask, face, masks, question)
    sums = _sums(lost, masks)
    found = sums.weighted / sums.plain
    return freeze_map(found if question.versus is not None else np.maximum(found, 0))


def compute_rise(ask: ScoreFunction, face: NDArray[np.uint8], question: ExplanationTarget, masks: int = MASKS) -> Map:
    """How much better the target fares with a pixel than without it, over seeded random masks."""
    covers = _random(face.shape[0], masks, question.seed)
    scores = _scores(ask, face, covers, question)
    # Less their mean the scores need no mean of the masks; where masks vary more they say no more for it.
    sums = _sums(scores.mean() - scores, covers)
    layout = np.sqrt(np.maximum(sums.squared / masks - (sums.plain / masks) ** 2, 0))
    found = sums.weighted / (masks * (layout + 1e-6))
    return freeze_map(found if question.versus is not None else np.maximum(found, 0))


class _Sums(NamedTuple):
    """Over all masks, for each pixel: of the masks by their weights, of the masks, and of their squares."""

    weighted: NDArray[np.float64]
    plain: NDArray[np.float64]
    squared: NDArray[np.float64]


def _sums(weights: NDArray[np.float64], masks: NDArray[np.uint8]) -> _Sums:
    side = masks.shape[1]
    weighted, plain, squared = np.zeros((3, side, side))
    for some in _batches(masks):
        part = masks[some].astype(np.float32) / 255
        weighted += np.tensordot(weights[some].astype(np.float32), part, axes=1)
        plain += part.sum(axis=0)
        squared += np.einsum("nyx,nyx->yx", part, part)
    return _Sums(weighted, plain, squared)


def _scores(
    ask: ScoreFunction, face: NDArray[np.uint8], masks: NDArray[np.uint8], question: ExplanationTarget
) -> NDArray[np.float64]:
    """For each mask how the target fares under it."""
    return np.concatenate([_score(ask(_covered(face, masks[some])), question) for some in _batches(masks)])


def _batches(masks: NDArray[np.uint8]) -> Iterator[slice]:
    step = min(max(_PIXELS // (masks.shape[1] * masks.shape[2]), _LEAST), _MOST)
    return (slice(start, start + step) for start in range(0, len(masks), step))


def _score(shares: NDArray[np.float32], question: ExplanationTarget) -> NDArray[np.float64]:
    against = 0.0 if question.versus is None else shares[:, question.versus]
    return np.asarray(shares[:, question.target] - against, np.float64)


def _covered(face: NDArray[np.uint8], masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face once for each mask ``(N, side, side)``: where the mask is 255 it is covered, where 0 it is as it was."""
    plain, soft = face.astype(np.float32), blur_face(face).astype(np.float32)
    mixed = plain[None] + masks[..., None].astype(np.float32) / 255 * (soft - plain)[None]
    return np.asarray(np.rint(mixed), np.uint8)


@lru_cache(maxsize=4)
def _squares(side: int) -> NDArray[np.uint8]:
    """255 in a covering square at every step, those at the border cut off; each pixel lies under several."""
    patch, step = max(round(side * PATCH), 1), max(round(side * STEP), 1)
    starts = np.arange(-patch // 2 + 1, side - patch // 2, step)
    line = np.arange(side)
    along = ((line >= starts[:, None]) & (line < starts[:, None] + patch)).astype(np.uint8)
    masks = np.einsum("ay,bx->abyx", along, along).reshape(-1, side, side)
    return np.asarray(masks[masks.any(axis=(1, 2))] * 255, np.uint8)


@lru_cache(maxsize=2)
def _random(side: int, count: int, seed: int) -> NDArray[np.uint8]:
    """Soft random masks ``(count, side, side)``, 255 where the face is covered: few cells, enlarged and shifted."""
    chance = np.random.default_rng(seed)
    cell = -(-side // CELLS)
    coarse = np.where(chance.random((count, CELLS + 1, CELLS + 1)) < VISIBLE_PART, 0, 255).astype(np.uint8)
    shifts = chance.integers(0, cell, (count, 2))
    masks = np.empty((count, side, side), np.uint8)
    for mask, cells, (down, across) in zip(masks, coarse, shifts, strict=True):
        whole = cv2.resize(cells, ((CELLS + 1) * cell,) * 2, interpolation=cv2.INTER_LINEAR)
        mask[:] = whole[down : down + side, across : across + side]
    return masks


# ==== mien.explain.flip
# Which change would alter the answer: the smallest covered part of the face that another expression leads without.

#: The largest part of the crop that is tried: a face of which half is covered is another question.
MAX_AREA = 0.5

#: The shapes tried, as (width, height) to the same area: squares, and bars along brows and mouths.
_SHAPES = ((1.0, 1.0), (1.7, 0.6), (0.6, 1.7))

#: Areas tried: the side of the smallest square and the least step, as parts of the face's; each area so many times
#: the one before.
_SMALLEST, _STEP = 1 / 8, 1 / 12
_GROWTH = 1.6


def find_counterfactual(ask: ScoreFunction, face: NDArray[np.uint8], labels: Sequence[str]) -> Counterfactual | None:
    """The flip, area by area from the smallest on; None when nothing up to half of the face changes the answer.

    Of several that do at the same area it is the one in which the new leader is strongest.
    """
    side, soft = face.shape[0], blur_face(face)
    top = int(ask(face[None])[0].argmax())
    for boxes in _by_area(side):
        shares = ask(_covered_flip(face, soft, boxes))
        flipped = np.flatnonzero(shares.argmax(axis=1) != top)
        if len(flipped):
            best = int(flipped[shares[flipped].max(axis=1).argmax()])
            leader = int(shares[best].argmax())
            area = round(boxes[best][2] * boxes[best][3] / side**2, 4)
            return Counterfactual(*boxes[best], area, labels[leader], round(float(shares[best, leader]), 4))
    return None


def _by_area(side: int) -> Iterator[list[tuple[int, int, int, int]]]:
    """Rectangles ``(x, y, width, height)`` inside the crop, by groups of about the same area."""
    area = (side * _SMALLEST) ** 2
    while area <= MAX_AREA * side**2:
        yield list(dict.fromkeys(_boxes(side, area**0.5)))
        area *= _GROWTH


def _boxes(side: int, length: float) -> Iterator[tuple[int, int, int, int]]:
    for wide, high in _SHAPES:
        width, height = max(round(length * wide), 1), max(round(length * high), 1)
        if width > side or height > side:
            continue
        for y in _starts(side, height):
            for x in _starts(side, width):
                yield x, y, width, height


def _starts(side: int, length: int) -> list[int]:
    """Steps of half the length or more, from border to border."""
    count = int(np.ceil((side - length) / max(length / 2, side * _STEP))) + 1
    return sorted({int(start) for start in np.linspace(0, side - length, count).round()})


def _covered_flip(
    face: NDArray[np.uint8], soft: NDArray[np.uint8], boxes: Sequence[tuple[int, int, int, int]]
) -> NDArray[np.uint8]:
    faces = np.repeat(face[None], len(boxes), axis=0)
    for covered, (x, y, width, height) in zip(faces, boxes, strict=True):
        covered[y : y + height, x : x + width] = soft[y : y + height, x : x + width]
    return faces
