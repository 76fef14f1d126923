"""Temperatures and thresholds, fitted on held-out faces and never on a split that is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.metrics import mixture_metrics

Array = NDArray[np.floating[Any]]

#: Part of the held-out faces whose reading is to count as certain.
COVERAGE = 0.85


@dataclass(frozen=True)
class Calibration:
    """What the card tells: temperatures by head, and the thresholds on the shares that come out."""

    temperatures: dict[str, float]
    uncertain_below: float
    mixture_above: float


def calibrate(heads: dict[str, Array], goals: dict[str, Array]) -> Calibration:
    """From logits by head (N, K) and what they should say: shares (N, K) that sum to one, or to zero for no opinion."""
    temperatures = {head: fit_temperature(logits, goals[head]) for head, logits in heads.items()}
    shares = softmax(heads["shares"] / temperatures["shares"])
    above = 0.2
    if "votes" in heads:
        asked = goals["votes"].any(1)
        above = fit_threshold(softmax(heads["votes"] / temperatures["votes"])[asked], goals["votes"][asked])
    return Calibration(temperatures, round(float(np.quantile(shares.max(1), 1 - COVERAGE)), 4), above)


def fit_temperature(logits: Array, goals: Array) -> float:
    """The divisor of the logits that makes the goals most likely: the best of a fine grid from 0.25 to 4, or 1."""
    if not goals.any():
        return 1.0
    grid = np.geomspace(0.25, 4, 400)
    return round(float(min(grid, key=lambda divisor: cross_entropy(logits / divisor, goals))), 4)


def fit_threshold(votes: Array, said: Array) -> float:
    """The share from which an expression is named, where precision and recall meet best (f1)."""
    grid = np.round(np.arange(0.1, 0.4, 0.01), 2)
    return float(max(grid, key=lambda above: mixture_metrics(votes, said, float(above))["f1"]))


def cross_entropy(logits: Array, goals: Array) -> float:
    """Mean over the faces, in nats."""
    shifted = logits - logits.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-np.mean(np.sum(goals * logs, axis=1)))


def softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))
