"""Good enough to judge? Each reason has a picture that earns it, and the portraits earn none."""

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


def judged(pixels: Pixels, face: Face = FACE) -> Quality:
    return assess_quality(pixels, face, crop_face(pixels, face, FRAMINGS["yunet"], 48))


def looking(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Face:
    """Landmarks of a face 80 pixels wide whose nose lies ``yaw`` of the eyes' distance off the middle."""
    points = [(-20, -20), (20, -20), (40 * yaw, 40 * (0.55 + pitch) - 20), (-14, 20), (14, 20)]
    turn = np.array([[cos(radians(roll)), -sin(radians(roll))], [sin(radians(roll)), cos(radians(roll))]])
    return Face(FACE.box, landmarks=tuple(Point(*(turn @ point + (224, 125))) for point in points))


@pytest.mark.parametrize("name", ["astronaut", "hopper", "portraits"])
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_the_portraits_are_good(name, scale, yunet_file):
    picture = cv2.resize(np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB")), None, fx=scale, fy=scale)
    for detector in (load_detector("haar"), load_detector("yunet", yunet=yunet_file)):
        for face in detector.detect(picture):
            assert assess_quality(picture, face, crop_face(picture, face, FRAMINGS[detector.name], 48)) == GOOD


def test_gray_and_rgb_crops_are_judged_alike(pixels):
    crop = crop_face(pixels, FACE, FRAMINGS["yunet"], 48)
    gray = to_model_input(crop[None], 48, "gray")[0, :, :, 0]
    assert measure_quality(FACE, crop) == measure_quality(FACE, gray)


def test_a_small_face(pixels):
    small = np.asarray(cv2.resize(pixels, (44, 44), interpolation=cv2.INTER_AREA), np.uint8)
    assert judged(small, Face(Box(15, 6, 8, 9))) == Quality(False, "the face is only 8 pixels wide")


def test_a_blurred_face(pixels):
    assert judged(np.asarray(cv2.GaussianBlur(pixels, (0, 0), 6), np.uint8)) == Quality(False, "the face is blurred")


def test_light(pixels):
    assert judged((pixels * 0.03).astype(np.uint8)).reason == "too dark"
    assert judged(255 - (255 - pixels) // 8).reason == "too bright"
    assert judged(np.clip(pixels * 0.05 + 110, 0, 255).astype(np.uint8)).reason == "too little contrast"


@pytest.mark.parametrize(
    ("face", "reason"),
    [
        (looking(), None),
        (looking(yaw=0.2, pitch=0.08, roll=-20), None),
        (looking(yaw=0.6), "turned to the side"),
        (looking(yaw=-0.6), "turned to the side"),
        (looking(yaw=-0.6, roll=25), "turned to the side"),
        (looking(pitch=-0.4), "tilted up or down"),
        (looking(pitch=0.4), "tilted up or down"),
        (looking(roll=50), "leaning to one side"),
        (looking(roll=-50), "leaning to one side"),
    ],
)
def test_pose(pixels, face, reason):
    assert judged(pixels, face).reason == reason


def test_pose_is_measured_in_the_face_s_own_axes():
    seen = measure_quality(looking(yaw=0.3, pitch=0.1, roll=25), np.zeros((48, 48), np.uint8))
    assert (seen.yaw, seen.pitch, seen.roll) == pytest.approx((0.3, 0.1, 25.0), abs=0.02)


def test_landmarks_in_one_place_are_no_pose_and_no_crash():
    heap = Face(FACE.box, landmarks=(Point(9.0, 9.0),) * 5)
    assert isinstance(assess_quality(np.zeros((9, 9, 3), np.uint8), heap, np.full((48, 48), 128, np.uint8)), Quality)


def test_without_landmarks_pose_is_unknown():
    seen = measure_quality(FACE, np.zeros((48, 48), np.uint8))
    assert (seen.yaw, seen.pitch, seen.roll) == (None, None, None)
