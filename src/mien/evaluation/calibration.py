"""Calibration: temperatures and thresholds, fitted on validation faces and never on a split that is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.metrics import mixture_metrics

Array = NDArray[np.floating[Any]]

#: The fraction of the validation faces whose reading is certain.
COVERAGE = 0.85


@dataclass(frozen=True)
class Calibration:
    """The values of a model card: the temperature of each head, and the thresholds on the calibrated scores."""

    temperatures: dict[str, float]
    uncertain_below: float
    mixture_above: float


def calibrate(heads: dict[str, Array], targets: dict[str, Array]) -> Calibration:
    """From the logits (N, K) of each head and their targets: rows (N, K) that sum to 1, or to 0 without a target."""
    temperatures = {head: fit_temperature(logits, targets[head]) for head, logits in heads.items()}
    scores = softmax(heads["shares"] / temperatures["shares"])
    mixture_above = 0.2
    if "votes" in heads:
        has_votes = targets["votes"].any(1)
        votes = softmax(heads["votes"] / temperatures["votes"])
        mixture_above = fit_threshold(votes[has_votes], targets["votes"][has_votes])
    return Calibration(temperatures, round(float(np.quantile(scores.max(1), 1 - COVERAGE)), 4), mixture_above)


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
