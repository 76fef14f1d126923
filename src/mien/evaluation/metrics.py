"""Metrics from scores (N, K) and labels (N,): classification, calibration, annotator votes. NumPy only.

A score is a probability; a label is a column of the scores. Metrics of no faces are not defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import FaceDataset
from mien.labels import EMOTIONS, VOTES

#: Bins of the calibration error, with equal numbers of faces, over the largest score.
BINS = 15

#: Bootstrap draws and their seed.
DRAWS, SEED = 2000, 0

#: Simulations of a calibrated model.
_SIMULATIONS = 200

#: Fractions of the faces, the most confident first, whose accuracy is reported.
COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

#: The fraction of the annotators from which an expression is part of a mixture.
MIN_VOTE_FRACTION = 0.2

#: The fraction of the annotators who chose one expression, on the faces of the target ``people``, and on clear faces.
MAJORITY, CLEAR_MAJORITY = 0.5, 0.8

Scores = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def classification_metrics(scores: Scores, labels: Labels, names: Sequence[str] = EMOTIONS) -> dict[str, Any]:
    """All metrics of one pass as plain numbers, with a table per class.

    Means over classes include the classes with faces; ``macro_f1`` also a class that was predicted without having any.
    ``auc`` is None for a class with no faces or with all of them.
    """
    per_class = {name: class_metrics(scores, labels, number) for number, name in enumerate(names)}
    present = [row for row in per_class.values() if row["support"]]
    areas = [row["auc"] for row in present if row["auc"] is not None]
    return {
        "accuracy": accuracy(scores, labels),
        "ci95": list(accuracy_interval(scores.argmax(1) == labels)),
        "balanced_accuracy": float(np.mean([row["recall"] for row in present])),
        "macro_f1": float(np.mean([row["f1"] for row in per_class.values() if row["support"] or row["predicted"]])),
        "ece": calibration_error(scores, labels),
        "ece_by_chance": list(calibration_by_chance(scores)),
        "nll": log_loss(scores, labels),
        "brier": brier_score(scores, labels),
        "kappa": cohen_kappa(confusion_matrix(scores, labels)),
        "auc_macro": float(np.mean(areas)) if areas else None,
        "accuracy_at_coverage_70": accuracy_at_coverage(scores, labels, 0.7),
        "coverage": {f"{part:.1f}": accuracy_at_coverage(scores, labels, part) for part in COVERAGES},
        "per_class": per_class,
    }


def accuracy(scores: Scores, labels: Labels) -> float:
    """The fraction of the faces whose largest score is that of the label."""
    return float(np.mean(scores.argmax(1) == labels))


def chance_accuracy(support: Mapping[str, int]) -> dict[str, Any]:
    """The accuracy without looking at a face, from the faces of each class.

    ``uniform``: every class is equally often the prediction, 1 / classes; ``majority_class_accuracy``: it is always
    ``majority_class``, the class with the most faces.
    """
    largest = max(support, key=lambda name: support[name])
    return {
        "uniform": 1 / len(support),
        "majority_class_accuracy": support[largest] / sum(support.values()),
        "majority_class": largest,
    }


def accuracy_interval(correct: Mask, draws: int = DRAWS, seed: int = SEED) -> tuple[float, float]:
    """The 95 % bootstrap interval of the accuracy; ``correct`` is bool (N,).

    The number of correct faces in N draws with replacement is binomial, so it is drawn directly.
    """
    means = np.random.default_rng(seed).binomial(len(correct), float(np.mean(correct)), draws) / len(correct)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def confusion_matrix(scores: Scores, labels: Labels) -> NDArray[np.int64]:
    """Counts (K, K): rows are labels, columns predictions."""
    kinds = scores.shape[1]
    return np.bincount(labels * kinds + scores.argmax(1), minlength=kinds * kinds).reshape(kinds, kinds)


def class_metrics(scores: Scores, labels: Labels, number: int) -> dict[str, Any]:
    """Precision, recall, f1, support (faces of the class), predicted (faces predicted as it) and auc of one class."""
    positive, belongs = scores.argmax(1) == number, labels == number
    hits, predicted, support = int(np.sum(positive & belongs)), int(positive.sum()), int(belongs.sum())
    return {
        "precision": hits / max(predicted, 1),
        "recall": hits / max(support, 1),
        "f1": 2 * hits / max(predicted + support, 1),
        "support": support,
        "predicted": predicted,
        "auc": roc_auc(scores[:, number], belongs) if 0 < support < len(labels) else None,
    }


def cohen_kappa(counts: NDArray[np.int64]) -> float:
    """Cohen's kappa of a confusion matrix: agreement beyond that of chance with the same margins."""
    fractions = counts / counts.sum()
    chance = float(fractions.sum(0) @ fractions.sum(1))
    return 0.0 if chance == 1 else (float(np.trace(fractions)) - chance) / (1 - chance)


