"""A map of evidence as a picture that lets the face through."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.explain.explanation import Saliency
from mien.explain.pictures.tones import Scale, scale, steps
from mien.html import data_uri

#: Small maps are enlarged so much before they are coloured: smooth colours and not blurred steps.
_FINER = 4


def heat(saliency: Saliency) -> str:
    """The map as a picture that lets the face through where there is no evidence."""
    name: Scale = "tide" if saliency.signed else "ember"
    side = saliency.map.shape[0]
    size = _FINER * side if side <= 64 else side
    values = np.asarray(cv2.resize(saliency.map, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)
    strength = np.clip(np.abs(values) / (saliency.scale or 1.0), 0, 1)
    alpha = np.power(strength, 0.7) * 0.95
    colours = scale(name)[steps(values, name, saliency.scale)]
    return data_uri(_webp(np.dstack([colours, np.rint(alpha * 255).astype(np.uint8)])), "image/webp")


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=80, method=4)
    return buffer.getvalue()
