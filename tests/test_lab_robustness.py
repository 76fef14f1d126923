"""The corruptions do what they say, and the table counts what is lost."""

import numpy as np
import pytest

from mien.lab import drawn, robustness
from mien.labels import EMOTIONS
from mien.models import ModelCard
from mien.models.onnx import Outputs


@pytest.fixture(scope="module")
def faces():
    return drawn.faces(35, seed=9)


def dot(row=20, column=30):
    face = np.zeros((48, 48), np.uint8)
    face[row, column] = 200
    return face


def brightest(face):
    return tuple(int(place) for place in np.unravel_index(face.argmax(), face.shape))


def test_a_shift_goes_in_eight_directions_by_a_part_of_the_side():
    places = {brightest(robustness.shifted(dot(), 0.125, place)) for place in range(8)}
    assert len(places) == 8
    assert {(20, 36), (20, 24), (26, 30), (14, 30)} <= places


def test_turns_alternate():
    left, right = (robustness.turned(dot(), 90, place) for place in (0, 1))
    assert {brightest(left), brightest(right)} == {(47 - 30, 20), (30, 47 - 20)}


def test_a_larger_box_makes_the_face_smaller():
    row, column = brightest(robustness.boxed(dot(8, 40), 1.0, 0))
    assert abs(row - 16) <= 1
    assert abs(column - 32) <= 1


def test_light_blur_compression_and_size_take_what_they_should(faces):
    face = faces.pixels[0]
    assert robustness.darkened(face, 0.5, 0).max() == round(face.max() / 2)
    detail = [np.abs(np.diff(robustness.blurred(face, sigma, 0).astype(int))).mean() for sigma in (0.5, 1, 2)]
    assert detail == sorted(detail, reverse=True)
    worse = [np.abs(robustness.compressed(face, quality, 0).astype(int) - face).mean() for quality in (90, 30, 5)]
    assert worse == sorted(worse)
    smaller = [np.abs(robustness.shrunk(face, side, 0).astype(int) - face).mean() for side in (40, 24, 12)]
    assert smaller == sorted(smaller)


class Bright:
    """Says angry of every face with a pixel above 250, disgust of all others."""

    card = ModelCard("bright", EMOTIONS)

    def run(self, pixels):
        angry = pixels.max((1, 2, 3)) > 250
        return Outputs(np.eye(7, dtype=np.float32)[np.where(angry, 0, 1)], None)


def test_the_table_begins_with_the_faces_as_they_are(faces):
    faces.labels[:] = 0
    faces.pixels[:, 5, 5] = 255
    rows = robustness.robustness(Bright(), faces)
    assert rows[0] == robustness.Row("none", 0.0, 1.0, 0.0)
    assert len(rows) == 1 + sum(len(strengths) for _, strengths in robustness.CORRUPTIONS.values())
    dark = [row for row in rows if row.corruption == "dark"]
    assert [(row.accuracy, row.lost) for row in dark] == [(0.0, 1.0)] * 3
