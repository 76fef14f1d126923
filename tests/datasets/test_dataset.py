"""FaceDataset: selecting faces by mask, class and split, and its annotator votes."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.errors import ExperimentError
from mien.labels import EMOTIONS


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(280, seed=3)


def test_missing_split_is_an_error_that_lists_the_splits(faces):
    training = faces.take(faces.usage != "PrivateTest")
    with pytest.raises(ExperimentError, match=r"no PrivateTest faces.*PublicTest, Training"):
        training.split("PrivateTest")


def test_vote_scores_ignore_votes_for_no_expression(faces):
    votes = np.zeros((2, 10), np.int16)
    votes[0, [3, 6, 8]] = 3, 1, 6
    two = replace(faces.take(np.arange(2)), votes=votes)
    assert two.vote_scores()[0].tolist() == [0, 0, 0, 0.75, 0, 0, 0.25, 0]
    assert not two.vote_scores()[1].any()


def test_only_selects_classes_in_the_requested_order(faces):
    two = faces.only(("happy", "angry"))
    assert two.classes == ("happy", "angry")
    assert len(two) == 80
    assert [two.classes[label] for label in two.labels] == [
        EMOTIONS[label] for label in faces.labels if EMOTIONS[label] in two.classes
    ]
    assert two.take(np.arange(3)).classes == two.classes
    with pytest.raises(ExperimentError, match=r"no class 'hapy'.*Did you mean 'happy'"):
        faces.only(("hapy",))


def test_take_keeps_groups_and_drops_problems(faces):
    groups = np.array([f"person {index}" for index in range(len(faces))])
    two = replace(faces, groups=groups).take(np.array([5, 7]))
    assert two.groups.tolist() == ["person 5", "person 7"]
    assert two.problems == ()


def test_blank_and_faceless_faces_are_marked(faces):
    changed = replace(faces, pixels=faces.pixels.copy(), votes=faces.votes.copy())
    changed.pixels[1], changed.votes[2] = 90, [0] * 9 + [10]
    assert np.flatnonzero(changed.blank()).tolist() == [1]
    assert np.flatnonzero(changed.faceless()).tolist() == [2]
