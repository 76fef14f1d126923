"""The loss: cross-entropy with soft labels and votes, class weights, focal loss."""

import numpy as np
import pytest

from mien.training.recipe import LossSettings

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training.batches import Batch  # noqa: E402
from mien.training.loss import Loss  # noqa: E402

BALANCED = np.eye(7, dtype=np.float32)
LABELS = np.eye(7, dtype=np.float32)[[0, 1, 2, 3]]


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def test_loss_and_accuracy_of_soft_targets_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(0, 2, (5, 7)).astype(np.float32), rng.dirichlet(np.ones(7), 5).astype(np.float32)
    loss, accuracy = Loss(LossSettings(label_smoothing=0.1), BALANCED)(logits, Batch(None, targets, None))
    smoothed = 0.9 * targets + 0.1 / 7
    assert float(loss) == pytest.approx(-(smoothed * np.log(softmax(logits))).sum(1).mean(), rel=1e-5)
    assert float(accuracy) == pytest.approx(np.mean(logits.argmax(1) == targets.argmax(1)))


def test_faces_without_votes_do_not_add_to_the_loss():
    settings = LossSettings(vote_weight=0.4)
    outputs = [np.zeros((4, 7), np.float32), np.full((4, 8), 5, np.float32)]
    without, _ = Loss(settings, BALANCED)(outputs, Batch(None, LABELS, np.zeros((4, 8), np.float32)))
    assert float(without) == pytest.approx(np.log(7), rel=1e-5)
    votes = np.full((4, 8), 1 / 8, np.float32)
    with_votes, _ = Loss(settings, BALANCED)(outputs, Batch(None, LABELS, votes))
    assert float(with_votes) == pytest.approx(np.log(7) + 0.4 * np.log(8), rel=1e-5)


def test_class_weights_are_inverse_to_the_frequency():
    labels = np.eye(3, dtype=np.float32)[np.repeat([0, 1, 2], [20, 10, 30])]
    weights = Loss(LossSettings(class_weights=True), labels).class_weights
    assert weights == pytest.approx([1, 2, 2 / 3])
    assert weights @ labels.sum(0) == pytest.approx(len(labels))
    assert Loss(LossSettings(), labels).class_weights.tolist() == [1, 1, 1]


def test_focal_loss_gives_confident_predictions_less_weight():
    loss = Loss(LossSettings(focal=2.0), BALANCED)
    logits = np.array([[9, 0, 0, 0, 0, 0, 0], [0] * 7], np.float32)
    confident, uncertain = loss.weight_faces(logits, LABELS[:2])
    assert float(confident) < 1e-5
    assert float(uncertain) == pytest.approx((6 / 7) ** 2, rel=1e-5)
