"""Which pixels of a face a model sees: the one crop for training, reading, web and desktop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, cos, degrees, radians, sin
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.results import Face, Pixels, Point


@dataclass(frozen=True, slots=True)
class Framing:
    """How a detector's box becomes the square a model was trained on.

    The side of the square is ``scale * sqrt(width * height)`` of the box; its centre is the box's centre moved by
    ``dx`` box widths to the right and ``dy`` box heights down.
    """

    scale: float
    dx: float = 0.0
    dy: float = 0.0

    def square(self, face: Face) -> tuple[float, float, float]:
        """``(left, top, side)`` in pixels of the picture; parts of it may lie outside."""
        x, y, width, height = face.box
        side = self.scale * float(np.sqrt(max(width, 1) * max(height, 1)))
        return x + (0.5 + self.dx) * width - side / 2, y + (0.5 + self.dy) * height - side / 2, side


#: How FER2013 frames a face, seen from each detector's box: the medians in benchmarks/results/framing.json (scene).
FRAMINGS: Mapping[str, Framing] = MappingProxyType(
    {
        "haar": Framing(0.96, -0.009, -0.008),
        "yunet": Framing(1.10, 0.0, -0.012),
        "none": Framing(1.0),
    }
)


#: Degrees of slope between the eyes from which a face is turned upright. From there on levelling wins four points of
#: accuracy, below it nothing that could be measured (``levelling`` in benchmarks/results/framing.json).
LEVEL_ABOVE = 15.0


def crop_face(pixels: Pixels, face: Face, framing: Framing, side: int) -> Pixels:
    """The face as RGB uint8 ``(side, side, 3)``. Where the square leaves the picture, the nearest pixels go on.

    A face whose landmarks say that it leans by more than ``LEVEL_ABOVE`` degrees is turned until the eyes are level.
    """
    left, top, size, lean = locate_crop(face, framing)
    if not lean:
        return _window(pixels, left, top, size, side)
    around = _window(pixels, left - size / 4, top - size / 4, size * 1.5, side * 3)
    turn = cv2.getRotationMatrix2D((side * 1.5 - 0.5, side * 1.5 - 0.5), lean, 1.0)
    turn[:, 2] -= np.array([side / 2, side / 2])
    return _rgb(_resized(np.asarray(cv2.warpAffine(around, turn, (side * 2, side * 2)), np.uint8), side, side))


def locate_crop(face: Face, framing: Framing) -> tuple[float, float, float, float]:
    """``(left, top, side, lean)``: the square that is cut, and by how many degrees it is turned about its middle."""
    lean = measure_eye_slope(face)
    return (*framing.square(face), lean if abs(lean) > LEVEL_ABOVE else 0.0)


def map_landmarks_to_crop(face: Face, framing: Framing, side: int) -> tuple[Point, ...] | None:
    """The landmarks in the crop that :func:`cut` makes, pixel 0 with its middle at 0; None where nobody knows them."""
    if face.landmarks is None:
        return None
    left, top, size, lean = locate_crop(face, framing)
    turn = np.array([[cos(radians(lean)), sin(radians(lean))], [-sin(radians(lean)), cos(radians(lean))]])
    middle = np.array([left, top]) + size / 2
    turned = (np.array(face.landmarks) - middle) @ turn.T * (side / size) + (side - 1) / 2
    return tuple(Point(float(x), float(y)) for x, y in turned)


def measure_eye_slope(face: Face) -> float:
    """How far the eyes are from level, in degrees, clockwise in the picture; 0 when nobody knows where they are."""
    if face.landmarks is None:
        return 0.0
    right, left = face.landmarks[:2]
    return degrees(atan2(left.y - right.y, left.x - right.x))


def _window(pixels: Pixels, left: float, top: float, size: float, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    x0, x1 = _span(left, left + size, width)
    y0, y1 = _span(top, top + size, height)
    before_x, seen_x, after_x = _shares(left, size, x0, x1, side)
    before_y, seen_y, after_y = _shares(top, size, y0, y1, side)
    seen = _resized(pixels[y0:y1, x0:x1], seen_x, seen_y)
    return _rgb(cv2.copyMakeBorder(seen, before_y, after_y, before_x, after_x, cv2.BORDER_REPLICATE))


def to_model_input(crops: NDArray[np.uint8], side: int, color: str) -> NDArray[np.uint8]:
    """Crops ``(N, H, W)`` or ``(N, H, W, 3)`` as a model takes them: uint8 ``(N, side, side, 1)``; 3 for ``"rgb"``."""
    channels = 3 if color == "rgb" else 1
    ready = np.empty((len(crops), side, side, channels), np.uint8)
    for place, crop in zip(ready, crops, strict=True):
        place[:] = _resized(_coloured(crop, color), side, side).reshape(side, side, channels)
    return ready


def _coloured(crop: NDArray[np.uint8], color: str) -> NDArray[np.uint8]:
    if crop.ndim == 3 and color != "rgb":
        return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)  # 0.299, 0.587, 0.114
    if crop.ndim == 2 and color == "rgb":
        return np.repeat(crop[..., None], 3, axis=2)
    return crop


def _span(start: float, stop: float, length: int) -> tuple[int, int]:
    """The part of ``start..stop`` inside a picture, as whole pixels; at least one, the nearest."""
    first = min(max(round(start), 0), length - 1)
    return first, min(max(round(stop), first + 1), length)


def _shares(start: float, size: float, first: int, last: int, side: int) -> tuple[int, int, int]:
    """How many of the crop's ``side`` pixels lie before, inside and after the picture; inside has at least one."""
    inside = (np.clip(np.array([first, last], float), start, start + size) - start) * (side / size)
    begin = min(round(float(inside[0])), side - 1)
    end = max(round(float(inside[1])), begin + 1)
    return begin, end - begin, side - end


def _resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Area sampling where it shrinks, so that nothing flickers; cubic where it grows."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = pixels.shape[0] * pixels.shape[1] > width * height
    return np.asarray(
        cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )


def _rgb(pixels: cv2.typing.MatLike) -> Pixels:
    return np.ascontiguousarray(pixels, np.uint8)
