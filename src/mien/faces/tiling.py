"""How one picture is looked at: at which sizes, in which tiles, and which hits are the same face."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, inf, sqrt
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np

from mien.results import Box, Face, Pixels, Point


class Detection(NamedTuple):
    """A face before it is rounded: top left corner and size in pixels, ``score`` 0 to 1, five points or none."""

    x: float
    y: float
    width: float
    height: float
    score: float
    points: tuple[Point, ...] | None = None

    def moved(self, scale: float, x: float, y: float) -> Detection:
        """The same face seen from the picture, when the view began at ``x, y`` and enlarged by ``scale``."""
        points = self.points and tuple(Point(p.x / scale + x, p.y / scale + y) for p in self.points)
        return Detection(
            self.x / scale + x, self.y / scale + y, self.width / scale, self.height / scale, self.score, points
        )

    def face(self) -> Face:
        left, top = round(self.x), round(self.y)
        right, bottom = round(self.x + self.width), round(self.y + self.height)
        return Face(Box(left, top, max(right - left, 1), max(bottom - top, 1)), round(self.score, 4), self.points)


#: Finds the faces in one view: RGB uint8, small enough to be looked at in one go.
DetectFunction: TypeAlias = Callable[[Pixels], list[Detection]]


@dataclass(frozen=True, slots=True)
class TilingSettings:
    """What a detector sees in one go, in pixels of the view.

    ``smallest`` is the narrowest face it finds reliably, ``area`` how many pixels a picture keeps when nobody asks
    for small faces, ``close`` the long side at which a face that fills the picture is found best, with ``border``
    pixels of its edge repeated around it. Larger views are cut into tiles of side ``tile`` that share ``overlap``
    pixels.
    """

    smallest: int
    area: int
    close: int
    border: int = 0
    tile: int = 960
    overlap: int = 240


class Tile(NamedTuple):
    """A window of the picture, ``scale`` view pixels to one of the picture; it answers for faces centred in ``own``.

    ``border`` pixels of the view go around the window, repeating its edge.
    """

    box: Box
    scale: float
    own: tuple[float, float, float, float] = (-inf, -inf, inf, inf)
    border: int = 0

    def shown(self, pixels: Pixels) -> Pixels:
        x, y, width, height = self.box
        window = _sized(pixels[y : y + height, x : x + width], self.scale)
        if not self.border:
            return window
        edge = self.border
        return np.asarray(cv2.copyMakeBorder(window, edge, edge, edge, edge, cv2.BORDER_REPLICATE), np.uint8)

    def placed(self, hit: Detection) -> Detection:
        """A hit in the view, as it lies in the picture."""
        return hit.moved(self.scale, self.box.x - self.border / self.scale, self.box.y - self.border / self.scale)

    def owns(self, hit: Detection) -> bool:
        left, top, right, bottom = self.own
        return left <= hit.x + hit.width / 2 < right and top <= hit.y + hit.height / 2 < bottom


def detect_in_tiles(
    pixels: Pixels, look: DetectFunction, reach: TilingSettings, min_face: int | None = None
) -> list[Detection]:
    """Every face once, best first. ``min_face`` is the narrowest face to look for, in pixels of the picture."""
    hits = [hit for view in plan_tiles(pixels.shape, reach, min_face) for hit in _seen(pixels, view, look)]
    if not hits:
        hits = list(_seen(pixels, _close_up(pixels.shape, reach), look))
    return [hit for hit in suppress_overlaps(hits) if hit.width >= 0.8 * (min_face or 0)]


def convert_to_faces(hits: Iterable[Detection]) -> tuple[Face, ...]:
    """Hits as faces, the largest first."""
    return tuple(hit.face() for hit in sorted(hits, key=lambda hit: -hit.width * hit.height))


def plan_tiles(shape: tuple[int, ...], reach: TilingSettings, min_face: int | None) -> Iterator[Tile]:
    """The whole picture at the working size and, on request, tiles of larger sizes until small faces are seen."""
    height, width = shape[:2]
    whole = Box(0, 0, width, height)
    coarse = compute_working_scale(shape, reach)
    wanted = coarse if min_face is None else min(max(2.0, coarse), reach.smallest / max(min_face, 1))
    yield Tile(whole, coarse)
    while wanted > coarse * 1.05:
        yield from _tiles(width, height, wanted, reach)
        wanted *= 2.0 * reach.smallest / reach.overlap  # what outgrows half the overlap is found at the next size


def compute_working_scale(shape: tuple[int, ...], reach: TilingSettings) -> float:
    """Down to the working size; a picture smaller than the close-up is enlarged to it, four times at most."""
    height, width = shape[:2]
    if max(height, width) < reach.close:
        return min(reach.close / max(height, width), 4.0)
    return min(1.0, sqrt(reach.area / (height * width)))


def suppress_overlaps(hits: Iterable[Detection]) -> list[Detection]:
    """The best hit of each face: what shares half its area with a better hit is the same face."""
    kept: list[Detection] = []
    for hit in sorted(hits, key=lambda hit: -hit.score):
        if all(compute_overlap(hit, other) < 0.5 for other in kept):
            kept.append(hit)
    return kept


def _seen(pixels: Pixels, view: Tile, look: DetectFunction) -> Iterator[Detection]:
    for hit in look(view.shown(pixels)):
        place = view.placed(hit)
        if view.owns(place):
            yield place


def _close_up(shape: tuple[int, ...], reach: TilingSettings) -> Tile:
    height, width = shape[:2]
    return Tile(Box(0, 0, width, height), min(reach.close / max(height, width), 4.0), border=reach.border)


def _sized(window: Pixels, scale: float) -> Pixels:
    height, width = window.shape[:2]
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if size == (width, height):
        return window
    skip = int(1 / scale / 3)
    if skip > 1:  # averaging three of these a pixel is as good as averaging all, and several times as fast
        window = np.ascontiguousarray(window[::skip, ::skip])
    return np.asarray(
        cv2.resize(window, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8
    )


def _tiles(width: int, height: int, scale: float, reach: TilingSettings) -> Iterator[Tile]:
    tile, overlap = reach.tile / scale, reach.overlap / scale
    for column, row in product(_cells(width, tile, overlap), _cells(height, tile, overlap)):
        box = Box(column[0], row[0], column[1] - column[0], row[1] - row[0])
        yield Tile(box, scale, (column[2], row[2], column[3], row[3]))


def _cells(length: int, tile: float, overlap: float) -> list[tuple[int, int, float, float]]:
    """Start and end of the tiles along one side, and the stretch each answers for; together they answer for all."""
    count = max(ceil((length - overlap) / (tile - overlap)), 1)
    step = (length - overlap) / count
    edges = [-inf, *(index * step + overlap / 2 for index in range(1, count)), inf]
    return [
        (max(int(index * step), 0), min(ceil((index + 1) * step + overlap), length), edges[index], edges[index + 1])
        for index in range(count)
    ]


def compute_overlap(one: Detection | Box, other: Detection | Box) -> float:
    """The shared area as a part of the smaller of the two."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    smaller = min(one.width * one.height, other.width * other.height)
    return max(width, 0.0) * max(height, 0.0) / max(smaller, 1e-9)
