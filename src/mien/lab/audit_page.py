"""The HTML page of a map audit: values for the template ``map_audit.html``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.pictures.tones import coloured
from mien.html import data_uri, render
from mien.html.images import encode_image
from mien.lab.audit import Example
from mien.lab.audit_verdict import beaten

#: The side of a face and of its map, in pixels.
_SIDE = 96


def render_map_audit(audit: Mapping[str, Any], figures: Mapping[str, str], examples: Sequence[Example]) -> str:
    """The page. ``audit`` are the numbers of the audit, ``figures`` ``<svg>`` elements by name."""
    return render(
        "map_audit.html",
        audit=audit,
        figures=figures,
        methods=[{"name": name, "beaten": beaten(values), **values} for name, values in audit["methods"].items()],
        examples=[_example_values(example) for example in examples],
    )


def _example_values(example: Example) -> dict[str, Any]:
    face = np.repeat(example.face, 3, axis=2) if example.face.shape[2] == 1 else example.face
    face = np.asarray(cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
    return {
        "target": example.target,
        "image": _jpeg_uri(face),
        "maps": [
            {"method": method, "image": _jpeg_uri(_overlay(face, values))} for method, values in example.maps.items()
        ],
    }


def _overlay(face: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colours of a map over the gray face; the larger the value, the less of the face."""
    large = cv2.resize(np.maximum(values, 0), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    opacity = 0.35 + 0.45 * (large / max(float(large.max()), 1e-9))[..., None]
    return np.rint(face * (1 - opacity) + coloured(large, "ember") * opacity).astype(np.uint8)


def _jpeg_uri(pixels: NDArray[np.uint8]) -> str:
    return data_uri(encode_image(pixels, "jpeg"), "image/jpeg")
