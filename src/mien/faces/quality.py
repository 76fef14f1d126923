"""Whether a face is clear enough for a prediction: size, blur, light and pose, with the reason if it is not."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, hypot, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.faces.crop import to_model_input
from mien.results import Face, Pixels, Point, Quality

#: The limits of a clear face: where corrupted faces cost the model ten points of accuracy, and, for the pose, where
#: real faces do or where there were none to measure (benchmarks/results/quality.json). Only the maximum brightness is
#: higher: overexposure costs ten points from 206 on, but uncorrupted faces up to 215 are predicted as well as others.
MIN_SIZE = 15.0
MIN_SHARPNESS = 0.104
MIN_BRIGHTNESS, MAX_BRIGHTNESS = 13.4, 215.0
MIN_CONTRAST = 8.3
MAX_YAW, MAX_PITCH, MAX_ROLL = 0.4, 0.2, 30.0

#: The position of the nose between eyes (0) and mouth (1) in a frontal face.
FRONTAL_NOSE_POSITION = 0.55

GOOD = Quality()


@dataclass(frozen=True, slots=True)
class QualityMeasures:
    """The measurements of a face.

    ``size`` is in pixels of the image; ``sharpness`` the strength of edges relative to the contrast; ``brightness`` and
    ``contrast`` mean and standard deviation of the gray values. ``yaw`` and ``pitch`` (both 0 for a frontal face) and
    ``roll`` (degrees) are None without landmarks.
    """

    size: float
    sharpness: float
    brightness: float
    contrast: float
    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None


def assess_quality(pixels: Pixels, face: Face, crop: NDArray[np.uint8]) -> Quality:
    """Whether a face is clear enough; ``crop`` is the crop for the model, gray or RGB uint8."""
    reason = _find_problem(face, measure_quality(face, crop))
    return Quality(False, reason) if reason else GOOD


def measure_quality(face: Face, crop: NDArray[np.uint8]) -> QualityMeasures:
    """Light and sharpness in a 48-pixel gray crop of the face, size and pose in the image."""
    gray = to_model_input(crop[None], 48, "gray")[0, :, :, 0]
    contrast = float(gray.std())
    edges = float(cv2.Laplacian(gray, cv2.CV_32F).std())
    pose = (None, None, None) if face.landmarks is None else _measure_pose(face.landmarks)
    size = sqrt(face.box.width * face.box.height)
    return QualityMeasures(size, edges / max(contrast, 1.0), float(gray.mean()), contrast, *pose)


def _find_problem(face: Face, measures: QualityMeasures) -> str | None:
    if measures.size < MIN_SIZE:
        return f"the face is only {face.box.width} pixels wide"
    if measures.brightness < MIN_BRIGHTNESS:
        return "too dark"
    if measures.brightness > MAX_BRIGHTNESS:
        return "too bright"
    if measures.contrast < MIN_CONTRAST:
        return "too little contrast"
    if measures.sharpness < MIN_SHARPNESS:
        return "the face is blurred"
    if measures.yaw is not None and abs(measures.yaw) > MAX_YAW:
        return "turned to the side"
    if measures.pitch is not None and abs(measures.pitch) > MAX_PITCH:
        return "tilted up or down"
    if measures.roll is not None and abs(measures.roll) > MAX_ROLL:
        return "leaning to one side"
    return None


def _measure_pose(landmarks: tuple[Point, ...]) -> tuple[float, float, float]:
    """Yaw and pitch by the offset of the nose from the middle of the face, across and along it; roll by the eyes."""
    right_eye, left_eye, nose, *mouth = (np.array(point) for point in landmarks)
    eyes, lips = (right_eye + left_eye) / 2, (mouth[0] + mouth[1]) / 2
    length = max(hypot(*(lips - eyes)), 1e-6)
    vertical = (lips - eyes) / length
    horizontal = np.array([vertical[1], -vertical[0]])
    breadth = max(abs(float((left_eye - right_eye) @ horizontal)), length * 0.3)
    yaw = float((nose - eyes) @ horizontal) / breadth
    pitch = float((nose - eyes) @ vertical) / length - FRONTAL_NOSE_POSITION
    return yaw, pitch, degrees(atan2(*(left_eye - right_eye)[::-1]))