def roc_auc(score: Scores, belongs: Mask) -> float:
    """Area under the ROC curve: the probability that a face of the class has a larger score than another; ties half.

    Faces inside and outside of the class are both needed.
    """
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.ravel()]
    inside = int(belongs.sum())
    return float((ranks[belongs].sum() - inside * (inside + 1) / 2) / (inside * (len(score) - inside)))


def calibration_error(scores: Scores, labels: Labels, bins: int = BINS) -> float:
    """Expected calibration error (ECE): mean difference of the largest score and the accuracy in bins of equal size."""
    confidence, correct, fraction = reliability_curve(scores, labels, bins)
    return float(np.sum(np.abs(confidence - correct) * fraction))


def calibration_by_chance(scores: Scores, bins: int = BINS, seed: int = SEED) -> tuple[float, float]:
    """The calibration error of a perfectly calibrated model with these scores: its mean and its 95th percentile.

    With so few faces it is not zero; an error below the percentile is no sign of miscalibration.
    """
    rng, confidence = np.random.default_rng(seed), np.sort(scores.max(1).astype(np.float64))
    groups = [group for group in np.array_split(confidence, bins) if len(group)]
    gaps = [np.abs((rng.random((_SIMULATIONS, len(group))) < group).sum(1) - group.sum()) for group in groups]
    errors = np.sum(gaps, axis=0) / len(confidence)
    return float(errors.mean()), float(np.percentile(errors, 95))


def reliability_curve(scores: Scores, labels: Labels, bins: int = BINS) -> tuple[Scores, Scores, Scores]:
    """Mean largest score, accuracy, and fraction of the faces by bin, the least confident first, each (bins,)."""
    confidence, correct = scores.max(1).astype(np.float64), scores.argmax(1) == labels
    groups = [group for group in np.array_split(np.argsort(confidence, kind="stable"), bins) if len(group)]
    rows = [(confidence[group].mean(), correct[group].mean(), len(group) / len(labels)) for group in groups]
    means, accuracies, fractions = np.array(rows).T
    return means, accuracies, fractions


def log_loss(scores: Scores, labels: Labels) -> float:
    """Mean negative logarithm of the label's score."""
    of_label = scores[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.maximum(of_label, 1e-12))))


def brier_score(scores: Scores, labels: Labels) -> float:
    """Mean squared distance between the scores and the one-hot label; 0 is best, 2 worst."""
    one_hot = np.eye(scores.shape[1])[labels]
    return float(np.mean(np.sum((scores - one_hot) ** 2, axis=1)))


def accuracy_at_coverage(scores: Scores, labels: Labels, coverage: float) -> float:
    """Accuracy on the fraction of the faces with the largest scores."""
    order = np.argsort(-scores.max(1), kind="stable")[: max(round(coverage * len(labels)), 1)]
    return accuracy(scores[order], labels[order])


def coverage_curve(scores: Scores, labels: Labels) -> tuple[Scores, Scores]:
    """Coverage, the most confident faces first, and the accuracy on them, each (N,)."""
    order = np.argsort(-scores.max(1), kind="stable")
    correct = (scores.argmax(1) == labels)[order]
    covered = np.arange(1, len(labels) + 1)
    return covered / len(labels), np.cumsum(correct) / covered


