"""Which change would alter the answer: the smallest covered part of the face that another expression leads without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import Flip
from mien.explain.saliency import Ask, blurred

#: The largest part of the crop that is tried: a face of which half is covered is another question.
MOST = 0.5

#: The shapes tried, as (width, height) to the same area: squares, and bars along brows and mouths.
_SHAPES = ((1.0, 1.0), (1.7, 0.6), (0.6, 1.7))

#: Areas tried: the side of the smallest square and the least step, as parts of the face's; each area so many times
#: the one before.
_SMALLEST, _STEP = 1 / 8, 1 / 12
_GROWTH = 1.6


def smallest_flip(ask: Ask, face: NDArray[np.uint8], labels: Sequence[str]) -> Flip | None:
    """The flip, area by area from the smallest on; None when nothing up to half of the face changes the answer.

    Of several that do at the same area it is the one in which the new leader is strongest.
    """
    side, soft = face.shape[0], blurred(face)
    top = int(ask(face[None])[0].argmax())
    for boxes in _by_area(side):
        shares = ask(_covered(face, soft, boxes))
        flipped = np.flatnonzero(shares.argmax(axis=1) != top)
        if len(flipped):
            best = int(flipped[shares[flipped].max(axis=1).argmax()])
            leader = int(shares[best].argmax())
            area = round(boxes[best][2] * boxes[best][3] / side**2, 4)
            return Flip(*boxes[best], area, labels[leader], round(float(shares[best, leader]), 4))
    return None


def _by_area(side: int) -> Iterator[list[tuple[int, int, int, int]]]:
    """Rectangles ``(x, y, width, height)`` inside the crop, by groups of about the same area."""
    area = (side * _SMALLEST) ** 2
    while area <= MOST * side**2:
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


def _covered(
    face: NDArray[np.uint8], soft: NDArray[np.uint8], boxes: Sequence[tuple[int, int, int, int]]
) -> NDArray[np.uint8]:
    faces = np.repeat(face[None], len(boxes), axis=0)
    for covered, (x, y, width, height) in zip(faces, boxes, strict=True):
        covered[y : y + height, x : x + width] = soft[y : y + height, x : x + width]
    return faces
