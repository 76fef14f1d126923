"""Learning-rate schedules, early stopping and the best epoch.

All of them depend only on the recipe and on the history of the completed epochs, so a resumed run decides as it would
have without the interruption.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mien.training.recipe import Recipe, TrainingSettings

Row = Mapping[str, float]
#: The metric by which epochs are compared.
METRIC = "validation_accuracy"
#: The factor of the plateau schedule.
PLATEAU_FACTOR = 0.5


def count_frozen_epochs(recipe: Recipe) -> int:
    """The epochs in which only the heads are trained; none without initial weights."""
    return recipe.training.frozen_epochs if recipe.net.pretrained else 0


def learning_rate(recipe: Recipe, epoch: float, history: Sequence[Row]) -> float:
    """The learning rate at a time in epochs, say 2.5 in the middle of the third.

    The peak while the trunk is frozen. After that the schedule, times ``fine_tune_rate`` where there are initial
    weights.
    """
    settings, frozen = recipe.training, count_frozen_epochs(recipe)
    if epoch < frozen:
        return settings.learning_rate
    if recipe.net.pretrained:
        peak = settings.learning_rate * settings.fine_tune_rate
        settings = replace(settings, epochs=settings.epochs - frozen, learning_rate=peak)
    return scheduled_rate(settings, epoch - frozen, history[frozen:])


def scheduled_rate(settings: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """The learning rate of the schedule, after a linear warm-up from 0."""
    if epoch < settings.warmup:
        return settings.learning_rate * epoch / settings.warmup
    return settings.learning_rate * SCHEDULES[settings.schedule](settings, epoch, history)


def _cosine(settings: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """Half a cosine from the end of the warm-up to 0."""
    decay_epochs = max(settings.epochs - settings.warmup, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * (epoch - settings.warmup) / decay_epochs))


def _steps(settings: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """A tenth from half of the epochs on, a hundredth from three quarters on."""
    return 0.1 ** sum(epoch >= fraction * settings.epochs for fraction in (0.5, 0.75))


def _plateau(settings: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    """Half after each ``patience`` epochs without improvement; epochs without the metric do not count."""
    drops, waiting, best = 0, 0, -math.inf
    for value in (row[METRIC] for row in history if METRIC in row):
        waiting = 0 if value > best else waiting + 1
        best = max(best, value)
        if waiting >= settings.patience:
            drops, waiting = drops + 1, 0
    return PLATEAU_FACTOR**drops


def _constant(settings: TrainingSettings, epoch: float, history: Sequence[Row]) -> float:
    return 1.0


SCHEDULES: dict[str, Callable[[TrainingSettings, float, Sequence[Row]], float]] = {
    "cosine": _cosine,
    "steps": _steps,
    "plateau": _plateau,
    "constant": _constant,
}


def is_finished(settings: TrainingSettings, history: Sequence[Row]) -> bool:
    """Whether all epochs are done, or ``early_stopping`` of them brought no improvement."""
    if len(history) >= settings.epochs:
        return True
    patience = settings.early_stopping
    return bool(patience and history) and len(history) - best_epoch(history) >= patience


def best_epoch(history: Sequence[Row]) -> int:
    """The number, from 1, of the first epoch with the best metric; that of the last epoch without the metric."""
    if not history or METRIC not in history[0]:
        return len(history)
    values = [row[METRIC] for row in history]
    return values.index(max(values)) + 1
