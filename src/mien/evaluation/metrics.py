"""Plain figures from shares (N, K) and labels (N,): how right a model is, how sure, and how well it knows. NumPy only.

A share is a probability; a label is a column of the shares. Figures of no faces are not defined: ask for some.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import FaceDataset
from mien.labels import EMOTIONS, VOTES

#: Bins of equal mass over the top share.
BINS = 15

#: Draws of the bootstrap, and the seed that makes them the same everywhere.
DRAWS, SEED = 2000, 0

#: Draws of a model that is as right as it is sure.
_HONEST = 200

#: Parts of the faces, the most certain first, at which accuracy is told.
COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

Scores = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def classification_metrics(shares: Scores, labels: Labels, names: Sequence[str] = EMOTIONS) -> dict[str, Any]:
    """Every figure of one pass, as numbers that JSON can hold, and a table per class.

    Means over classes are over those that have faces; ``macro_f1`` also counts a class that was named without having
    any. ``auc`` is None for a class with no faces, or with nothing but.
    """
    per_class = {name: class_metrics(shares, labels, number) for number, name in enumerate(names)}
    there = [row for row in per_class.values() if row["support"]]
    return {
        "accuracy": accuracy(shares, labels),
        "ci95": list(accuracy_interval(shares.argmax(1) == labels)),
        "balanced_accuracy": float(np.mean([row["recall"] for row in there])),
        "macro_f1": float(np.mean([row["f1"] for row in per_class.values() if row["support"] or row["named"]])),
        "ece": calibration_error(shares, labels),
        "ece_by_chance": list(calibration_by_chance(shares)),
        "nll": log_loss(shares, labels),
        "brier": brier_score(shares, labels),
        "kappa": cohen_kappa(confusion_matrix(shares, labels)),
        "auc_macro": _mean([row["auc"] for row in there if row["auc"] is not None]),
        "accuracy_surest_70": accuracy_at_coverage(shares, labels, 0.7),
        "coverage": {f"{part:.1f}": accuracy_at_coverage(shares, labels, part) for part in COVERAGES},
        "per_class": per_class,
    }


def accuracy(shares: Scores, labels: Labels) -> float:
    """How often the largest share is the label."""
    return float(np.mean(shares.argmax(1) == labels))


def accuracy_interval(right: Mask, draws: int = DRAWS, seed: int = SEED) -> tuple[float, float]:
    """The middle 95 % of the accuracy over bootstrap draws of the faces; ``right`` is bool (N,).

    Drawing N faces with replacement and counting the right ones is one binomial draw, so no face is touched.
    """
    means = np.random.default_rng(seed).binomial(len(right), float(np.mean(right)), draws) / len(right)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def confusion_matrix(shares: Scores, labels: Labels) -> NDArray[np.int64]:
    """Counts (K, K): a row is what the label says, a column what the model answers."""
    kinds = shares.shape[1]
    return np.bincount(labels * kinds + shares.argmax(1), minlength=kinds * kinds).reshape(kinds, kinds)


def class_metrics(shares: Scores, labels: Labels, number: int) -> dict[str, Any]:
    """Precision, recall, f1, support (faces of the class), named (faces called so) and auc of one class."""
    called, belongs = shares.argmax(1) == number, labels == number
    hit, named, support = int(np.sum(called & belongs)), int(called.sum()), int(belongs.sum())
    return {
        "precision": hit / max(named, 1),
        "recall": hit / max(support, 1),
        "f1": 2 * hit / max(named + support, 1),
        "support": support,
        "named": named,
        "auc": roc_auc(shares[:, number], belongs) if 0 < support < len(labels) else None,
    }


def cohen_kappa(counts: NDArray[np.int64]) -> float:
    """Cohen's kappa of a confusion matrix: agreement beyond what its margins would give by chance."""
    shares = counts / counts.sum()
    chance = float(shares.sum(0) @ shares.sum(1))
    return 0.0 if chance == 1 else (float(np.trace(shares)) - chance) / (1 - chance)


def roc_auc(share: Scores, belongs: Mask) -> float:
    """Area under the ROC curve: how often a face of the class has a larger share of it than one that is not; ties half.

    Both kinds of faces must be there.
    """
    _, place, counts = np.unique(share, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.ravel()]
    inside = int(belongs.sum())
    return float((ranks[belongs].sum() - inside * (inside + 1) / 2) / (inside * (len(share) - inside)))


