"""Who stands in which batch, and what voters add to labels."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.errors import ExperimentError
from mien.training.loop import make_batches
from mien.training.recipe import LossSettings, Recipe, TrainingSettings
from mien.training.targets import build_targets

LABELS = np.repeat([0, 1, 2], [60, 30, 10])
RECIPE = Recipe(training=TrainingSettings(batch_size=16))
BALANCED = replace(RECIPE, training=replace(RECIPE.training, sampling="balanced"))


def test_every_face_stands_in_one_batch_of_an_epoch():
    places = np.concatenate(make_batches(RECIPE, LABELS, 0))
    assert len(places) == 96
    assert len(set(places.tolist())) == 96


@pytest.mark.parametrize("recipe", [RECIPE, BALANCED])
def test_seed_and_epoch_decide_and_nothing_else(recipe):
    first, again = (np.concatenate(make_batches(recipe, LABELS, 3)) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, np.concatenate(make_batches(recipe, LABELS, 4)))


def test_balanced_batches_have_each_class_as_often_and_every_rare_face():
    places = np.concatenate(make_batches(BALANCED, LABELS, 0))
    counts = np.bincount(LABELS[places])
    assert counts.sum() == 96
    assert counts.min() >= 30
    assert set(np.flatnonzero(LABELS == 2)) <= set(places.tolist())


def test_an_unknown_sampling_names_the_nearest():
    with pytest.raises(ExperimentError, match=r"training.sampling is 'balance'.*Did you mean 'balanced'"):
        make_batches(replace(RECIPE, training=TrainingSettings(sampling="balance")), LABELS, 0)


def test_soft_labels_are_what_voters_said_of_the_classes():
    faces = synthetic.draw_faces(14, seed=3)
    faces.votes[0] = 0
    soft = build_targets(faces, Recipe(loss=LossSettings(soft_labels=1.0)))
    assert np.allclose(soft.shares.sum(1), 1)
    assert np.array_equal(soft.shares[0], np.eye(7, dtype=np.float32)[faces.labels[0]])
    neutral, contempt = faces.votes[1, 0], faces.votes[1, 7]
    assert soft.shares[1, 6] == pytest.approx(neutral / (faces.votes[1, :8].sum() - contempt))
    half = build_targets(faces, Recipe(loss=LossSettings(soft_labels=0.5)))
    assert np.allclose(half.shares, (soft.shares + build_targets(faces).shares) / 2)
    with pytest.raises(ExperimentError, match=r"loss.soft_labels is 2"):
        build_targets(faces, Recipe(loss=LossSettings(soft_labels=2.0)))
