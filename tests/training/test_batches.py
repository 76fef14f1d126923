"""Batches: sampling, augmentation, on-the-fly soft targets and non-faces."""

from dataclasses import replace

import numpy as np
import pytest

from mien.labels import EMOTIONS, VOTES
from mien.training.recipe import NO_AUGMENTATION, DistillationSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training.batches import make_batches, prepare_batch  # noqa: E402

LABELS = np.repeat([0, 1, 2], [60, 30, 10])
SETTINGS = TrainingSettings(batch_size=16)
BALANCED = replace(SETTINGS, sampling="balanced")
HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def test_every_face_is_in_one_batch_of_an_epoch():
    indices = np.concatenate(make_batches(SETTINGS, LABELS, 0))
    assert len(indices) == 96
    assert len(set(indices.tolist())) == 96


@pytest.mark.parametrize("settings", [SETTINGS, BALANCED], ids=["all", "balanced"])
def test_batches_depend_on_seed_and_epoch_only(settings):
    first, again = (np.concatenate(make_batches(settings, LABELS, 3)) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, np.concatenate(make_batches(settings, LABELS, 4)))


def test_balanced_batches_have_each_class_equally_often_and_every_rare_face():
    indices = np.concatenate(make_batches(BALANCED, LABELS, 0))
    counts = np.bincount(LABELS[indices])
    assert counts.sum() == 96
    assert counts.min() >= 30
    assert set(np.flatnonzero(LABELS == 2)) <= set(indices.tolist())


def predict_by_brightness(pixels):
    """Teachers that predict happy for a bright face and sad for a dark one."""
    bright = keras.ops.mean(pixels, axis=(1, 2, 3)) > 100
    scores = keras.ops.one_hot(keras.ops.where(bright, HAPPY, SAD), 7)
    return [scores, keras.ops.one_hot(keras.ops.where(bright, VOTES.index("happy"), VOTES.index("sad")), 8)]


def test_teachers_predict_the_augmented_faces():
    augment, distillation = replace(NO_AUGMENTATION, brightness=0.6), DistillationSettings(runs=("x",), weight=0.75)
    recipe = Recipe(augment=augment, distillation=distillation)
    faces, labels = np.full((32, 48, 48, 1), 100, np.uint8), np.eye(7, dtype=np.float32)[np.zeros(32, int)]
    votes = np.zeros((32, 8), np.float32)
    votes[:16, 0] = 1
    seed = keras.random.SeedGenerator(1)
    batch = prepare_batch(recipe, faces, labels, votes, mix=False, seed=seed, teachers=predict_by_brightness)
    bright = np.asarray(batch.faces).mean((1, 2, 3)) > 100
    assert set(bright.tolist()) == {True, False}
    targets = np.asarray(batch.labels)
    np.testing.assert_allclose(targets[:, HAPPY], 0.75 * bright, atol=1e-6)
    np.testing.assert_allclose(targets[:, SAD], 0.75 * ~bright, atol=1e-6)
    np.testing.assert_allclose(targets[:, 0], 0.25)
    vote_targets = np.asarray(batch.votes)
    np.testing.assert_allclose(vote_targets[:16, 0], 0.25)
    np.testing.assert_allclose(vote_targets[16:].max(1), 1)  # only the teachers' votes where there are none


def test_non_faces_have_uniform_targets_in_spite_of_teachers():
    augment = replace(NO_AUGMENTATION, non_face_fraction=0.25)
    recipe = Recipe(augment=augment, distillation=DistillationSettings(weight=1.0))
    faces, seed = np.full((16, 48, 48, 1), 200, np.uint8), keras.random.SeedGenerator(1)
    targets = np.zeros((16, 7), np.float32), np.zeros((16, 8), np.float32)
    batch = prepare_batch(recipe, faces, *targets, mix=False, seed=seed, teachers=predict_by_brightness)
    np.testing.assert_allclose(np.asarray(batch.labels)[-4:], 1 / 7, atol=1e-6)
    np.testing.assert_allclose(np.asarray(batch.labels)[:12, HAPPY], 1)
