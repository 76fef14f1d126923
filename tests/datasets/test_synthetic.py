"""The drawn faces are a task: the same for the same seed, varied, and not to be solved by mean pixels."""

import numpy as np

from mien.datasets import synthetic
from mien.labels import EMOTIONS


def test_the_seed_decides():
    first, again, other = synthetic.draw_faces(70, 4), synthetic.draw_faces(70, 4), synthetic.draw_faces(70, 5)
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_every_expression_stands_in_every_split():
    faces = synthetic.draw_faces(700)
    for usage, part in {"Training": 8, "PublicTest": 1, "PrivateTest": 1}.items():
        assert np.bincount(faces.split(usage).labels).tolist() == [part * 10] * len(EMOTIONS)


def test_voters_mostly_mean_the_label():
    faces = synthetic.draw_faces(700)
    assert np.array_equal(faces.votes.sum(1), np.full(700, 10))
    assert np.mean(faces.vote_scores().argmax(1) == faces.labels) > 0.95
    assert 0.7 < faces.vote_scores().max(1).mean() < 0.95


def test_the_nearest_class_mean_does_not_solve_it():
    faces = synthetic.draw_faces(2100, seed=1)
    learned, asked = faces.split("Training"), faces.split("PublicTest")
    means = np.stack([_level(learned.pixels[learned.labels == k]).mean(0) for k in range(len(EMOTIONS))])
    distance = ((_level(asked.pixels)[:, None] - means[None]) ** 2).sum(-1)
    assert np.mean(distance.argmin(1) == asked.labels) < 0.6


def _level(pixels):
    """Faces as rows with their light taken out, which helps the class mean as far as it can be helped."""
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    return (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
