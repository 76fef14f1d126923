"""Is this face good enough to judge? Size, blur, light and pose, and the reason in a short sentence."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, hypot, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.faces.crop import to_model_input
from mien.results import Face, Pixels, Point, Quality

#: Below or beyond these a face is not good enough to judge: where spoilt faces cost the model ten points of accuracy,
#: and, for pose, where real faces do or where there were none to measure (benchmarks/results/quality.json). Only the
#: brightest is milder than that: overexposure costs ten points from 206 on, but unspoilt faces reach 215 unharmed.
MIN_SIZE = 15.0
MIN_SHARPNESS = 0.104
MIN_BRIGHTNESS, MAX_BRIGHTNESS = 13.4, 215.0
MIN_CONTRAST = 8.3
MAX_YAW, MAX_PITCH, MAX_ROLL = 0.4, 0.2, 30.0
#: Where the nose lies between eyes (0) and mouth (1) in a face that looks straight ahead.
FRONTAL_NOSE_POSITION = 0.55

GOOD = Quality()


@dataclass(frozen=True, slots=True)
class QualityMeasures:
    """What is measured.

    ``size`` in pixels of the picture; ``sharpness``, the strength of edges against the contrast; ``brightness`` and
    ``contrast``, mean and deviation of the gray values. Without landmarks ``yaw``, ``pitch`` (both 0 when straight)
    and ``roll`` (degrees) are None.
    """

    size: float
    sharpness: float
    brightness: float
    contrast: float
    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None


def assess_quality(pixels: Pixels, face: Face, crop: NDArray[np.uint8]) -> Quality:
    """Whether the face can be judged; ``crop`` is what the model sees of it, gray or RGB uint8."""
    seen = measure_quality(face, crop)
    reason = _small(face, seen) or _light(seen) or _blurred(seen) or _turned(seen)
    return Quality(False, reason) if reason else GOOD


def measure_quality(face: Face, crop: NDArray[np.uint8]) -> QualityMeasures:
    """Measure a face: light and sharpness in its 48-pixel gray crop, size and pose in the picture."""
    gray = to_model_input(crop[None], 48, "gray")[0, :, :, 0]
    contrast = float(gray.std())
    edges = float(cv2.Laplacian(gray, cv2.CV_32F).std())
    pose = (None, None, None) if face.landmarks is None else _pose(face.landmarks)
    size = sqrt(face.box.width * face.box.height)
    return QualityMeasures(size, edges / max(contrast, 1.0), float(gray.mean()), contrast, *pose)


def _small(face: Face, seen: QualityMeasures) -> str | None:
    return f"the face is only {face.box.width} pixels wide" if seen.size < MIN_SIZE else None


def _blurred(seen: QualityMeasures) -> str | None:
    return "the face is blurred" if seen.sharpness < MIN_SHARPNESS else None


def _light(seen: QualityMeasures) -> str | None:
    if seen.brightness < MIN_BRIGHTNESS:
        return "too dark"
    if seen.brightness > MAX_BRIGHTNESS:
        return "too bright"
    return "too little contrast" if seen.contrast < MIN_CONTRAST else None


def _turned(seen: QualityMeasures) -> str | None:
    if seen.yaw is not None and abs(seen.yaw) > MAX_YAW:
        return "turned to the side"
    if seen.pitch is not None and abs(seen.pitch) > MAX_PITCH:
        return "tilted up or down"
    return "leaning to one side" if seen.roll is not None and abs(seen.roll) > MAX_ROLL else None


def _pose(points: tuple[Point, ...]) -> tuple[float, float, float]:
    """How far the nose lies off the middle of the face, sideways and along it, and the slope of the eyes."""
    right, left, nose, *mouth = (np.array(point) for point in points)
    eyes, lips = (right + left) / 2, (mouth[0] + mouth[1]) / 2
    down = lips - eyes
    length = max(hypot(*down), 1e-6)
    down = down / length
    across = np.array([down[1], -down[0]])
    breadth = max(abs(float((left - right) @ across)), length * 0.3)
    yaw = float((nose - eyes) @ across) / breadth
    pitch = float((nose - eyes) @ down) / length - FRONTAL_NOSE_POSITION
    return yaw, pitch, degrees(atan2(*(left - right)[::-1]))