def roc_curve(score: Scores, belongs: Mask) -> tuple[Scores, Scores]:
    """False and true positive rates as the threshold falls, from (0, 0) to (1, 1), one point per different score."""
    false, true = _count_positives(score, belongs)
    return np.append(0, false / max(false[-1], 1)), np.append(0, true / max(true[-1], 1))


def precision_recall_curve(score: Scores, belongs: Mask) -> tuple[Scores, Scores]:
    """Recall and precision as the threshold falls, one point per different score."""
    false, true = _count_positives(score, belongs)
    return true / max(true[-1], 1), true / (true + false)


def average_precision(score: Scores, belongs: Mask) -> float:
    """Mean precision weighted by the increase of recall, as in scikit-learn: without interpolation."""
    recall, precision = precision_recall_curve(score, belongs)
    return float(np.sum(np.diff(np.append(0, recall)) * precision))


def macro_roc(scores: Scores, labels: Labels) -> tuple[Scores, Scores]:
    """The mean ROC curve of the classes with faces, at 501 false positive rates."""
    rates = np.linspace(0, 1, 501)
    present = [number for number in range(scores.shape[1]) if 0 < np.sum(labels == number) < len(labels)]
    curves = [roc_curve(scores[:, number], labels == number) for number in present]
    means = [np.interp(rates, false, true) for false, true in curves]
    return np.append(0, rates), np.append(0, np.mean(means, axis=0))


def micro_average(scores: Scores, labels: Labels) -> tuple[Scores, Mask]:
    """All scores (N * K,) and whether each is that of the label, as one binary problem."""
    return scores.ravel(), np.eye(scores.shape[1], dtype=bool)[labels].ravel()


