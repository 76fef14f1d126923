"""A saliency map drawn over the face in its image."""

from __future__ import annotations

from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain import Saliency
from mien.explain.figures.colormaps import apply_colours
from mien.faces.crop import Framing, locate_crop
from mien.results import Face, Pixels

#: Opacity of the map at its highest value.
_MAX_OPACITY = 0.62


def overlay_saliency(pixels: Pixels, saliency: Saliency, face: Face, framing: Framing) -> Pixels:
    """A copy of the image with the map over this face: opaque at strong evidence, transparent without."""
    strongest = saliency.strongest
    if not strongest:
        return pixels
    values = np.clip(saliency.map / strongest, 0, 1).astype(np.float32)
    transform = _crop_to_image(face, framing, len(values))
    left, top, right, bottom = _covered_area(transform, len(values), pixels)
    if right <= left or bottom <= top:
        return pixels
    transform[:, 2] -= (left, top)
    size = right - left, bottom - top
    opacity = cv2.warpAffine(values, transform, size)[..., None] ** 0.8 * _MAX_OPACITY
    colours = cv2.warpAffine(apply_colours(values, "ember"), transform, size, borderMode=cv2.BORDER_REPLICATE)
    image = pixels.copy()
    area = pixels[top:bottom, left:right]
    image[top:bottom, left:right] = (area * (1 - opacity) + colours * opacity).astype(np.uint8)
    return image


def _crop_to_image(face: Face, framing: Framing, side: int) -> NDArray[np.float64]:
    """The affine transform ``(2, 3)`` from pixels of the crop to pixels of the image."""
    left, top, length, angle = locate_crop(face, framing)
    scale, rotation = length / side, radians(angle)
    dx, dy = scale * cos(rotation), scale * sin(rotation)
    centre_x, centre_y = left + length / 2, top + length / 2
    half = (side - 1) / 2
    return np.array([[dx, -dy, centre_x - (dx - dy) * half], [dy, dx, centre_y - (dy + dx) * half]])


def _covered_area(transform: NDArray[np.float64], side: int, pixels: Pixels) -> tuple[int, int, int, int]:
    """The part of the image that the crop covers: left, top, right, bottom."""
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ transform.T
    height, width = pixels.shape[:2]
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (width, height)).astype(int)
    return int(left), int(top), int(right), int(bottom)