def calibration_error(shares: Scores, labels: Labels, bins: int = BINS) -> float:
    """Expected calibration error: how far the top share is from being right so often, in bins of equal mass."""
    certain, right, mass = reliability_curve(shares, labels, bins)
    return float(np.sum(np.abs(certain - right) * mass))


def calibration_by_chance(shares: Scores, bins: int = BINS, seed: int = SEED) -> tuple[float, float]:
    """The calibration error that these shares would have if they were honest, as so few faces tell it: its mean, and
    what it stays below 19 times out of 20. An error no larger than that is no sign of a badly calibrated model.
    """
    rng, top = np.random.default_rng(seed), np.sort(shares.max(1).astype(np.float64))
    groups = [group for group in np.array_split(top, bins) if len(group)]
    gaps = [np.abs((rng.random((_HONEST, len(group))) < group).sum(1) - group.sum()) for group in groups]
    errors = np.sum(gaps, axis=0) / len(top)
    return float(errors.mean()), float(np.percentile(errors, 95))


def reliability_curve(shares: Scores, labels: Labels, bins: int = BINS) -> tuple[Scores, Scores, Scores]:
    """By bin of equal mass, the least certain first: mean top share, accuracy, and part of the faces, each (bins,)."""
    top, right = shares.max(1).astype(np.float64), shares.argmax(1) == labels
    groups = [group for group in np.array_split(np.argsort(top, kind="stable"), bins) if len(group)]
    told = [(top[group].mean(), right[group].mean(), len(group) / len(labels)) for group in groups]
    certain, hit, mass = np.array(told).T
    return certain, hit, mass


def log_loss(shares: Scores, labels: Labels) -> float:
    """Mean negative logarithm of the label's share."""
    of_label = shares[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.maximum(of_label, 1e-12))))


def brier_score(shares: Scores, labels: Labels) -> float:
    """Mean squared distance between the shares and certainty of the label; 0 is best, 2 worst."""
    certain = np.eye(shares.shape[1])[labels]
    return float(np.mean(np.sum((shares - certain) ** 2, axis=1)))


def accuracy_at_coverage(shares: Scores, labels: Labels, part: float) -> float:
    """Accuracy on the part of the faces whose top share is largest."""
    order = np.argsort(-shares.max(1), kind="stable")[: max(round(part * len(labels)), 1)]
    return accuracy(shares[order], labels[order])


def coverage_curve(shares: Scores, labels: Labels) -> tuple[Scores, Scores]:
    """Part of the faces answered, the most certain first, and accuracy among them, each (N,)."""
    order = np.argsort(-shares.max(1), kind="stable")
    right = (shares.argmax(1) == labels)[order]
    answered = np.arange(1, len(labels) + 1)
    return answered / len(labels), np.cumsum(right) / answered


def roc_curve(share: Scores, belongs: Mask) -> tuple[Scores, Scores]:
    """False and true alarm rates as the threshold falls, from (0, 0) to (1, 1), one point for each different share."""
    false, true = _alarms(share, belongs)
    return np.append(0, false / max(false[-1], 1)), np.append(0, true / max(true[-1], 1))


def precision_recall_curve(share: Scores, belongs: Mask) -> tuple[Scores, Scores]:
    """Recall and precision as the threshold falls, one point for each different share."""
    false, true = _alarms(share, belongs)
    return true / max(true[-1], 1), true / (true + false)


def average_precision(share: Scores, belongs: Mask) -> float:
    """Mean precision over the recall it adds, as scikit-learn counts it: no interpolation."""
    recall, precision = precision_recall_curve(share, belongs)
    return float(np.sum(np.diff(np.append(0, recall)) * precision))


def macro_roc(shares: Scores, labels: Labels) -> tuple[Scores, Scores]:
    """The mean of the classes' ROC curves, those without faces left out, at 501 rates of false alarms."""
    rates = np.linspace(0, 1, 501)
    there = [number for number in range(shares.shape[1]) if 0 < np.sum(labels == number) < len(labels)]
    curves = [roc_curve(shares[:, number], labels == number) for number in there]
    means = [np.interp(rates, false, true) for false, true in curves]
    return np.append(0, rates), np.append(0, np.mean(means, axis=0))


def micro_average(shares: Scores, labels: Labels) -> tuple[Scores, Mask]:
    """All shares (N * K,) and whether each is that of the label: every answer counts alike, whatever its class."""
    return shares.ravel(), np.eye(shares.shape[1], dtype=bool)[labels].ravel()


