"""How fast a run learns, and when it ends: decided from the recipe and the rows of the epochs done, nothing else.

So a run that was killed and goes on decides as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mien.errors import LabError, nearest
from mien.training.recipe import Recipe, TrainingSettings

Row = Mapping[str, float]
#: The figure that better epochs have more of: accuracy on the held-out faces.
WATCHED = "held_out"
#: What the plateau schedule multiplies the rate by.
DROP = 0.5


def frozen(recipe: Recipe) -> int:
    """The epochs in which only the heads learn; without weights to begin with there is nothing to freeze."""
    return 0 if recipe.net.weights == "none" else recipe.fit.frozen


def rate_of(recipe: Recipe, epoch: float, history: Sequence[Row]) -> float:
    """The learning rate of a run at a moment counted in epochs.

    While all but the heads are frozen it is the peak; the schedule begins behind that, ``fine`` times as fast, or at
    once and in full where there are no weights to begin with.
    """
    fit, before = recipe.fit, frozen(recipe)
    if epoch < before:
        return fit.rate
    if recipe.net.weights != "none":
        fit = replace(fit, epochs=fit.epochs - before, rate=fit.rate * fit.fine)
    return rate_at(fit, epoch - before, history[before:])


def rate_at(fit: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """The schedule's rate, straight up from 0 in the warm-up."""
    if fit.schedule not in SCHEDULES:
        there = f"known are {', '.join(SCHEDULES)}"
        raise LabError(f"There is no schedule '{fit.schedule}'", there, nearest(fit.schedule, SCHEDULES))
    if epoch < fit.warmup:
        return fit.rate * epoch / fit.warmup
    return fit.rate * SCHEDULES[fit.schedule](fit, epoch, history)


def judged(fit: TrainingSettings) -> dict[str, str]:
    """The settings that go by the held-out faces, each as it is typed, and what to type where there are none."""
    told = {
        f"fit.schedule={fit.schedule}": ("fit.schedule=cosine", fit.schedule == "plateau"),
        f"fit.stop_after={fit.stop_after}": ("fit.stop_after=0", fit.stop_after > 0),
        f"fit.keep={fit.keep}": ("fit.keep=last", fit.keep == "best"),
    }
    return {typed: instead for typed, (instead, judges) in told.items() if judges}


def ended(fit: TrainingSettings, history: Sequence[Row]) -> bool:
    """Whether no epoch is left, or ``stop_after`` of them brought nothing better (0: never for that reason)."""
    if len(history) >= fit.epochs:
        return True
    return bool(fit.stop_after and history) and len(history) - best(history) >= fit.stop_after


def best(history: Sequence[Row]) -> int:
    """The number of the first epoch, from 1, with the best figure; without one the last is taken to be best."""
    if not history or WATCHED not in history[0]:
        return len(history)
    figures = [row[WATCHED] for row in history]
    return figures.index(max(figures)) + 1


def _cosine(fit: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """Half a cosine from the end of the warm-up down to 0."""
    return 0.5 * (1 + math.cos(math.pi * (epoch - fit.warmup) / max(fit.epochs - fit.warmup, 1e-9)))


def _steps(fit: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """A tenth from the middle of the run, a hundredth from three quarters on."""
    return 0.1 ** sum(epoch >= part * fit.epochs for part in (0.5, 0.75))


def _plateau(fit: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """Half as fast after every ``patience`` epochs that brought nothing better; epochs without a figure are none."""
    drops, waited, top = 0, 0, -math.inf
    for figure in (row[WATCHED] for row in history if WATCHED in row):
        waited = 0 if figure > top else waited + 1
        top = max(top, figure)
        if waited >= max(fit.patience, 1):
            drops, waited = drops + 1, 0
    return DROP**drops


def _constant(fit: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    return 1.0


SCHEDULES: dict[str, Callable[[TrainingSettings, float, Sequence[Row]], float]] = {
    "cosine": _cosine,
    "steps": _steps,
    "plateau": _plateau,
    "constant": _constant,
}
