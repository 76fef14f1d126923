"""The score sheet, held against scikit-learn; temperatures and thresholds, held against what made the data."""

import numpy as np
import pytest

from mien.lab import calibrate, drawn
from mien.lab import evaluate as sheet
from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard
from mien.models.onnx import Outputs


@pytest.fixture(scope="module")
def answers():
    """Logits of a model that is right about half of the time, and labels; one class is never there."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 2, 3, 4, 5, 6], 900, p=[0.1, 0.1, 0.3, 0.2, 0.1, 0.2])
    logits = rng.normal(0, 1, (900, 7)) + 1.2 * np.eye(7)[labels]
    return logits, labels


def test_scikit_learn_agrees(answers):
    metrics = pytest.importorskip("sklearn.metrics")
    logits, labels = answers
    shares, found = calibrate.softmax(logits), logits.argmax(1)
    scores = sheet.score_sheet(shares, labels)
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(labels, found))
    there = np.unique(labels)
    recalls = metrics.recall_score(labels, found, labels=there, average=None)
    assert scores["balanced_accuracy"] == pytest.approx(recalls.mean())
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(labels, found, average="macro", zero_division=0))
    assert scores["nll"] == pytest.approx(metrics.log_loss(labels, shares, labels=range(7)))
    rows = metrics.precision_recall_fscore_support(labels, found, labels=range(7), zero_division=0)
    for number, name in enumerate(EMOTIONS):
        ours = scores["per_class"][name]
        assert [ours[key] for key in ("precision", "recall", "f1", "support")] == pytest.approx(
            [r[number] for r in rows]
        )


def test_the_brier_score_is_zero_for_the_certain_and_right():
    assert sheet.brier(np.eye(7), np.arange(7)) == 0
    assert sheet.brier(np.eye(7), (np.arange(7) + 1) % 7) == 2


def test_a_model_that_knows_its_chances_has_almost_no_calibration_error():
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.full(7, 0.5), 20000)
    labels = np.array([rng.choice(7, p=row) for row in shares])
    assert sheet.calibration_error(shares, labels) < 0.015
    assert sheet.calibration_error(shares[:, ::-1], labels) > 0.3


def test_the_calibration_error_of_a_small_case_by_hand():
    shares = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [1.0, 0.0]])
    # two bins: tops 0.6, 0.7 with one right; tops 0.9, 1.0 with both right
    assert sheet.calibration_error(shares, np.array([0, 1, 0, 0]), bins=2) == pytest.approx((0.15 + 0.05) / 2)


def test_the_surest_faces_are_those_with_the_largest_top_share():
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45], [0.5, 0.5]])
    assert sheet.surest(shares, np.array([0, 0, 1, 1]), 0.5) == 1.0
    assert sheet.surest(shares, np.array([0, 0, 1, 1]), 1.0) == 0.5


def test_divergence_is_zero_where_the_votes_are_met():
    said = np.array([[0.5, 0.5, 0], [1, 0, 0]])
    assert sheet.divergence(said, said) == 0
    assert sheet.divergence(said, np.full((2, 3), 1 / 3)) == pytest.approx((np.log(3 / 2) + np.log(3)) / 2)


def test_a_tie_among_voters_has_no_majority():
    assert sheet.majority(np.array([[0.5, 0.5, 0], [0.6, 0.4, 0], [0, 0, 0]])).tolist() == [False, True, False]


def test_a_whole_sheet_from_a_classifier_that_knows_everything():
    faces = drawn.faces(210)
    faces.pixels[7] = faces.pixels[faces.usage == "PublicTest"][0]  # a twin in Training
    scores = sheet.evaluate(_Knows(faces), faces)
    assert (scores["split"], scores["faces"], scores["faces_no_twins"]) == ("PublicTest", 21, 20)
    assert (scores["accuracy"], scores["accuracy_no_twins"], scores["votes_accuracy"]) == (1, 1, 1)
    assert scores["votes_divergence"] == pytest.approx(0, abs=1e-6)


class _Knows:
    card = ModelCard("knows", EMOTIONS, VOTES)

    def __init__(self, faces):
        self._faces = faces

    def run(self, pixels):
        places = [int(np.flatnonzero((self._faces.pixels == one[..., 0]).all((1, 2)))[-1]) for one in pixels]
        return Outputs(np.eye(7, dtype=np.float32)[self._faces.labels[places]], self._faces.vote_shares()[places])


# Temperatures and thresholds


def test_the_temperature_that_made_the_labels_is_found():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (20000, 7))
    labels = np.array([rng.choice(7, p=row) for row in calibrate.softmax(logits)])
    assert calibrate.temperature(logits * 1.7, np.eye(7)[labels]) == pytest.approx(1.7, rel=0.05)


def test_cross_entropy_is_log_loss_for_labels(answers):
    logits, labels = answers
    ours = calibrate.cross_entropy(logits, np.eye(7)[labels])
    assert ours == pytest.approx(sheet.log_loss(calibrate.softmax(logits), labels))


def test_the_threshold_leaves_the_wanted_part_certain(answers):
    logits, labels = answers
    fitted = calibrate.calibrate({"shares": logits}, {"shares": np.eye(7)[labels]})
    shares = calibrate.softmax(logits / fitted.temperatures["shares"])
    assert np.mean(shares.max(1) >= fitted.uncertain_below) == pytest.approx(calibrate.COVERAGE, abs=0.005)
    assert fitted.mixture_above == 0.2


def test_the_mixture_threshold_parts_what_voters_named_from_what_they_did_not():
    said = np.array([[0.7, 0.3, 0.0], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]] * 10)
    votes = np.where(said >= 0.2, np.maximum(said, 0.3), 0.27)  # everything named lies above 0.27
    above = calibrate.threshold(votes, said)
    assert 0.27 < above <= 0.3
    assert sheet.mixture_row(votes, said, above) == {"above": above, "precision": 1, "recall": 1, "f1": 1}
