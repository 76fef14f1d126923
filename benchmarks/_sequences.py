"""Faces in motion with a known truth: what a model says, frame by frame, of faces that hold still and that change.

One sequence is one "person": held-out faces shown one after the other, each for a while, as a camera and a detector
would hand them over. The noise is as measured on films of the free portraits (benchmarks/results/steadying.json says
how much): boxes that jump by a percent and breathe by three, sensor noise, JPEG, light that drifts, and now and then
a frame or two with a bad box.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]

#: The side at which a face stands in the film, in pixels.
FILMED = 112
CENTRE, SIZE, NOISE, QUALITY = 0.008, 0.03, 4.0, 60
#: Bad boxes a minute, and how bad.
GLITCHES, ASTRAY = 6.0, 0.13


class Sequence(NamedTuple):
    """``seconds`` (T,); ``crops`` uint8 (T, 48, 48); ``calm`` the same without any noise; ``changes`` in seconds."""

    seconds: Floats
    crops: Gray
    calm: Gray
    changes: tuple[float, ...]


def still(rng: np.random.Generator, face: Gray, length: float = 10.0, fps: float = 30.0) -> Sequence:
    return changing(rng, [face], length, fps)


def changing(
    rng: np.random.Generator, faces: list[Gray], length: float, fps: float = 30.0, onset: float = 0.0
) -> Sequence:
    """Each face for ``length`` seconds; the next one is there at once, or comes in over ``onset`` seconds."""
    seconds = np.arange(round(len(faces) * length * fps)) / fps
    changes = tuple(length * number for number in range(1, len(faces)))
    filmed = np.stack([_filmed(face) for face in faces])
    calm = np.stack([_shown(filmed, second, length, onset) for second in seconds])
    crops = np.stack(list(_seen(rng, calm, fps)))
    return Sequence(seconds, crops, np.stack([_cut(frame, 0, 0, 1) for frame in calm]), changes)


def _filmed(face: Gray) -> Gray:
    """The face with some picture around it, as large as it stands in the film."""
    large = cv2.resize(face, (FILMED, FILMED), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.copyMakeBorder(large, 24, 24, 24, 24, cv2.BORDER_REPLICATE), np.uint8)


def _shown(filmed: Gray, second: float, length: float, onset: float) -> Gray:
    number = min(int(second / length + 1e-9), len(filmed) - 1)
    since = second - number * length
    if number == 0 or since >= onset:
        return filmed[number]
    part = since / onset
    return np.asarray(np.rint((1 - part) * filmed[number - 1] + part * filmed[number]), np.uint8)


def _seen(rng: np.random.Generator, frames: Gray, fps: float) -> Iterator[Gray]:
    astray, drift, light = 0, np.zeros(2), 0.0
    for frame in frames:
        drift = 0.97 * drift + rng.normal(0, 0.002, 2)
        light = 0.98 * light + rng.normal(0, 0.01)
        astray = astray - 1 if astray else int(rng.integers(1, 3)) * (rng.random() < GLITCHES / 60 / fps)
        centre = drift + rng.normal(0, CENTRE, 2) + (rng.choice((-ASTRAY, ASTRAY), 2) if astray else 0)
        size = 1 + rng.normal(0, SIZE) + (rng.choice((-ASTRAY, ASTRAY)) if astray else 0)
        yield _cut(_camera(rng, frame, light), *centre, size)


def _camera(rng: np.random.Generator, frame: Gray, light: float) -> Gray:
    noisy = frame * (1 + light) + rng.normal(0, NOISE, frame.shape)
    _, coded = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def _cut(frame: Gray, across: float, down: float, size: float) -> Gray:
    """What a box sees that lies so much beside the face and is so much larger, in parts of the face."""
    side, middle = FILMED * size, frame.shape[0] / 2
    left, top = middle + across * FILMED - side / 2, middle + down * FILMED - side / 2
    scale = side / 48
    turn = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
    soft = cv2.blur(frame, (2, 2))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(soft, turn, (48, 48), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)
