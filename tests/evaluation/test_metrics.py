"""Metrics, compared with scikit-learn and with small cases that were calculated by hand."""

import json

import numpy as np
import pytest

from mien.evaluation import calibration, compare, metrics
from mien.labels import EMOTIONS

sklearn = pytest.importorskip("sklearn.metrics")


@pytest.fixture(scope="module")
def logits_and_labels():
    """Logits of a model with an accuracy of about 50 %, and labels of which one class is missing."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 2, 3, 4, 5, 6], 900, p=[0.1, 0.1, 0.3, 0.2, 0.1, 0.2])
    logits = rng.normal(0, 1, (900, 7)) + 1.2 * np.eye(7)[labels]
    return logits, labels


@pytest.fixture(scope="module")
def values(logits_and_labels):
    logits, labels = logits_and_labels
    return metrics.classification_metrics(calibration.softmax(logits), labels)


# Compared with scikit-learn


def test_accuracy_balanced_accuracy_and_f1(logits_and_labels, values):
    logits, labels = logits_and_labels
    predictions, present = logits.argmax(1), np.unique(labels)
    assert values["accuracy"] == pytest.approx(sklearn.accuracy_score(labels, predictions))
    recalls = sklearn.recall_score(labels, predictions, labels=present, average=None)
    assert values["balanced_accuracy"] == pytest.approx(recalls.mean())
    assert values["macro_f1"] == pytest.approx(sklearn.f1_score(labels, predictions, average="macro", zero_division=0))


def test_log_loss_kappa_and_brier_score(logits_and_labels, values):
    logits, labels = logits_and_labels
    scores = calibration.softmax(logits)
    assert values["nll"] == pytest.approx(sklearn.log_loss(labels, scores, labels=range(7)))
    assert values["kappa"] == pytest.approx(sklearn.cohen_kappa_score(labels, logits.argmax(1)))
    assert values["brier"] == pytest.approx(
        sum(sklearn.brier_score_loss(labels == number, scores[:, number]) for number in range(7))
    )


def test_metrics_of_each_class(logits_and_labels, values):
    logits, labels = logits_and_labels
    rows = sklearn.precision_recall_fscore_support(labels, logits.argmax(1), labels=range(7), zero_division=0)
    for number, name in enumerate(EMOTIONS):
        row = values["per_class"][name]
        assert [row[key] for key in ("precision", "recall", "f1", "support")] == pytest.approx(
            [row[number] for row in rows]
        )


def test_areas_under_the_roc_curves(logits_and_labels, values):
    logits, labels = logits_and_labels
    scores = np.round(calibration.softmax(logits), 1)  # many ties
    present = [number for number in range(7) if (labels == number).any()]
    areas = [sklearn.roc_auc_score(labels == number, scores[:, number]) for number in present]
    assert [metrics.roc_auc(scores[:, number], labels == number) for number in present] == pytest.approx(areas)
    assert values["per_class"]["disgust"]["auc"] is None
    fine = calibration.softmax(logits)
    macro = np.mean([sklearn.roc_auc_score(labels == number, fine[:, number]) for number in present])
    assert values["auc_macro"] == pytest.approx(macro)


@pytest.mark.parametrize("places", [1, 9])
def test_roc_and_precision_recall_curves(logits_and_labels, places):
    logits, labels = logits_and_labels
    score, belongs = np.round(calibration.softmax(logits)[:, 3], places), labels == 3
    false, true = metrics.roc_curve(score, belongs)
    expected = sklearn.roc_curve(belongs, score, drop_intermediate=False)
    np.testing.assert_allclose([false, true], expected[:2])
    recall, precision = metrics.precision_recall_curve(score, belongs)
    expected = sklearn.precision_recall_curve(belongs, score)
    assert len(recall) == len(np.unique(score))
    np.testing.assert_allclose(precision, expected[0][-len(recall) - 1 : -1][::-1])
    np.testing.assert_allclose(recall, expected[1][-len(recall) - 1 : -1][::-1])
    assert metrics.average_precision(score, belongs) == pytest.approx(sklearn.average_precision_score(belongs, score))


def test_confusion_matrix(logits_and_labels):
    logits, labels = logits_and_labels
    expected = sklearn.confusion_matrix(labels, logits.argmax(1), labels=range(7))
    np.testing.assert_array_equal(metrics.confusion_matrix(calibration.softmax(logits), labels), expected)


# Calibration and coverage


def test_calibrated_model_has_almost_no_calibration_error():
    rng = np.random.default_rng(1)
    scores = rng.dirichlet(np.full(7, 0.5), 20000)
    labels = np.array([rng.choice(7, p=row) for row in scores])
    assert metrics.calibration_error(scores, labels) < 0.015
    assert metrics.calibration_error(scores[:, ::-1], labels) > 0.3


def test_calibration_error_of_a_small_case():
    scores = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [1.0, 0.0]])
    # two bins: tops 0.6, 0.7 with one correct; tops 0.9, 1.0 with both correct
    assert metrics.calibration_error(scores, np.array([0, 1, 0, 0]), bins=2) == pytest.approx((0.15 + 0.05) / 2)
    confidence, correct, fraction = metrics.reliability_curve(scores, np.array([0, 1, 0, 0]), bins=2)
    np.testing.assert_allclose([confidence, correct, fraction], [[0.65, 0.95], [0.5, 1.0], [0.5, 0.5]])


def test_calibration_error_by_chance_matches_a_simulation(logits_and_labels):
    """Labels are errors from the scores themselves."""
    scores = calibration.softmax(logits_and_labels[0])
    rng, predictions = np.random.default_rng(5), scores.argmax(1)
    errors = []
    for _ in range(300):
        correct = rng.random(len(scores)) < scores.max(1)
        errors.append(metrics.calibration_error(scores, np.where(correct, predictions, (predictions + 1) % 7)))
    mean, high = metrics.calibration_by_chance(scores)
    assert mean == pytest.approx(np.mean(errors), rel=0.05)
    assert high == pytest.approx(np.percentile(errors, 95), rel=0.1)
    fewer, _ = metrics.calibration_by_chance(scores[:90])
    assert fewer > 2 * mean


def test_calibration_error_of_fewer_faces_than_bins():
    assert metrics.calibration_error(np.array([[0.8, 0.2]]), np.array([0])) == pytest.approx(0.2)


def test_coverage_takes_the_faces_with_the_largest_scores_first():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45], [0.5, 0.5]])
    labels = np.array([0, 0, 1, 1])
    assert metrics.accuracy_at_coverage(scores, labels, 0.5) == 1.0
    assert metrics.accuracy_at_coverage(scores, labels, 1.0) == 0.5
    part, correct = metrics.coverage_curve(scores, labels)
    assert (part.tolist(), correct.tolist()) == ([0.25, 0.5, 0.75, 1.0], [1, 1, pytest.approx(2 / 3), 0.5])


def test_interval_contains_the_true_accuracy_in_95_percent():
    rng = np.random.default_rng(3)
    inside = 0
    for number in range(300):
        low, high = metrics.accuracy_interval(rng.random(400) < 0.66, draws=500, seed=number)
        inside += low <= 0.66 <= high
    assert 0.9 < inside / 300 < 0.99


def test_interval_is_reproducible(logits_and_labels):
    correct = logits_and_labels[0].argmax(1) == logits_and_labels[1]
    assert metrics.accuracy_interval(correct) == metrics.accuracy_interval(correct)
    low, high = metrics.accuracy_interval(correct)
    assert low < correct.mean() < high


# Extreme values


def test_brier_score_is_zero_for_correct_and_two_for_wrong_certainty():
    assert metrics.brier_score(np.eye(7), np.arange(7)) == 0
    assert metrics.brier_score(np.eye(7), (np.arange(7) + 1) % 7) == 2


def test_kappa_of_perfect_random_and_single_class_agreement():
    assert metrics.cohen_kappa(np.diag([3, 4])) == 1
    assert metrics.cohen_kappa(np.array([[2, 2], [2, 2]])) == 0
    assert metrics.cohen_kappa(np.array([[4, 0], [0, 0]])) == 0


def test_metrics_of_one_class_are_json():
    values = metrics.classification_metrics(np.tile([0.7, 0.3], (4, 1)), np.zeros(4, int), ("yes", "no"))
    assert json.loads(json.dumps(values, allow_nan=False))["auc_macro"] is None
    assert values["accuracy"] == 1


# Votes


def test_divergence_is_zero_for_equal_distributions():
    targets = np.array([[0.5, 0.5, 0], [1, 0, 0]])
    assert metrics.kl_divergence(targets, targets) == 0
    assert metrics.kl_divergence(targets, np.full((2, 3), 1 / 3)) == pytest.approx((np.log(3 / 2) + np.log(3)) / 2)


def test_tie_of_votes_is_no_majority():
    assert metrics.has_majority(np.array([[0.5, 0.5, 0], [0.6, 0.4, 0], [0, 0, 0]])).tolist() == [False, True, False]


# Two models


def test_mcnemar_matches_the_binomial_test():
    binomtest = pytest.importorskip("scipy.stats").binomtest
    rng = np.random.default_rng(4)
    first, second = rng.random(3589) < 0.7, rng.random(3589) < 0.68
    test = compare.mcnemar(first, second)
    assert (test.only_first, test.only_second) == (np.sum(first & ~second), np.sum(~first & second))
    fewer, both = min(test[:2]), sum(test[:2])
    assert test.p == pytest.approx(binomtest(fewer, both).pvalue, rel=1e-6)


def test_mcnemar_of_equal_models_is_one():
    correct = np.array([True, False, True])
    assert compare.mcnemar(correct, correct) == (0, 0, 1.0)
    assert compare.mcnemar(np.array([True, False]), np.array([False, True])).p == 1.0


def test_paired_difference_has_the_standard_error_of_the_mean():
    """Of eight faces both are right on three, only the first on three, only the second on one."""
    first = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    second = np.array([1, 1, 1, 0, 0, 0, 1, 0], bool)
    difference, error = compare.paired_difference(first, second)
    assert difference == pytest.approx(0.25)
    assert error == pytest.approx(np.sqrt((3 + 1) / 8 - 0.25**2) / np.sqrt(8))
    assert compare.paired_difference(first, first) == (0, 0)


# Fitted temperatures and thresholds


def test_fitted_temperature_is_that_of_the_labels():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (6000, 7))
    labels = (calibration.softmax(logits).cumsum(1) > rng.random((6000, 1))).argmax(1)
    assert calibration.fit_temperature(logits * 1.7, np.eye(7)[labels]) == pytest.approx(1.7, rel=0.05)


def test_cross_entropy_of_one_hot_targets_is_log_loss(logits_and_labels):
    logits, labels = logits_and_labels
    loss = calibration.cross_entropy(logits, np.eye(7)[labels])
    assert loss == pytest.approx(metrics.log_loss(calibration.softmax(logits), labels))


def test_threshold_has_the_requested_coverage(logits_and_labels):
    logits, labels = logits_and_labels
    fitted = calibration.calibrate({"label": logits}, {"label": np.eye(7)[labels]}, np.full(len(labels), -1), EMOTIONS)
    scores = calibration.softmax(logits / fitted.temperatures["label"])
    assert np.mean(scores.max(1) >= fitted.uncertain_below) == pytest.approx(calibration.COVERAGE, abs=0.005)
    assert fitted.mixture_above == 0.2


def test_mixture_threshold_separates_expressions_with_votes_from_others():
    targets = np.array([[0.7, 0.3, 0.0], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]] * 10)
    predicted = np.where(targets >= 0.2, np.maximum(targets, 0.3), 0.27)
    above = calibration.fit_threshold(predicted, targets)
    assert 0.27 < above <= 0.3
    assert metrics.mixture_metrics(predicted, targets, above) == {"above": above, "precision": 1, "recall": 1, "f1": 1}


def test_chance_is_one_of_the_classes_or_always_the_largest():
    chance = metrics.chance_accuracy({"angry": 1, "happy": 3, "sad": 0, "neutral": 0})
    assert chance == {"uniform": 0.25, "majority_class_accuracy": 0.75, "majority_class": "happy"}
