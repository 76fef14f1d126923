"""Where the network looks, laid over the face in the picture."""

from __future__ import annotations

from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain import Saliency
from mien.explain.figures.colormaps import apply_colours
from mien.faces.crop import Framing, locate_crop
from mien.results import Face, Pixels

#: How much of the strongest place the map covers.
_STRONG = 0.62


def overlay_saliency(pixels: Pixels, saliency: Saliency, face: Face, framing: Framing) -> Pixels:
    """A copy of the picture with the map over this face: strong where the evidence is, clear where there is none."""
    scale = saliency.strongest
    if not scale:
        return pixels
    part = np.clip(saliency.map / scale, 0, 1).astype(np.float32)
    into = _into_picture(face, framing, len(part))
    left, top, right, bottom = _around(into, len(part), pixels)
    if right <= left or bottom <= top:
        return pixels
    into[:, 2] -= (left, top)
    size = right - left, bottom - top
    cover = cv2.warpAffine(part, into, size)[..., None] ** 0.8 * _STRONG
    tones = cv2.warpAffine(apply_colours(part, "ember"), into, size, borderMode=cv2.BORDER_REPLICATE)
    painted = pixels.copy()
    under = pixels[top:bottom, left:right]
    painted[top:bottom, left:right] = (under * (1 - cover) + tones * cover).astype(np.uint8)
    return painted


def _into_picture(face: Face, framing: Framing, side: int) -> NDArray[np.float64]:
    """From pixels of the crop to pixels of the picture."""
    left, top, length, lean = locate_crop(face, framing)
    scale, turn = length / side, radians(lean)
    across, down = scale * cos(turn), scale * sin(turn)
    middle_x, middle_y = left + length / 2, top + length / 2
    half = (side - 1) / 2
    return np.array(
        [
            [across, -down, middle_x - (across - down) * half],
            [down, across, middle_y - (down + across) * half],
        ]
    )


def _around(into: NDArray[np.float64], side: int, pixels: Pixels) -> tuple[int, int, int, int]:
    """The part of the picture that the crop covers."""
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ into.T
    height, width = pixels.shape[:2]
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (width, height)).astype(int)
    return int(left), int(top), int(right), int(bottom)
