"""The ways of steadying that were tried. Each takes a model's shares (T, K) and a frame's length in seconds, and gives
what it would show: the shares, and the number of the expression it would name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.video import smoothing

Floats = NDArray[np.float64]
Shown = tuple[Floats, NDArray[np.int64]]
Way = Callable[[Floats, float], Shown]


def _gain(length: float, constant: float) -> float:
    return float(1 - np.exp(-length / constant))


def raw(shares: Floats, length: float) -> Shown:
    return shares, shares.argmax(axis=1)


def exponential(shares: Floats, length: float, constant: float, lead: float) -> Shown:
    mean, means, gain = shares[0], [], _gain(length, constant)
    for each in shares:
        mean = mean + gain * (each - mean)
        means.append(mean)
    return np.array(means), leaders(means, lead)


def one_euro(shares: Floats, length: float, slowest: float, beta: float, lead: float) -> Shown:
    """Casiez, Roussel and Vogel, 2012: the faster it moves, the less it is smoothed."""

    def gain(cutoff: float) -> float:
        return 1 / (1 + 1 / (2 * np.pi * cutoff * length))

    value, speed, values = shares[0], np.zeros(shares.shape[1]), []
    for each in shares:
        speed = speed + gain(1.0) * ((each - value) / length - speed)
        value = value + gain(slowest + beta * float(np.abs(speed).max())) * (each - value)
        values.append(value / value.sum())
    return np.array(values), leaders(values, lead)


def held(shares: Floats, length: float, time: float) -> Shown:
    """Hysteresis in time: another expression is named when it has led for so long."""
    named, run, last, leader = [], 0.0, -1, int(shares[0].argmax())
    for first in map(int, shares.argmax(axis=1)):
        run, last = (run + length if first == last else length), first
        leader = first if run > time else leader
        named.append(leader)
    return shares, np.array(named)


def hidden_markov(shares: Floats, length: float, rate: float, power: float) -> Shown:
    """The forward pass over expressions that change ``rate`` times a second; what is shown besides is a mean."""
    count, stay = shares.shape[1], float(np.exp(-rate * length))
    move = np.full((count, count), (1 - stay) / (count - 1))
    np.fill_diagonal(move, stay)
    belief, named = shares[0], []
    for each in shares:
        belief = (belief @ move) * np.maximum(each, 1e-4) ** power
        belief = belief / belief.sum()
        named.append(int(belief.argmax()))
    return exponential(shares, length, 0.2, 0)[0], np.array(named)


def since_change(shares: Floats, length: float) -> Shown:
    """What mien does."""
    filtered, leader, values, named = smoothing.ChangeFilter(), -1, [], []
    for number, each in enumerate(shares):
        value = filtered.step(each, number * length)
        leader = smoothing._leader(value, leader)
        values.append(smoothing._led(value, leader))
        named.append(leader)
    return np.array(values), np.array(named)


def leaders(values: list[Floats], lead: float) -> NDArray[np.int64]:
    """Who is named, when another has to be ahead by ``lead``."""
    leader, named = -1, []
    for value in values:
        first = int(value.argmax())
        leader = first if leader < 0 or value[first] > value[leader] + lead else leader
        named.append(leader)
    return np.array(named)


def families() -> Iterator[tuple[str, dict[str, Way]]]:
    """Every family with the settings that were tried."""
    yield "as read", {"": raw}
    yield "exponential mean", _grid(exponential, constant=(0.1, 0.15, 0.2, 0.3), lead=(0, 0.05, 0.1))
    yield "one euro", _grid(one_euro, slowest=(0.3, 0.6, 1, 2), beta=(0, 0.3, 1, 3), lead=(0.05, 0.1))
    yield "hysteresis in time", _grid(held, time=(0.06, 0.1, 0.13, 0.17, 0.2))
    yield "hidden Markov model", _grid(hidden_markov, rate=(0.02, 0.05, 0.2, 1), power=(0.2, 0.4, 0.7, 1))
    yield "mean since the last change", {"as in mien": since_change}


def _grid(way: Callable[..., Shown], **settings: tuple[Any, ...]) -> dict[str, Way]:
    every = (dict(zip(settings, values, strict=True)) for values in product(*settings.values()))
    return {", ".join(f"{name} {value:g}" for name, value in each.items()): partial(way, **each) for each in every}