def _alarms(share: Scores, belongs: Mask) -> tuple[Scores, Scores]:
    """How many faces outside and inside of the class lie at or above each different share, the largest first."""
    order = np.argsort(-share, kind="stable")
    last = np.append(np.flatnonzero(np.diff(share[order])), len(share) - 1)
    inside = np.cumsum(belongs[order])[last].astype(np.float64)
    return last + 1 - inside, inside


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


# ==== mien.lab.votes
# The vote head against what ten people said (FER+). NumPy only.

#: The part of the voters from which an expression counts as there.
MIN_VOTE_FRACTION = 0.2


def vote_metrics(votes: Scores, faces: FaceDataset, above: float = MIN_VOTE_FRACTION) -> dict[str, Any]:
    """What the vote head (N, 8) is worth on these faces; none of them with votes gives an empty table.

    ``votes_accuracy``: how often its largest share is the expression with the most votes, over the ``votes_faces`` on
    which one of the eight expressions has more votes than every other; ties are left out, and people who said
    "unknown" or "no face" are not counted. ``votes_divergence``: mean Kullback-Leibler divergence of the head from the
    voters' shares, in nats, over all faces with a vote for an expression. ``votes_second``: how often its second
    expression is the voters' second, over the ``votes_second_faces`` on which they have one. ``mixture``: precision and
    recall of naming every expression with ``above`` of the head's votes, against those that a fifth of people named.
    """
    said = faces.vote_shares()
    asked, sole = said.any(1), has_majority(said)
    if not sole.any():
        return {}
    right = votes.argmax(1) == said.argmax(1)
    return {
        "votes_faces": int(sole.sum()),
        "votes_accuracy": float(np.mean(right[sole])),
        "votes_divergence": kl_divergence(said[asked], votes[asked]),
        **_second(votes, said),
        "mixture": mixture_metrics(votes[asked], said[asked], above),
    }


def _second(votes: Scores, said: Scores) -> dict[str, Any]:
    """How often the second expressions agree, where the voters' first two are not tied; None where nobody has one."""
    ranks = np.sort(said, axis=1)[:, ::-1]
    there = (ranks[:, 0] > ranks[:, 1]) & (ranks[:, 1] > ranks[:, 2])
    right = np.argsort(-votes, axis=1, kind="stable")[:, 1] == np.argsort(-said, axis=1, kind="stable")[:, 1]
    found = float(np.mean(right[there])) if there.any() else None
    return {"votes_second_faces": int(there.sum()), "votes_second": found}


def compare_with_majority(shares: Scores, faces: FaceDataset) -> dict[str, int]:
    """Whom people side with where a model is wrong: counts over the mistakes on faces that have a majority.

    ``shares`` (N, K) along ``faces.classes``; "faces" counts those without a majority too.
    """
    said, answer = faces.vote_shares(), shares.argmax(1)
    wrong = answer != faces.labels
    asked = np.flatnonzero(wrong & has_majority(said))
    people = [VOTES[place] for place in said[asked].argmax(1)]
    model, label = ([faces.classes[place] for place in of[asked]] for of in (answer, faces.labels))
    with_model = sum(map(str.__eq__, people, model))
    with_label = sum(map(str.__eq__, people, label))
    return {
        "faces": int(wrong.sum()),
        "with_majority": len(asked),
        "people_say_the_answer": with_model,
        "people_say_the_label": with_label,
        "people_say_something_else": len(asked) - with_model - with_label,
    }


def has_majority(said: Scores) -> Mask:
    """Where one expression has more votes than every other, bool (N,)."""
    ordered = np.sort(said, axis=1)
    return np.asarray(ordered[:, -1] > ordered[:, -2])


def kl_divergence(said: Scores, votes: Scores) -> float:
    """Mean Kullback-Leibler divergence of predicted ``votes`` (N, K) from ``said`` (N, K), in nats."""
    said, votes = said.astype(np.float64), np.maximum(votes.astype(np.float64), 1e-12)
    ratio = np.where(said > 0, said / votes, 1.0)
    return float(np.mean(np.sum(said * np.log(ratio), axis=1)))


def mixture_metrics(votes: Scores, said: Scores, above: float, asked: float = MIN_VOTE_FRACTION) -> dict[str, float]:
    """How well the rule of a mixture finds the expressions that ``asked`` of the voters named, both (N, 8).

    The rule names the leading expression, and every other whose share lies ``above``.
    """
    named, there = votes >= above, said >= asked - 1e-6
    named[np.arange(len(votes)), votes.argmax(1)] = True
    hit = float(np.sum(named & there))
    precision, recall = hit / max(int(named.sum()), 1), hit / max(int(there.sum()), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    return {"above": above, "precision": precision, "recall": recall, "f1": f1}
