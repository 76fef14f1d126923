"""The figures of the score sheet, held against scikit-learn and against cases small enough for a pencil."""

import json

import numpy as np
import pytest

from mien.evaluation import calibration, compare
from mien.evaluation import metrics as scores
from mien.evaluation import metrics as votes
from mien.labels import EMOTIONS

metrics = pytest.importorskip("sklearn.metrics")


@pytest.fixture(scope="module")
def answers():
    """Logits of a model that is right about half of the time, and labels; one class is never there."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 2, 3, 4, 5, 6], 900, p=[0.1, 0.1, 0.3, 0.2, 0.1, 0.2])
    logits = rng.normal(0, 1, (900, 7)) + 1.2 * np.eye(7)[labels]
    return logits, labels


@pytest.fixture(scope="module")
def sheet(answers):
    logits, labels = answers
    return scores.classification_metrics(calibration.softmax(logits), labels)


# scikit-learn is the referee


def test_accuracy_balance_and_f1(answers, sheet):
    logits, labels = answers
    found, there = logits.argmax(1), np.unique(labels)
    assert sheet["accuracy"] == pytest.approx(metrics.accuracy_score(labels, found))
    recalls = metrics.recall_score(labels, found, labels=there, average=None)
    assert sheet["balanced_accuracy"] == pytest.approx(recalls.mean())
    assert sheet["macro_f1"] == pytest.approx(metrics.f1_score(labels, found, average="macro", zero_division=0))


def test_loss_and_agreement(answers, sheet):
    logits, labels = answers
    shares = calibration.softmax(logits)
    assert sheet["nll"] == pytest.approx(metrics.log_loss(labels, shares, labels=range(7)))
    assert sheet["kappa"] == pytest.approx(metrics.cohen_kappa_score(labels, logits.argmax(1)))
    assert sheet["brier"] == pytest.approx(
        sum(metrics.brier_score_loss(labels == number, shares[:, number]) for number in range(7))
    )


def test_the_table_of_classes(answers, sheet):
    logits, labels = answers
    rows = metrics.precision_recall_fscore_support(labels, logits.argmax(1), labels=range(7), zero_division=0)
    for number, name in enumerate(EMOTIONS):
        ours = sheet["per_class"][name]
        assert [ours[key] for key in ("precision", "recall", "f1", "support")] == pytest.approx(
            [row[number] for row in rows]
        )


def test_the_areas_under_the_curves(answers, sheet):
    logits, labels = answers
    shares = np.round(calibration.softmax(logits), 1)  # many ties
    there = [number for number in range(7) if (labels == number).any()]
    areas = [metrics.roc_auc_score(labels == number, shares[:, number]) for number in there]
    assert [scores.roc_auc(shares[:, number], labels == number) for number in there] == pytest.approx(areas)
    assert sheet["per_class"]["disgust"]["auc"] is None
    fine = calibration.softmax(logits)
    macro = np.mean([metrics.roc_auc_score(labels == number, fine[:, number]) for number in there])
    assert sheet["auc_macro"] == pytest.approx(macro)


@pytest.mark.parametrize("places", [1, 9])
def test_the_curves_themselves(answers, places):
    logits, labels = answers
    share, belongs = np.round(calibration.softmax(logits)[:, 3], places), labels == 3
    false, true = scores.roc_curve(share, belongs)
    theirs = metrics.roc_curve(belongs, share, drop_intermediate=False)
    np.testing.assert_allclose([false, true], theirs[:2])
    recall, precision = scores.precision_recall_curve(share, belongs)
    theirs = metrics.precision_recall_curve(belongs, share)
    assert len(recall) == len(np.unique(share))
    np.testing.assert_allclose(precision, theirs[0][-len(recall) - 1 : -1][::-1])
    np.testing.assert_allclose(recall, theirs[1][-len(recall) - 1 : -1][::-1])
    assert scores.average_precision(share, belongs) == pytest.approx(metrics.average_precision_score(belongs, share))


def test_the_confusion_matrix(answers):
    logits, labels = answers
    theirs = metrics.confusion_matrix(labels, logits.argmax(1), labels=range(7))
    np.testing.assert_array_equal(scores.confusion_matrix(calibration.softmax(logits), labels), theirs)


# Sureness


def test_a_model_that_knows_its_chances_has_almost_no_calibration_error():
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.full(7, 0.5), 20000)
    labels = np.array([rng.choice(7, p=row) for row in shares])
    assert scores.calibration_error(shares, labels) < 0.015
    assert scores.calibration_error(shares[:, ::-1], labels) > 0.3


def test_the_calibration_error_of_a_small_case_by_hand():
    shares = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [1.0, 0.0]])
    # two bins: tops 0.6, 0.7 with one right; tops 0.9, 1.0 with both right
    assert scores.calibration_error(shares, np.array([0, 1, 0, 0]), bins=2) == pytest.approx((0.15 + 0.05) / 2)
    certain, right, mass = scores.reliability_curve(shares, np.array([0, 1, 0, 0]), bins=2)
    np.testing.assert_allclose([certain, right, mass], [[0.65, 0.95], [0.5, 1.0], [0.5, 0.5]])


def test_what_chance_alone_makes_of_the_calibration_error(answers):
    """Against labels drawn from the shares themselves, the long way."""
    shares = calibration.softmax(answers[0])
    rng, named = np.random.default_rng(5), shares.argmax(1)
    drawn = []
    for _ in range(300):
        right = rng.random(len(shares)) < shares.max(1)
        drawn.append(scores.calibration_error(shares, np.where(right, named, (named + 1) % 7)))
    mean, high = scores.calibration_by_chance(shares)
    assert mean == pytest.approx(np.mean(drawn), rel=0.05)
    assert high == pytest.approx(np.percentile(drawn, 95), rel=0.1)
    fewer, _ = scores.calibration_by_chance(shares[:90])
    assert fewer > 2 * mean


def test_fewer_faces_than_bins_still_have_a_calibration_error():
    assert scores.calibration_error(np.array([[0.8, 0.2]]), np.array([0])) == pytest.approx(0.2)


def test_the_surest_faces_are_those_with_the_largest_top_share():
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45], [0.5, 0.5]])
    labels = np.array([0, 0, 1, 1])
    assert scores.accuracy_at_coverage(shares, labels, 0.5) == 1.0
    assert scores.accuracy_at_coverage(shares, labels, 1.0) == 0.5
    part, right = scores.coverage_curve(shares, labels)
    assert (part.tolist(), right.tolist()) == ([0.25, 0.5, 0.75, 1.0], [1, 1, pytest.approx(2 / 3), 0.5])


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = 0
    for number in range(300):
        low, high = scores.accuracy_interval(rng.random(400) < 0.66, draws=500, seed=number)
        held += low <= 0.66 <= high
    assert 0.9 < held / 300 < 0.99


def test_the_interval_is_the_same_every_time(answers):
    right = answers[0].argmax(1) == answers[1]
    assert scores.accuracy_interval(right) == scores.accuracy_interval(right)
    low, high = scores.accuracy_interval(right)
    assert low < right.mean() < high


# The ends of the scales


def test_the_brier_score_is_zero_for_the_certain_and_right():
    assert scores.brier_score(np.eye(7), np.arange(7)) == 0
    assert scores.brier_score(np.eye(7), (np.arange(7) + 1) % 7) == 2


def test_kappa_ends():
    assert scores.cohen_kappa(np.diag([3, 4])) == 1
    assert scores.cohen_kappa(np.array([[2, 2], [2, 2]])) == 0
    assert scores.cohen_kappa(np.array([[4, 0], [0, 0]])) == 0


def test_a_sheet_of_one_class_alone_is_still_json():
    told = scores.classification_metrics(np.tile([0.7, 0.3], (4, 1)), np.zeros(4, int), ("yes", "no"))
    assert json.loads(json.dumps(told, allow_nan=False))["auc_macro"] is None
    assert told["accuracy"] == 1


# Votes


def test_divergence_is_zero_where_the_votes_are_met():
    said = np.array([[0.5, 0.5, 0], [1, 0, 0]])
    assert votes.kl_divergence(said, said) == 0
    assert votes.kl_divergence(said, np.full((2, 3), 1 / 3)) == pytest.approx((np.log(3 / 2) + np.log(3)) / 2)


def test_a_tie_among_voters_has_no_majority():
    assert votes.has_majority(np.array([[0.5, 0.5, 0], [0.6, 0.4, 0], [0, 0, 0]])).tolist() == [False, True, False]


# Two models


def test_mcnemar_against_the_binomial_test():
    binomtest = pytest.importorskip("scipy.stats").binomtest
    rng = np.random.default_rng(4)
    first, second = rng.random(3589) < 0.7, rng.random(3589) < 0.68
    found = compare.mcnemar(first, second)
    assert (found.only_first, found.only_second) == (np.sum(first & ~second), np.sum(~first & second))
    fewer, both = min(found[:2]), sum(found[:2])
    assert found.p == pytest.approx(binomtest(fewer, both).pvalue, rel=1e-6)


def test_equal_models_are_not_told_apart():
    right = np.array([True, False, True])
    assert compare.mcnemar(right, right) == (0, 0, 1.0)
    assert compare.mcnemar(np.array([True, False]), np.array([False, True])).p == 1.0
