"""Synthetic faces: the same for the same seed, balanced, and not solved by mean pixels."""

import numpy as np
import pytest

from mien.datasets import loading, synthetic
from mien.datasets.report.statistics import standardize
from mien.labels import EMOTIONS


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(2100, seed=1)


def test_faces_depend_only_on_the_seed():
    first, again, other = synthetic.draw_faces(70, 4), synthetic.draw_faces(70, 4), synthetic.draw_faces(70, 5)
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_every_expression_is_equally_frequent_in_every_split(faces):
    for usage, part in {"Training": 8, "PublicTest": 1, "PrivateTest": 1}.items():
        assert np.bincount(faces.split(usage).labels).tolist() == [part * 30] * len(EMOTIONS)


def test_annotators_mostly_vote_for_the_label(faces):
    assert np.array_equal(faces.votes.sum(1), np.full(2100, 10))
    assert np.mean(faces.vote_scores().argmax(1) == faces.labels) > 0.95
    assert 0.7 < faces.vote_scores().max(1).mean() < 0.95


def test_nearest_class_mean_does_not_solve_the_task(faces):
    training, test = faces.split("Training"), faces.split("PublicTest")
    means = np.stack([standardize(training.pixels[training.labels == k]).mean(0) for k in range(len(EMOTIONS))])
    distance = ((standardize(test.pixels)[:, None] - means[None]) ** 2).sum(-1)
    assert np.mean(distance.argmin(1) == test.labels) < 0.6


def test_every_format_has_the_same_faces(tmp_path):
    files = synthetic.write_synthetic(tmp_path, 70, seed=5, folders=True, npz=True)
    assert files == synthetic.list_outputs(tmp_path, folders=True, npz=True)
    table = loading.load_faces(tmp_path)
    arrays, folders = loading.load_faces(tmp_path / "fer2013.npz"), loading.load_faces(tmp_path / "train")
    for name in ("pixels", "labels", "usage", "votes"):
        assert np.array_equal(getattr(table, name), getattr(arrays, name)), name
    training = table.split("Training")
    assert sorted(face.tobytes() for face in folders.pixels) == sorted(face.tobytes() for face in training.pixels)
