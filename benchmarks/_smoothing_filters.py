"""The smoothing filters that are compared. Each takes a model's scores (T, K) and the seconds of a frame, and returns
the smoothed scores and the index of the leading label in each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.video import smoothing

Floats = NDArray[np.float64]
Filtered = tuple[Floats, NDArray[np.int64]]
SmoothingFilter = Callable[[Floats, float], Filtered]


def _gain(length: float, constant: float) -> float:
    return float(1 - np.exp(-length / constant))


def raw(scores: Floats, length: float) -> Filtered:
    return scores, scores.argmax(axis=1)


def exponential(scores: Floats, length: float, constant: float, margin: float) -> Filtered:
    mean, means, gain = scores[0], [], _gain(length, constant)
    for each in scores:
        mean = mean + gain * (each - mean)
        means.append(mean)
    return np.array(means), select_leaders(means, margin)


def one_euro(scores: Floats, length: float, slowest: float, beta: float, margin: float) -> Filtered:
    """Casiez, Roussel and Vogel, 2012: the faster the change, the less smoothing."""

    def gain(cutoff: float) -> float:
        return 1 / (1 + 1 / (2 * np.pi * cutoff * length))

    value, speed, values = scores[0], np.zeros(scores.shape[1]), []
    for each in scores:
        speed = speed + gain(1.0) * ((each - value) / length - speed)
        value = value + gain(slowest + beta * float(np.abs(speed).max())) * (each - value)
        values.append(value / value.sum())
    return np.array(values), select_leaders(values, margin)


def hysteresis_in_time(scores: Floats, length: float, time: float) -> Filtered:
    """Hysteresis in time: another label leads when it had the highest score for so long."""
    leaders_by_frame, run, last, leader = [], 0.0, -1, int(scores[0].argmax())
    for first in map(int, scores.argmax(axis=1)):
        run, last = (run + length if first == last else length), first
        leader = first if run > time else leader
        leaders_by_frame.append(leader)
    return scores, np.array(leaders_by_frame)


def hidden_markov(scores: Floats, length: float, rate: float, power: float) -> Filtered:
    """The forward pass over labels that change ``rate`` times a second; the scores are an exponential mean."""
    count, stay = scores.shape[1], float(np.exp(-rate * length))
    move = np.full((count, count), (1 - stay) / (count - 1))
    np.fill_diagonal(move, stay)
    belief, leaders_by_frame = scores[0], []
    for each in scores:
        belief = (belief @ move) * np.maximum(each, 1e-4) ** power
        belief = belief / belief.sum()
        leaders_by_frame.append(int(belief.argmax()))
    return exponential(scores, length, 0.2, 0)[0], np.array(leaders_by_frame)


def mean_since_change(scores: Floats, length: float) -> Filtered:
    """The filter of mien."""
    change_filter, leader, values, leaders_by_frame = smoothing.ChangeFilter(), -1, [], []
    for number, each in enumerate(scores):
        value = change_filter.step(each, number * length)
        leader = smoothing.select_leader(value, leader)
        values.append(smoothing.with_leader(value, leader))
        leaders_by_frame.append(leader)
    return np.array(values), np.array(leaders_by_frame)


def select_leaders(values: list[Floats], margin: float) -> NDArray[np.int64]:
    """The leading labels, if another one has to exceed the leading one by ``margin``."""
    leader, leaders_by_frame = -1, []
    for value in values:
        first = int(value.argmax())
        leader = first if leader < 0 or value[first] > value[leader] + margin else leader
        leaders_by_frame.append(leader)
    return np.array(leaders_by_frame)


def filter_families() -> Iterator[tuple[str, dict[str, SmoothingFilter]]]:
    """Each family with its settings."""
    yield "raw", {"": raw}
    yield "exponential mean", _grid(exponential, constant=(0.1, 0.15, 0.2, 0.3), margin=(0, 0.05, 0.1))
    yield "one euro", _grid(one_euro, slowest=(0.3, 0.6, 1, 2), beta=(0, 0.3, 1, 3), margin=(0.05, 0.1))
    yield "hysteresis in time", _grid(hysteresis_in_time, time=(0.06, 0.1, 0.13, 0.17, 0.2))
    yield "hidden Markov model", _grid(hidden_markov, rate=(0.02, 0.05, 0.2, 1), power=(0.2, 0.4, 0.7, 1))
    yield "mean since the last change", {"as in mien": mean_since_change}


def _grid(smoothing_filter: Callable[..., Filtered], **settings: tuple[Any, ...]) -> dict[str, SmoothingFilter]:
    every = (dict(zip(settings, values, strict=True)) for values in product(*settings.values()))
    return {
        ", ".join(f"{name} {value:g}" for name, value in each.items()): partial(smoothing_filter, **each)
        for each in every
    }
