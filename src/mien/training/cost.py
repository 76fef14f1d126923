"""What a training cost, as far as the run's folder tells."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from mien.errors import ExperimentError
from mien.evaluation import compare
from mien.training import run_folder
from mien.training.checkpoint import RECIPE
from mien.training.recipe import Recipe


def training_cost(run: Path) -> dict[str, Any]:
    """``training_seconds``; ``training_seconds_before`` of the runs whose trunk it began with; ``trained_on``."""
    found: dict[str, Any] = {}
    if seconds := compare.read_training_seconds(run):
        found["training_seconds"] = round(seconds)
    if seconds := _before(run, {run.resolve()}):
        found["training_seconds_before"] = round(seconds)
    with suppress(KeyError, TypeError):
        machine = run_folder.read_run(run).environment["machine"]
        cores = machine["cores"]
        found["trained_on"] = f"{machine['processor']}, {cores} core{'' if cores == 1 else 's'}"
    return found


def _before(run: Path, known: set[Path]) -> float:
    """The seconds of the run that this one began with, and of those before it; 0 where they cannot be told."""
    try:
        weights = Recipe.read(run / RECIPE).net.weights
    except ExperimentError:
        return 0.0
    earlier = Path(weights).resolve()
    if weights in ("", "none", "imagenet") or earlier in known:
        return 0.0
    return (compare.read_training_seconds(earlier) or 0.0) + _before(earlier, known | {earlier})
