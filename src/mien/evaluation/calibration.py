"""Calibration: temperatures, thresholds, and the decision that joins two heads; fitted on faces for validation only.

The decision answers what most people would call an expression (the target ``people``): its logits are a weighted sum
of the logits of the votes and of the label, plus an offset for each label. Its parameters have the lowest weighted log
loss on the faces whose label at least half of the annotators chose. A rare expression has a larger weight there, so
that it is recognised too: a face of a class with frequency ``p`` has the weight ``p ** -BALANCE``.
``benchmarks/decision.py`` compares this rule with others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.metrics import mixture_metrics
from mien.labels import VOTES

Array = NDArray[np.floating[Any]]

#: The fraction of the validation faces whose reading is certain.
COVERAGE = 0.85

#: The exponent of the class weights: 0 counts every face equally, 1 every class.
BALANCE = 0.8

#: With fewer faces that most annotators agree on, the decision is not fitted.
MIN_FACES = 200

#: The weights of both heads without enough faces to fit them.
DEFAULT_WEIGHTS = {"votes": 0.6, "label": 0.4}

#: The penalty for the squares of the offsets, and the number of Newton steps.
_RIDGE, _STEPS = 1e-3, 30


@dataclass(frozen=True)
class Calibration:
    """The values of a model card: temperatures by head, thresholds, and the decision, which is empty for one head."""

    temperatures: dict[str, float]
    uncertain_below: float
    mixture_above: float
    decision: Mapping[str, Any] = field(default_factory=dict)


def calibrate(
    heads: dict[str, Array], targets: dict[str, Array], majority: NDArray[np.int64], labels: Sequence[str]
) -> Calibration:
    """From the logits (N, K) of the heads ``label`` and ``votes`` and their targets.

    ``targets`` have rows (N, K) that sum to 1, or to 0 without a target; ``majority`` (N,) are the labels that most
    annotators chose, -1 without one. ``labels`` are the columns of the head ``label``.
    """
    temperatures = {head: fit_temperature(logits, targets[head]) for head, logits in heads.items()}
    scores = softmax(heads["label"] / temperatures["label"])
    mixture_above, decision, agree = 0.2, {}, np.ones(len(scores), bool)
    if "votes" in heads:
        has_votes = targets["votes"].any(1)
        votes = softmax(heads["votes"] / temperatures["votes"])
        mixture_above = fit_threshold(votes[has_votes], targets["votes"][has_votes]) if has_votes.any() else 0.2
        if decision := fit_decision(heads, targets["label"], majority, labels):
            scores = softmax(join_logits(heads, labels, decision))
            agree = votes.argmax(1) == np.array([VOTES.index(label) for label in labels])[scores.argmax(1)]
    confidence = np.sort(scores.max(1)[agree])
    uncertain = max(round(len(confidence) - COVERAGE * len(scores)), 0)  # further faces, beside those that do not agree
    below = float(confidence[uncertain]) if uncertain < len(confidence) else 0.0
    return Calibration(temperatures, round(below if uncertain else 0.0, 4), mixture_above, decision)


def fit_decision(
    heads: Mapping[str, Array],
    one_hot: Array,
    majority: NDArray[np.int64],
    labels: Sequence[str],
    *,
    balance: float = BALANCE,
) -> dict[str, Any]:
    """The ``decision`` of a card; empty where a label is not among the expressions that annotators voted for.

    With fewer than MIN_FACES faces it has DEFAULT_WEIGHTS and no offsets.
    """
    if not set(labels) <= set(VOTES):
        return {}
    counts = np.bincount(majority[majority >= 0], minlength=len(labels)) + 1.0
    frequencies = counts / counts.sum()
    is_clear = majority >= 0
    if is_clear.sum() < MIN_FACES:
        parameters = np.array([*DEFAULT_WEIGHTS.values(), *np.zeros(len(labels))])
        prior = frequencies
    else:
        features = _decision_features(heads, labels)[is_clear]
        parameters = _fit_multinomial(features, majority[is_clear], frequencies[majority[is_clear]] ** -balance)
        prior = frequencies ** (1 - balance) / (frequencies ** (1 - balance)).sum()
    label_counts = one_hot.sum(0) + 1.0
    tables = {"offsets": parameters[2:], "prior": prior, "label_prior": label_counts / label_counts.sum()}
    named = {
        key: {label: round(float(value), 4) for label, value in zip(labels, values, strict=True)}
        for key, values in tables.items()
    }
    return {"votes": round(float(parameters[0]), 4), "label": round(float(parameters[1]), 4), **named}


def join_logits(heads: Mapping[str, Array], labels: Sequence[str], decision: Mapping[str, Any]) -> Array:
    """The logits (N, K) of the target ``people``."""
    offsets = [decision["offsets"][label] for label in labels]
    return np.asarray(_decision_features(heads, labels) @ np.array([decision["votes"], decision["label"], *offsets]))


def _decision_features(heads: Mapping[str, Array], labels: Sequence[str]) -> Array:
    """What each parameter of the decision is multiplied with, (N, K, 2 + K): both logits, and 1 for the offset."""
    columns = [VOTES.index(label) for label in labels]
    both = np.stack([heads["votes"][:, columns], heads["label"]], axis=2)
    return np.concatenate([both, np.broadcast_to(np.eye(len(labels)), (len(both), len(labels), len(labels)))], axis=2)


def _fit_multinomial(features: Array, labels: NDArray[np.int64], weights: Array) -> Array:
    """The parameters (P,) of a softmax over ``features`` (N, K, P) @ parameters, by Newton's method."""
    weights = weights / weights.sum()
    penalty = np.diag([0.0, 0.0, *np.full(features.shape[2] - 2, 2 * _RIDGE)])
    parameters = np.zeros(features.shape[2])
    for _ in range(_STEPS):
        scores = softmax(features @ parameters)
        residuals = (scores - np.eye(scores.shape[1])[labels]) * weights[:, None]
        gradient = np.einsum("nk,nkp->p", residuals, features) + penalty @ parameters
        means = np.einsum("nk,nkp->np", scores, features)
        centred = (features - means[:, None]) * np.sqrt(scores * weights[:, None])[..., None]
        curvature = np.einsum("nkp,nkq->pq", centred, centred) + penalty + 1e-9 * np.eye(len(parameters))
        parameters = parameters - np.linalg.solve(curvature, gradient)
    return parameters


def fit_temperature(logits: Array, targets: Array) -> float:
    """The divisor of the logits with the lowest cross-entropy, from a grid of 0.25 to 4; 1 without a target."""
    if not targets.any():
        return 1.0
    grid = np.geomspace(0.25, 4, 400)
    return round(float(min(grid, key=lambda divisor: cross_entropy(logits / divisor, targets))), 4)


def fit_threshold(votes: Array, targets: Array) -> float:
    """The threshold of a mixture with the highest F1."""
    grid = np.round(np.arange(0.1, 0.4, 0.01), 2)
    return float(max(grid, key=lambda above: mixture_metrics(votes, targets, float(above))["f1"]))


def cross_entropy(logits: Array, targets: Array) -> float:
    """Mean over the faces, in nats."""
    shifted = logits - logits.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-np.mean(np.sum(targets * logs, axis=1)))


def softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))
