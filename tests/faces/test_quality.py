"""Face quality: each reason has an image that causes it, and the portraits cause none."""

from math import cos, radians, sin
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mien.faces.crop import FRAMINGS, crop_face, to_model_input
from mien.faces.detectors import load_detector
from mien.faces.quality import GOOD, assess_quality, measure_quality
from mien.results import Box, Face, Pixels, Point, Quality

EXAMPLES = Path(__file__).parents[2] / "examples"
FACE = Face(Box(178, 70, 92, 104))


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.asarray(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB"))


def quality_of(pixels: Pixels, face: Face = FACE) -> Quality:
    return assess_quality(pixels, face, crop_face(pixels, face, FRAMINGS["yunet"], 48))


def posed_face(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Face:
    """Landmarks of a face 80 pixels wide; ``yaw`` is the offset of the nose relative to the distance of the eyes."""
    points = [(-20, -20), (20, -20), (40 * yaw, 40 * (0.55 + pitch) - 20), (-14, 20), (14, 20)]
    rotation = np.array([[cos(radians(roll)), -sin(radians(roll))], [sin(radians(roll)), cos(radians(roll))]])
    return Face(FACE.box, landmarks=tuple(Point(*(rotation @ point + (224, 125))) for point in points))


@pytest.mark.parametrize("name", ["astronaut", "hopper", "portraits"])
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_portraits_are_clear(name, scale, yunet_file):
    image = cv2.resize(np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB")), None, fx=scale, fy=scale)
    for detector in (load_detector("haar"), load_detector("yunet", yunet=yunet_file)):
        for face in detector.detect(image):
            assert assess_quality(image, face, crop_face(image, face, FRAMINGS[detector.name], 48)) == GOOD


def test_gray_and_rgb_crops_have_the_same_measures(pixels):
    crop = crop_face(pixels, FACE, FRAMINGS["yunet"], 48)
    gray = to_model_input(crop[None], 48, "gray")[0, :, :, 0]
    assert measure_quality(FACE, crop) == measure_quality(FACE, gray)


def test_small_face_is_unclear(pixels):
    small = np.asarray(cv2.resize(pixels, (44, 44), interpolation=cv2.INTER_AREA), np.uint8)
    assert quality_of(small, Face(Box(15, 6, 8, 9))) == Quality(False, "the face is only 8 pixels wide")


def test_blurred_face_is_unclear(pixels):
    assert quality_of(np.asarray(cv2.GaussianBlur(pixels, (0, 0), 6), np.uint8)) == Quality(
        False, "the face is blurred"
    )


def test_dark_bright_and_flat_faces_are_unclear(pixels):
    assert quality_of((pixels * 0.03).astype(np.uint8)).reason == "too dark"
    assert quality_of(255 - (255 - pixels) // 8).reason == "too bright"
    assert quality_of(np.clip(pixels * 0.05 + 110, 0, 255).astype(np.uint8)).reason == "too little contrast"


@pytest.mark.parametrize(
    ("face", "reason"),
    [
        (posed_face(), None),
        (posed_face(yaw=0.2, pitch=0.08, roll=-20), None),
        (posed_face(yaw=0.6), "turned to the side"),
        (posed_face(yaw=-0.6), "turned to the side"),
        (posed_face(yaw=-0.6, roll=25), "turned to the side"),
        (posed_face(pitch=-0.4), "tilted up or down"),
        (posed_face(pitch=0.4), "tilted up or down"),
        (posed_face(roll=50), "leaning to one side"),
        (posed_face(roll=-50), "leaning to one side"),
    ],
)
def test_turned_faces_are_unclear(pixels, face, reason):
    assert quality_of(pixels, face).reason == reason


def test_pose_is_measured_along_the_axes_of_the_face():
    measures = measure_quality(posed_face(yaw=0.3, pitch=0.1, roll=25), np.zeros((48, 48), np.uint8))
    assert (measures.yaw, measures.pitch, measures.roll) == pytest.approx((0.3, 0.1, 25.0), abs=0.02)


def test_landmarks_at_one_point_are_no_error():
    degenerate = Face(FACE.box, landmarks=(Point(9.0, 9.0),) * 5)
    assert isinstance(
        assess_quality(np.zeros((9, 9, 3), np.uint8), degenerate, np.full((48, 48), 128, np.uint8)), Quality
    )


def test_pose_is_none_without_landmarks():
    measures = measure_quality(FACE, np.zeros((48, 48), np.uint8))
    assert (measures.yaw, measures.pitch, measures.roll) == (None, None, None)
