"""Sequences of face crops with known change points.

A sequence shows validation faces one after the other, each for some seconds, with the noise of a camera and a detector
as measured on videos of the free portraits (``noise`` in benchmarks/results/smoothing.json): the centre of a box varies
by one percent and its size by three; sensor noise, JPEG, drifting light, and sometimes a frame or two with a wrong box.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]

#: The side of a face in the video, in pixels.
FACE_SIDE = 112
CENTRE_NOISE, SIZE_NOISE, SENSOR_NOISE, JPEG_QUALITY = 0.008, 0.03, 4.0, 60
#: Wrong boxes a minute, and their offset in face sizes.
OUTLIERS_PER_MINUTE, OUTLIER_OFFSET = 6.0, 0.13


class FaceSequence(NamedTuple):
    """``seconds`` (T,); ``crops`` uint8 (T, 48, 48); ``noiseless`` the crops without noise; ``changes`` in seconds."""

    seconds: Floats
    crops: Gray
    noiseless: Gray
    changes: tuple[float, ...]


def make_still_sequence(rng: np.random.Generator, face: Gray, length: float = 10.0, fps: float = 30.0) -> FaceSequence:
    return make_changing_sequence(rng, [face], length, fps)


def make_changing_sequence(
    rng: np.random.Generator, faces: list[Gray], length: float, fps: float = 30.0, onset: float = 0.0
) -> FaceSequence:
    """Each face for ``length`` seconds; the next one appears at once, or within ``onset`` seconds."""
    seconds = np.arange(round(len(faces) * length * fps)) / fps
    changes = tuple(length * number for number in range(1, len(faces)))
    enlarged = np.stack([_enlarge(face) for face in faces])
    noiseless = np.stack([_face_at(enlarged, second, length, onset) for second in seconds])
    crops = np.stack(list(_crop_with_noise(rng, noiseless, fps)))
    return FaceSequence(seconds, crops, np.stack([_crop(frame, 0, 0, 1) for frame in noiseless]), changes)


def _enlarge(face: Gray) -> Gray:
    """The face in the size of the video, with a margin."""
    large = cv2.resize(face, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.copyMakeBorder(large, 24, 24, 24, 24, cv2.BORDER_REPLICATE), np.uint8)


def _face_at(enlarged: Gray, second: float, length: float, onset: float) -> Gray:
    number = min(int(second / length + 1e-9), len(enlarged) - 1)
    elapsed = second - number * length
    if number == 0 or elapsed >= onset:
        return enlarged[number]
    part = elapsed / onset
    return np.asarray(np.rint((1 - part) * enlarged[number - 1] + part * enlarged[number]), np.uint8)


def _crop_with_noise(rng: np.random.Generator, frames: Gray, fps: float) -> Iterator[Gray]:
    outlier_frames, drift, light = 0, np.zeros(2), 0.0
    for frame in frames:
        drift = 0.97 * drift + rng.normal(0, 0.002, 2)
        light = 0.98 * light + rng.normal(0, 0.01)
        if outlier_frames:
            outlier_frames -= 1
        else:
            outlier_frames = int(rng.integers(1, 3)) * (rng.random() < OUTLIERS_PER_MINUTE / 60 / fps)
        centre = (
            drift
            + rng.normal(0, CENTRE_NOISE, 2)
            + (rng.choice((-OUTLIER_OFFSET, OUTLIER_OFFSET), 2) if outlier_frames else 0)
        )
        size = 1 + rng.normal(0, SIZE_NOISE) + (rng.choice((-OUTLIER_OFFSET, OUTLIER_OFFSET)) if outlier_frames else 0)
        yield _crop(_add_noise(rng, frame, light), *centre, size)


def _add_noise(rng: np.random.Generator, frame: Gray, light: float) -> Gray:
    noisy = frame * (1 + light) + rng.normal(0, SENSOR_NOISE, frame.shape)
    _, coded = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def _crop(frame: Gray, dx: float, dy: float, size: float) -> Gray:
    """The crop of a box with this offset and scale, in face sizes."""
    side, middle = FACE_SIDE * size, frame.shape[0] / 2
    left, top = middle + dx * FACE_SIDE - side / 2, middle + dy * FACE_SIDE - side / 2
    scale = side / 48
    transform = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
    blurred = cv2.blur(frame, (2, 2))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(blurred, transform, (48, 48), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