def _count_positives(score: Scores, belongs: Mask) -> tuple[Scores, Scores]:
    """The number of faces outside and inside of the class with at least each different score, the largest first."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    inside = np.cumsum(belongs[order])[last].astype(np.float64)
    return last + 1 - inside, inside


def vote_metrics(votes: Scores, faces: FaceDataset, above: float = MIN_VOTE_FRACTION) -> dict[str, Any]:
    """Metrics of the vote head (N, 8) against the annotator votes (FER+); empty without a face that has votes.

    ``votes_accuracy``: how often its largest score is the expression with the most votes, on the ``votes_faces`` where
    one expression has more votes than every other, without the votes for "unknown" and no face.
    ``votes_divergence``: mean Kullback-Leibler divergence from the annotators' distribution, in nats, on all faces with
    a vote for an expression. ``votes_second``: how often the second expressions agree, on the ``votes_second_faces``
    that have one. ``mixture``: precision and recall of the expressions with ``above`` of the head's votes, against
    those with a fifth of the annotators' votes.
    """
    targets = faces.vote_scores()
    has_votes, decided = targets.any(1), has_majority(targets)
    if not decided.any():
        return {}
    correct = votes.argmax(1) == targets.argmax(1)
    ranks = np.sort(targets, axis=1)[:, ::-1]
    has_second = (ranks[:, 0] > ranks[:, 1]) & (ranks[:, 1] > ranks[:, 2])
    second = np.argsort(-votes, axis=1, kind="stable")[:, 1] == np.argsort(-targets, axis=1, kind="stable")[:, 1]
    return {
        "votes_faces": int(decided.sum()),
        "votes_accuracy": float(np.mean(correct[decided])),
        "votes_divergence": kl_divergence(targets[has_votes], votes[has_votes]),
        "votes_second_faces": int(has_second.sum()),
        "votes_second": float(np.mean(second[has_second])) if has_second.any() else None,
        "mixture": mixture_metrics(votes[has_votes], targets[has_votes], above),
    }


def people_metrics(scores: Scores, faces: FaceDataset, even_scores: Scores | None = None) -> dict[str, Any]:
    """Metrics of the target ``people`` on the faces whose label at least half of the annotators chose, as ``people``.

    Empty without such a face. ``clear`` are the faces of which at least eight of ten chose it. ``log_loss`` is against
    the distribution of the votes for the labels, on all faces with such votes. ``even_prior`` has the same for
    ``even_scores``, where an even prior is assumed.
    """
    majority = faces.majority_labels(MAJORITY)
    decided = majority >= 0
    if not decided.any():
        return {}
    table = _agreement(scores, majority, faces.classes)
    if even_scores is not None:
        even = _agreement(even_scores, majority, faces.classes)
        table["even_prior"] = {key: even[key] for key in ("accuracy", "balanced_accuracy")}
    votes = faces.label_votes()
    has_votes = votes.any(1)
    logs = np.log(np.maximum(scores[has_votes].astype(np.float64), 1e-12))
    table["log_loss"] = float(-np.mean(np.sum(votes[has_votes] * logs, axis=1))) if has_votes.any() else None
    clear = faces.majority_labels(CLEAR_MAJORITY)
    if (clear >= 0).any():
        table["clear"] = _agreement(scores, clear, faces.classes, details=False)
    return {"people": table}


def _agreement(scores: Scores, majority: Labels, names: Sequence[str], details: bool = True) -> dict[str, Any]:
    """How often the largest score is the label that most annotators chose."""
    decided = majority >= 0
    scores, labels = scores[decided], majority[decided]
    correct = scores.argmax(1) == labels
    recalls = {name: float(np.mean(correct[labels == k])) for k, name in enumerate(names) if (labels == k).any()}
    table: dict[str, Any] = {
        "faces": len(labels),
        "accuracy": float(np.mean(correct)),
        "ci95": list(accuracy_interval(correct)),
        "balanced_accuracy": float(np.mean(list(recalls.values()))),
        "recall": recalls,
        "support": {name: int((labels == k).sum()) for k, name in enumerate(names)},
    }
    if details:
        table["ece"] = calibration_error(scores, labels)
        table["ece_by_chance"] = list(calibration_by_chance(scores))
        table["coverage"] = {f"{part:.1f}": accuracy_at_coverage(scores, labels, part) for part in COVERAGES}
    return table


def compare_with_majority(scores: Scores, faces: FaceDataset) -> dict[str, int]:
    """Wrong predictions, and what the majority of the annotators voted for on these faces.

    ``scores`` (N, K) are in the order of ``faces.classes``; "faces" also counts those without a majority.
    """
    targets, predictions = faces.vote_scores(), scores.argmax(1)
    wrong = predictions != faces.labels
    indices = np.flatnonzero(wrong & has_majority(targets))
    majority = [VOTES[column] for column in targets[indices].argmax(1)]
    predicted, labels = ([faces.classes[each] for each in of[indices]] for of in (predictions, faces.labels))
    is_prediction = sum(map(str.__eq__, majority, predicted))
    is_label = sum(map(str.__eq__, majority, labels))
    return {
        "faces": int(wrong.sum()),
        "with_majority": len(indices),
        "majority_is_prediction": is_prediction,
        "majority_is_label": is_label,
        "majority_is_other": len(indices) - is_prediction - is_label,
    }


def has_majority(targets: Scores) -> Mask:
    """Mask (N,): one expression has more votes than every other."""
    ordered = np.sort(targets, axis=1)
    return np.asarray(ordered[:, -1] > ordered[:, -2])


def kl_divergence(targets: Scores, votes: Scores) -> float:
    """Mean Kullback-Leibler divergence of predicted ``votes`` (N, K) from ``targets`` (N, K), in nats."""
    targets, votes = targets.astype(np.float64), np.maximum(votes.astype(np.float64), 1e-12)
    ratio = np.where(targets > 0, targets / votes, 1.0)
    return float(np.mean(np.sum(targets * np.log(ratio), axis=1)))


def mixture_metrics(
    votes: Scores, targets: Scores, above: float, present: float = MIN_VOTE_FRACTION
) -> dict[str, float]:
    """Precision, recall and F1 of the expressions of a mixture, both (N, 8).

    A mixture has the leading expression, and every other with at least ``above`` of the predicted votes; it should
    have those with ``present`` of the annotators' votes.
    """
    predicted, expected = votes >= above, targets >= present - 1e-6
    predicted[np.arange(len(votes)), votes.argmax(1)] = True
    hits = float(np.sum(predicted & expected))
    precision, recall = hits / max(int(predicted.sum()), 1), hits / max(int(expected.sum()), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    return {"above": above, "precision": precision, "recall": recall, "f1": f1}
