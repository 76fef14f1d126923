"""The crop of a face that a model receives: the same in training, in the engine and in every app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, cos, degrees, radians, sin
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Resampling

from mien.results import Box, Face, Pixels, Point


@dataclass(frozen=True, slots=True)
class Framing:
    """How the box of a detector becomes the square that a model was trained on.

    The side of the square is ``scale * sqrt(width * height)`` of the box; its centre is the centre of the box, moved by
    ``dx`` box widths to the right and ``dy`` box heights down.
    """

    scale: float
    dx: float = 0.0
    dy: float = 0.0

    def square(self, face: Face) -> tuple[float, float, float]:
        """``(left, top, side)`` in pixels of the image; parts of it may be outside."""
        x, y, width, height = face.box
        side = self.scale * float(np.sqrt(max(width, 1) * max(height, 1)))
        return x + (0.5 + self.dx) * width - side / 2, y + (0.5 + self.dy) * height - side / 2, side


#: The framing of FER2013's faces for the boxes of each detector: medians in benchmarks/results/framing.json (scene).
FRAMINGS: Mapping[str, Framing] = MappingProxyType(
    {
        "haar": Framing(0.96, -0.009, -0.008),
        "yunet": Framing(1.10, 0.0, -0.012),
        "none": Framing(1.0),
    }
)


#: Faces whose eyes slope by more degrees are rotated until the eyes are level. Above this angle it improves accuracy by
#: four points, below by nothing that could be measured (``levelling`` in benchmarks/results/framing.json).
LEVEL_ABOVE = 15.0


def crop_face(pixels: Pixels, face: Face, framing: Framing, side: int) -> Pixels:
    """The face as RGB uint8 ``(side, side, 3)``; outside the image its edge is repeated.

    A face whose landmarks slope by more than ``LEVEL_ABOVE`` degrees is rotated until the eyes are level.
    """
    left, top, size, angle = locate_crop(face, framing)
    if not angle:
        return _crop_square(pixels, left, top, size, side)
    # A larger crop at twice the resolution, so that the corners are filled after the rotation.
    larger = _crop_square(pixels, left - size / 4, top - size / 4, size * 1.5, side * 3)
    rotation = cv2.getRotationMatrix2D((side * 1.5 - 0.5, side * 1.5 - 0.5), angle, 1.0)
    rotation[:, 2] -= np.array([side / 2, side / 2])
    rotated = np.asarray(cv2.warpAffine(larger, rotation, (side * 2, side * 2)), np.uint8)
    return np.ascontiguousarray(_resize(rotated, side, side))


def locate_crop(face: Face, framing: Framing) -> tuple[float, float, float, float]:
    """``(left, top, side, angle)``: the square of the crop, and the degrees by which it is rotated about its centre."""
    slope = measure_eye_slope(face)
    return (*framing.square(face), slope if abs(slope) > LEVEL_ABOVE else 0.0)


def map_landmarks_to_crop(face: Face, framing: Framing, side: int) -> tuple[Point, ...] | None:
    """The landmarks in the crop of :func:`crop_face`, where pixel 0 has its centre at 0; None without landmarks."""
    if face.landmarks is None:
        return None
    left, top, size, angle = locate_crop(face, framing)
    cosine, sine = cos(radians(angle)), sin(radians(angle))
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    centre = np.array([left, top]) + size / 2
    points = (np.array(face.landmarks) - centre) @ rotation.T * (side / size) + (side - 1) / 2
    return tuple(Point(float(x), float(y)) for x, y in points)


def measure_eye_slope(face: Face) -> float:
    """The angle of the line between the eyes in degrees, clockwise in the image; 0 without landmarks."""
    if face.landmarks is None:
        return 0.0
    right, left = face.landmarks[:2]
    return degrees(atan2(left.y - right.y, left.x - right.x))


def to_model_input(crops: NDArray[np.uint8], side: int, color: str) -> NDArray[np.uint8]:
    """Crops ``(N, H, W)`` or ``(N, H, W, 3)`` as uint8 ``(N, side, side, channels)``, with 3 channels for ``"rgb"``."""
    channels = 3 if color == "rgb" else 1
    faces = np.empty((len(crops), side, side, channels), np.uint8)
    for face, crop in zip(faces, crops, strict=True):
        face[:] = _resize(_convert_color(crop, color), side, side).reshape(side, side, channels)
    return faces


def _convert_color(crop: NDArray[np.uint8], color: str) -> NDArray[np.uint8]:
    if crop.ndim == 3 and color != "rgb":
        return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)  # 0.299, 0.587, 0.114
    if crop.ndim == 2 and color == "rgb":
        return np.repeat(crop[..., None], 3, axis=2)
    return crop


def _crop_square(pixels: Pixels, left: float, top: float, size: float, side: int) -> Pixels:
    """A square of the image resized to ``side`` pixels; outside the image its edge is repeated."""
    height, width = pixels.shape[:2]
    x0, x1 = _clip_range(left, left + size, width)
    y0, y1 = _clip_range(top, top + size, height)
    before_x, inside_x, after_x = _split_side(left, size, x0, x1, side)
    before_y, inside_y, after_y = _split_side(top, size, y0, y1, side)
    inside = _resize(pixels[y0:y1, x0:x1], inside_x, inside_y)
    square = cv2.copyMakeBorder(inside, before_y, after_y, before_x, after_x, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(square, np.uint8)


def _clip_range(start: float, stop: float, length: int) -> tuple[int, int]:
    """The whole pixels of ``start..stop`` inside the image; at least one, the nearest."""
    first = min(max(round(start), 0), length - 1)
    return first, min(max(round(stop), first + 1), length)


def _split_side(start: float, size: float, first: int, last: int, side: int) -> tuple[int, int, int]:
    """The numbers of the crop's ``side`` pixels before, inside and after the image; at least one is inside."""
    inside = (np.clip(np.array([first, last], float), start, start + size) - start) * (side / size)
    begin = min(round(float(inside[0])), side - 1)
    end = max(round(float(inside[1])), begin + 1)
    return begin, end - begin, side - end


def _resize(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Area interpolation for reduction, which does not flicker in videos; cubic for enlargement."""
    if pixels.shape[:2] == (height, width):
        return pixels
    reduces = pixels.shape[0] * pixels.shape[1] > width * height
    interpolation = cv2.INTER_AREA if reduces else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)


def crop_thumbnail(pixels: Pixels, box: Box, side: int, margin: float) -> Pixels:
    """``(side, side, 3)``: the face with ``margin`` times its size on each side, as far as the image goes."""
    square = crop_square(pixels, box, margin)
    resampling = Resampling.BOX if len(square) > side else Resampling.BICUBIC
    return np.array(Image.fromarray(square).resize((side, side), resampling), np.uint8)


def crop_square(pixels: Pixels, box: Box, margin: float) -> Pixels:
    """The same square in the resolution of the image; a view."""
    height, width = pixels.shape[:2]
    side = min(round(max(box.width, box.height) * (1 + 2 * margin)), width, height)
    left = min(max(box.x + box.width // 2 - side // 2, 0), width - side)
    top = min(max(box.y + box.height // 2 - side // 2, 0), height - side)
    return pixels[top : top + side, left : left + side]
