"""How one picture is looked at: at which sizes, in which tiles, and which hits are the same face."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np

from mien.types import Box, Face, Pixels, Point


class Hit(NamedTuple):
    """A face before it is rounded: top left corner and size in pixels, ``score`` 0 to 1, five points or none."""

    x: float
    y: float
    width: float
    height: float
    score: float
    points: tuple[Point, ...] | None = None

    def moved(self, scale: float, x: float, y: float) -> Hit:
        """The same face where ``scale`` pixels of the view were one pixel, and the view began at ``x, y``."""
        points = self.points and tuple(Point(p.x / scale + x, p.y / scale + y) for p in self.points)
        return Hit(self.x / scale + x, self.y / scale + y, self.width / scale, self.height / scale, self.score, points)

    def face(self) -> Face:
        left, top = round(self.x), round(self.y)
        right, bottom = round(self.x + self.width), round(self.y + self.height)
        return Face(Box(left, top, max(right - left, 1), max(bottom - top, 1)), round(self.score, 4), self.points)


#: Finds the faces in one view: RGB uint8, small enough to be looked at in one go.
Look: TypeAlias = Callable[[Pixels], list[Hit]]


@dataclass(frozen=True, slots=True)
class Reach:
    """What a detector can see in one go, in pixels of the view.

    ``smallest`` is the narrowest face it finds reliably, ``long_side`` the size a picture is reduced to when nobody
    asks for small faces, ``tile`` the side of the tiles a larger view is cut into, ``overlap`` how far they share.
    """

    smallest: int
    long_side: int
    tile: int
    overlap: int


class View(NamedTuple):
    """A window of the picture, ``scale`` view pixels to one of the picture; it answers for faces centred in ``own``."""

    box: Box
    scale: float
    own: tuple[float, float, float, float]

    def shown(self, pixels: Pixels) -> Pixels:
        x, y, width, height = self.box
        window = pixels[y : y + height, x : x + width]
        size = max(round(width * self.scale), 1), max(round(height * self.scale), 1)
        if size == (width, height):
            return window
        sampling = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(window, size, interpolation=sampling), np.uint8)

    def owns(self, hit: Hit) -> bool:
        left, top, right, bottom = self.own
        return left <= hit.x + hit.width / 2 < right and top <= hit.y + hit.height / 2 < bottom


def scan(pixels: Pixels, look: Look, reach: Reach, min_face: int | None = None) -> tuple[Face, ...]:
    """Every face, largest first. ``min_face`` is the narrowest face to look for, in pixels of the picture."""
    hits = [hit for view in views(pixels.shape, reach, min_face) for hit in _seen(pixels, view, look)]
    faces = [hit.face() for hit in distinct(hits) if hit.width >= (min_face or 0) * 0.8]
    return tuple(sorted(faces, key=lambda face: -face.box.width * face.box.height))


def views(shape: tuple[int, ...], reach: Reach, min_face: int | None) -> Iterator[View]:
    """The whole picture at the working size and, on request, tiles of larger sizes until small faces are seen."""
    height, width = shape[:2]
    coarse = min(1.0, reach.long_side / max(width, height))
    wanted = coarse if min_face is None else min(1.0, reach.smallest / max(min_face, 1))
    for scale in _scales(coarse, wanted, reach):
        step = (reach.tile - reach.overlap) / scale
        columns, rows = _cells(width, step, reach.overlap / scale), _cells(height, step, reach.overlap / scale)
        for (x, right, own_x, end_x), (y, bottom, own_y, end_y) in product(columns, rows):
            yield View(Box(x, y, right - x, bottom - y), scale, (own_x, own_y, end_x, end_y))


def distinct(hits: Iterable[Hit]) -> list[Hit]:
    """The best hit of each face: a hit that mostly covers a better one, or lies in it, is the same face."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: -hit.score):
        if all(_overlap(hit, other) < 0.5 for other in kept):
            kept.append(hit)
    return kept


def _seen(pixels: Pixels, view: View, look: Look) -> Iterator[Hit]:
    for hit in look(view.shown(pixels)):
        place = hit.moved(view.scale, view.box.x, view.box.y)
        if view.owns(place):
            yield place


def _scales(coarse: float, wanted: float, reach: Reach) -> list[float]:
    """From the whole picture in one go to the finest asked for; between them faces fit into the tiles' overlap."""
    scales = [min(coarse, wanted)]
    fine = wanted
    while fine > coarse * 1.05:
        scales.append(fine)
        fine *= 2.0 * reach.smallest / reach.overlap
    return scales


def _cells(length: int, step: float, overlap: float) -> list[tuple[int, int, float, float]]:
    """Start, end, and the part it answers for, of the tiles along one side; together they answer for all of it."""
    count = max(int(np.ceil((length - overlap) / step)), 1)
    cells = []
    for index in range(count):
        start = round(index * (length - overlap) / count)
        stop = length if index == count - 1 else round((index + 1) * (length - overlap) / count + overlap)
        own = -np.inf if index == 0 else start + overlap / 2
        end = np.inf if index == count - 1 else round((index + 1) * (length - overlap) / count) + overlap / 2
        cells.append((start, stop, own, end))
    return cells


def _overlap(one: Hit, other: Hit) -> float:
    """The shared area as a part of the smaller of the two."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    smaller = min(one.width * one.height, other.width * other.height)
    return max(width, 0.0) * max(height, 0.0) / max(smaller, 1e-9)
