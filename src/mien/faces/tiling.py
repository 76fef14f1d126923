"""Detection at several scales and in tiles, with one detection for each face.

A detector sees an image of limited size. The whole image is searched at a working scale; smaller faces, if requested,
in overlapping tiles at larger scales. Overlapping detections are suppressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, inf, sqrt
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np

from mien.results import Box, Face, Pixels, Point

#: Detections that share more of the smaller one's area are the same face.
MAX_OVERLAP = 0.5

#: Images smaller than the close-up size are enlarged at most so many times.
_MAX_ENLARGEMENT = 4.0


class Detection(NamedTuple):
    """A face with unrounded coordinates in pixels; ``score`` is 0 to 1, ``landmarks`` are five points or None."""

    x: float
    y: float
    width: float
    height: float
    score: float
    landmarks: tuple[Point, ...] | None = None

    def to_image(self, scale: float, x: float, y: float) -> Detection:
        """The same face in the image, for a detection in a window at ``x, y`` that is scaled by ``scale``."""
        landmarks = self.landmarks and tuple(Point(p.x / scale + x, p.y / scale + y) for p in self.landmarks)
        width, height = self.width / scale, self.height / scale
        return Detection(self.x / scale + x, self.y / scale + y, width, height, self.score, landmarks)

    def to_face(self) -> Face:
        left, top = round(self.x), round(self.y)
        right, bottom = round(self.x + self.width), round(self.y + self.height)
        return Face(Box(left, top, max(right - left, 1), max(bottom - top, 1)), round(self.score, 4), self.landmarks)


#: Detects faces in RGB uint8 pixels of limited size.
DetectFunction: TypeAlias = Callable[[Pixels], list[Detection]]


@dataclass(frozen=True, slots=True)
class TilingSettings:
    """The sizes that suit a detector, in pixels of the scaled image.

    ``smallest`` is the width of the smallest face that it detects reliably, ``area`` the number of pixels of the image
    at the working scale. ``close_up`` is the length of the longer side at which a face that fills the image is
    detected best, with ``border`` pixels around it that repeat the edge. Larger images are divided into tiles with the
    side ``tile`` that share ``overlap`` pixels. The detector extends images with a side below ``min_side``. A reduction
    by a scale above ``linear_above`` is linear, which is seven times as fast as the mean of areas.
    """

    smallest: int
    area: int
    close_up: int
    border: int = 0
    tile: int = 960
    overlap: int = 240
    min_side: int = 1
    linear_above: float = 1.0


class Tile(NamedTuple):
    """A window of the image at a scale. Only detections whose centre is in ``region`` (left, top, right, bottom) count.

    The regions of all tiles of a scale cover the image without overlap, so that no face is counted twice. ``border``
    pixels around the scaled window repeat its edge.
    """

    box: Box
    scale: float
    region: tuple[float, float, float, float] = (-inf, -inf, inf, inf)
    border: int = 0
    linear_above: float = 1.0

    def extract(self, pixels: Pixels) -> Pixels:
        """The pixels of the tile."""
        x, y, width, height = self.box
        window = _resize(pixels[y : y + height, x : x + width], self.scale, self.linear_above)
        if not self.border:
            return window
        border = self.border
        return np.asarray(cv2.copyMakeBorder(window, border, border, border, border, cv2.BORDER_REPLICATE), np.uint8)

    def to_image(self, detection: Detection) -> Detection:
        """A detection in the pixels of the tile, in coordinates of the image."""
        border = self.border / self.scale
        return detection.to_image(self.scale, self.box.x - border, self.box.y - border)

    def owns(self, detection: Detection) -> bool:
        """Whether the centre of a detection, in coordinates of the image, is in the tile's region."""
        left, top, right, bottom = self.region
        x, y = detection.x + detection.width / 2, detection.y + detection.height / 2
        return left <= x < right and top <= y < bottom


def detect_in_tiles(
    pixels: Pixels, detect: DetectFunction, settings: TilingSettings, min_face: int | None = None
) -> list[Detection]:
    """One detection for each face, the highest score first.

    ``min_face`` is the width of the smallest face to detect, in pixels of the image. If no face is detected, the image
    is searched once more at the close-up size.
    """
    tiles = plan_tiles(pixels.shape, settings, min_face)
    detections = [detection for tile in tiles for detection in _detect_in_tile(pixels, tile, detect)]
    if not detections:
        height, width = pixels.shape[:2]
        scale = min(settings.close_up / max(height, width), _MAX_ENLARGEMENT)
        close_up = Tile(Box(0, 0, width, height), scale, border=settings.border)
        detections = list(_detect_in_tile(pixels, close_up, detect))
    return [detection for detection in suppress_overlaps(detections) if detection.width >= 0.8 * (min_face or 0)]


