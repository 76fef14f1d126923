"""How much accuracy is left when a face is badly boxed, turned, dark, blurred, compressed or small."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.lab.data import SIDE, Faces
from mien.lab.scores import accuracy
from mien.models import Classifier

Face = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One corruption at one strength: the accuracy under it, and what that is below the faces as they are."""

    corruption: str
    strength: float
    accuracy: float
    lost: float


def robustness(classifier: Classifier, faces: Faces) -> list[Row]:
    """A row for every corruption and strength, after one for the faces as they are, on all of these faces."""
    clean = _accuracy(classifier, faces, faces.pixels)
    rows = [Row("none", 0.0, clean, 0.0)]
    for name, (change, strengths) in CORRUPTIONS.items():
        for strength in strengths:
            found = _accuracy(classifier, faces, corrupted(faces.pixels, change, strength))
            rows.append(Row(name, strength, found, clean - found))
    return rows


def corrupted(pixels: NDArray[np.uint8], change: Callable[[Face, float, int], Face], strength: float) -> Face:
    """Every face (N, 48, 48) changed alike; its place decides the direction, so that nothing is drawn by lot."""
    return np.stack([change(face, strength, place) for place, face in enumerate(pixels)])


def _accuracy(classifier: Classifier, faces: Faces, pixels: NDArray[np.uint8]) -> float:
    return accuracy(classifier.run(pixels[..., None]).shares, faces.labels)


def shifted(face: Face, strength: float, place: int) -> Face:
    """The box moved by this part of its side, in one of eight directions."""
    angle = place % 8 * math.pi / 4
    return _warped(face, 0, 1, strength * SIDE * math.cos(angle), strength * SIDE * math.sin(angle))


def turned(face: Face, strength: float, place: int) -> Face:
    """Turned by so many degrees, to the left and to the right in turn."""
    return _warped(face, strength * (-1) ** place, 1, 0, 0)


def boxed(face: Face, strength: float, place: int) -> Face:
    """The box larger by this part of its side (below 0: smaller), so that the face in it is smaller."""
    return _warped(face, 0, 1 / (1 + strength), 0, 0)


def darkened(face: Face, strength: float, place: int) -> Face:
    """This part of the light."""
    return np.round(face * strength).astype(np.uint8)


def blurred(face: Face, strength: float, place: int) -> Face:
    """Gaussian blur of this deviation in pixels."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), strength), np.uint8)


def compressed(face: Face, strength: float, place: int) -> Face:
    """JPEG of this quality."""
    _, packed = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(strength)])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def shrunk(face: Face, strength: float, place: int) -> Face:
    """As if the face had been so many pixels wide in the picture."""
    side = int(strength)
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _warped(face: Face, degrees: float, zoom: float, across: float, down: float) -> Face:
    middle = (SIDE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, zoom)
    matrix[:, 2] += across, down
    return np.asarray(cv2.warpAffine(face, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)


CORRUPTIONS: dict[str, tuple[Callable[[Face, float, int], Face], tuple[float, ...]]] = {
    "shift": (shifted, (0.05, 0.1, 0.15)),
    "box": (boxed, (-0.15, 0.15, 0.3)),
    "turn": (turned, (5, 15, 30)),
    "dark": (darkened, (0.6, 0.3, 0.15)),
    "blur": (blurred, (0.7, 1.2, 2.0)),
    "jpeg": (compressed, (60, 30, 10)),
    "small": (shrunk, (32, 24, 20, 16)),
}
