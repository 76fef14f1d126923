"""The score sheet: how right a model is, how sure, and how well its sureness is earned. NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lab.data import PUBLIC, Faces, without_twins
from mien.labels import EMOTIONS
from mien.models import Classifier

#: Bins of equal mass over the top share.
BINS = 15

Shares = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def evaluate(classifier: Classifier, faces: Faces, split: str = PUBLIC) -> dict[str, Any]:
    """Every figure of one model on one split of the data, one forward pass a face."""
    faces = faces.only(classifier.card.labels)
    chosen = faces.split(split)
    outputs = classifier.run(chosen.pixels[..., None])
    sheet: dict[str, Any] = {
        "split": split,
        "faces": len(chosen),
        **score_sheet(outputs.shares, chosen.labels, chosen.classes),
    }
    alone = without_twins(faces, split)
    sheet["faces_no_twins"] = int(alone.sum())
    sheet["accuracy_no_twins"] = accuracy(outputs.shares[alone], chosen.labels[alone])
    if outputs.votes is not None and chosen.votes.any():
        sheet |= vote_sheet(outputs.votes, chosen)
    return sheet


def score_sheet(shares: Shares, labels: Labels, names: tuple[str, ...] = EMOTIONS) -> dict[str, Any]:
    """Figures for shares (N, K) against labels (N,): plain numbers, and a table per class."""
    per_class = {name: class_row(shares.argmax(1), labels, number) for number, name in enumerate(names)}
    there = [row for row in per_class.values() if row["support"]]
    return {
        "accuracy": accuracy(shares, labels),
        "balanced_accuracy": float(np.mean([row["recall"] for row in there])),
        "macro_f1": float(np.mean([row["f1"] for row in per_class.values() if row["support"] or row["named"]])),
        "ece": calibration_error(shares, labels),
        "nll": log_loss(shares, labels),
        "brier": brier(shares, labels),
        "accuracy_surest_70": surest(shares, labels, 0.7),
        "per_class": per_class,
    }


def accuracy(shares: Shares, labels: Labels) -> float:
    """How often the largest share is the label; NaN of no faces is refused by NumPy, so ask for some."""
    return float(np.mean(shares.argmax(1) == labels))


def class_row(found: Labels, labels: Labels, number: int) -> dict[str, float]:
    """Precision, recall, f1, support (faces of the class) and named (faces called so) of one class."""
    hit = float(np.sum((found == number) & (labels == number)))
    named, support = int(np.sum(found == number)), int(np.sum(labels == number))
    return {
        "precision": hit / max(named, 1),
        "recall": hit / max(support, 1),
        "f1": 2 * hit / max(named + support, 1),
        "support": support,
        "named": named,
    }


def calibration_error(shares: Shares, labels: Labels, bins: int = BINS) -> float:
    """Expected calibration error: how far the top share is from being right so often, in bins of equal mass."""
    top, right = shares.max(1), shares.argmax(1) == labels
    groups = np.array_split(np.argsort(top, kind="stable"), bins)
    gaps = [abs(top[group].mean() - right[group].mean()) * len(group) for group in groups if len(group)]
    return float(sum(gaps) / len(labels))


def log_loss(shares: Shares, labels: Labels) -> float:
    """Mean negative logarithm of the label's share."""
    of_label = shares[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.maximum(of_label, 1e-12))))


def brier(shares: Shares, labels: Labels) -> float:
    """Mean squared distance between the shares and certainty of the label; 0 is best, 2 worst."""
    certain = np.eye(shares.shape[1])[labels]
    return float(np.mean(np.sum((shares - certain) ** 2, axis=1)))


def surest(shares: Shares, labels: Labels, part: float) -> float:
    """Accuracy on the part of the faces whose top share is largest."""
    order = np.argsort(-shares.max(1), kind="stable")[: max(round(part * len(labels)), 1)]
    return accuracy(shares[order], labels[order])


def vote_sheet(votes: Shares, faces: Faces) -> dict[str, float]:
    """The vote head against what people said, on faces where one expression has most votes.

    ``votes_accuracy``: how often the largest share is that expression; ``votes_divergence``: mean Kullback-Leibler
    divergence from the voters' shares, in nats, over all faces with a vote for an expression.
    """
    said = faces.vote_shares()
    asked, sole = said.any(1), majority(said)
    right = votes.argmax(1) == said.argmax(1)
    return {
        "votes_faces": int(sole.sum()),
        "votes_accuracy": float(np.mean(right[sole])),
        "votes_divergence": divergence(said[asked], votes[asked]),
    }


def majority(said: Shares) -> NDArray[np.bool_]:
    """Where one expression has more votes than every other, bool (N,)."""
    ordered = np.sort(said, axis=1)
    return np.asarray(ordered[:, -1] > ordered[:, -2])


def divergence(said: Shares, votes: Shares) -> float:
    """Mean Kullback-Leibler divergence of predicted ``votes`` (N, K) from ``said`` (N, K), in nats."""
    said, votes = said.astype(np.float64), np.maximum(votes.astype(np.float64), 1e-12)
    ratio = np.where(said > 0, said / votes, 1.0)
    return float(np.mean(np.sum(said * np.log(ratio), axis=1)))


def mixture_row(votes: Shares, said: Shares, above: float, asked: float = 0.2) -> dict[str, float]:
    """How well "its share lies above" finds the expressions that ``asked`` of the voters named."""
    named, there = votes >= above, said >= asked - 1e-6
    hit = float(np.sum(named & there))
    precision, recall = hit / max(int(named.sum()), 1), hit / max(int(there.sum()), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    return {"above": above, "precision": precision, "recall": recall, "f1": f1}