def plan_tiles(shape: tuple[int, ...], settings: TilingSettings, min_face: int | None) -> Iterator[Tile]:
    """The whole image at the working scale and, for a small ``min_face``, tiles at larger scales."""
    height, width = shape[:2]
    working_scale = compute_working_scale(shape, settings)
    yield Tile(Box(0, 0, width, height), working_scale, linear_above=settings.linear_above)
    if min_face is None:
        return
    scale = min(max(2.0, working_scale), settings.smallest / max(min_face, 1))
    while scale > working_scale * 1.05 and min(height, width) * scale >= settings.smallest / 2:
        yield from _tiles_at_scale(width, height, scale, settings)
        # A face larger than half the overlap may be cut by every tile; the next scale is small enough for it.
        scale *= 2.0 * settings.smallest / settings.overlap


def compute_working_scale(shape: tuple[int, ...], settings: TilingSettings) -> float:
    """The scale of the whole image: reduced to ``area``; smaller than the close-up size, enlarged to it."""
    height, width = shape[:2]
    if max(height, width) < settings.close_up:
        return min(settings.close_up / max(height, width), _MAX_ENLARGEMENT)
    # The detector extends the shorter side of a long strip to ``min_side``, which must not exceed the area either.
    extended = settings.area / (max(height, width) * settings.min_side)
    return min(1.0, sqrt(settings.area / (height * width)), max(extended, settings.close_up / max(height, width)))


def suppress_overlaps(detections: Iterable[Detection]) -> list[Detection]:
    """Non-maximum suppression: the detections without overlap with a better one, the highest score first."""
    retained: list[Detection] = []
    for detection in sorted(detections, key=lambda detection: -detection.score):
        if all(compute_overlap(detection, other) < MAX_OVERLAP for other in retained):
            retained.append(detection)
    return retained


def compute_overlap(first: Detection | Box, second: Detection | Box) -> float:
    """The shared area as a part of the smaller area."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    smaller = min(first.width * first.height, second.width * second.height)
    return max(width, 0.0) * max(height, 0.0) / max(smaller, 1e-9)


def convert_to_faces(detections: Iterable[Detection]) -> tuple[Face, ...]:
    """Detections as faces, the largest first."""
    by_size = sorted(detections, key=lambda detection: -detection.width * detection.height)
    return tuple(detection.to_face() for detection in by_size)


def _detect_in_tile(pixels: Pixels, tile: Tile, detect: DetectFunction) -> Iterator[Detection]:
    return filter(tile.owns, map(tile.to_image, detect(tile.extract(pixels))))


def _resize(window: Pixels, scale: float, linear_above: float = 1.0) -> Pixels:
    height, width = window.shape[:2]
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if size == (width, height):
        return window
    step = int(1 / scale / 3)
    if step > 1:  # the mean of nine pixels is as good as the mean of all, and several times as fast
        window = np.ascontiguousarray(window[::step, ::step])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if linear_above < scale < 1:
        interpolation = cv2.INTER_LINEAR
    return np.asarray(cv2.resize(window, size, interpolation=interpolation), np.uint8)


def _tiles_at_scale(width: int, height: int, scale: float, settings: TilingSettings) -> Iterator[Tile]:
    side, overlap = settings.tile / scale, settings.overlap / scale
    columns, rows = _divide(width, side, overlap), _divide(height, side, overlap)
    for (left, right, region_left, region_right), (top, bottom, region_top, region_bottom) in product(columns, rows):
        box = Box(left, top, right - left, bottom - top)
        yield Tile(box, scale, (region_left, region_top, region_right, region_bottom))


def _divide(length: int, side: float, overlap: float) -> list[tuple[int, int, float, float]]:
    """Start and end of the tiles along one axis, and start and end of their regions."""
    count = max(ceil((length - overlap) / (side - overlap)), 1)
    step = (length - overlap) / count
    edges = [-inf, *(index * step + overlap / 2 for index in range(1, count)), inf]
    return [
        (max(int(index * step), 0), min(ceil((index + 1) * step + overlap), length), edges[index], edges[index + 1])
        for index in range(count)
    ]
