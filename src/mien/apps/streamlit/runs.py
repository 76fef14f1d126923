"""Training runs as table rows and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.apps.session.model_cards import format_score
from mien.errors import ExperimentError, MissingExtra, install_command

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mien.evaluation.compare import Comparison
    from mien.training.run_folder import TrainingRun


@contextmanager
def require_lab() -> Iterator[None]:
    """Raise a MissingExtra for a package of the extra 'lab' that is not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "mien":
            raise
        expected = "This page needs the extra 'lab'"
        raise MissingExtra(f"{missing.name} is not installed", expected, f"Run {install_command('lab')}") from missing


def run_row(run: TrainingRun) -> dict[str, Any]:
    """A run as a table row."""
    return {
        "Run": run.name,
        "State": run.state,
        "Net": run.recipe.net.name if run.recipe else "?",
        "Epochs": _format_epochs(run),
        "Validation accuracy": run.best[0] if run.best else None,
        "Best epoch": run.best[1] if run.best else None,
        "Test accuracy": run.metrics.get("accuracy"),
        "Split": run.metrics.get("split", ""),
        "Minutes": round(run.seconds / 60, 1),
        "Started": _parse_date(run.environment.get("started")),
    }


def _format_epochs(run: TrainingRun) -> str:
    planned = run.recipe.training.epochs if run.recipe else None
    return f"{run.epochs} of {planned or '?'}"


def _parse_date(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value or ""))
    except ValueError:
        return None


def run_numbers(run: TrainingRun) -> list[tuple[str, str]]:
    """The most important numbers of a run, with their names."""
    accuracy = run.metrics.get("accuracy")
    split = f" ({run.metrics['split']})" if run.metrics.get("split") else ""
    return [
        ("State", run.state),
        ("Epochs", _format_epochs(run)),
        ("Best validation accuracy", format_score(run.best[0]) if run.best else "–"),
        (f"Test accuracy{split}", "–" if accuracy is None else format_score(accuracy)),
    ]


def plot_curves(runs: Sequence[TrainingRun]) -> Figure | None:
    """Accuracy and loss of the runs with at least one epoch; None without any."""
    from mien import plots

    histories = {run.name: run.history for run in runs if run.history}
    return plots.plot_runs(histories) if histories else None


def plot_confusion(run: TrainingRun) -> Figure | None:
    """The confusion matrix of a finished run, else None."""
    from mien import plots

    counts, labels = run.metrics.get("confusion"), run.metrics.get("labels")
    if not counts or not labels or np.shape(counts) != (len(labels), len(labels)):
        return None
    return plots.plot_confusion(np.array(counts, np.int64), labels)


def compare_settings(runs: Sequence[TrainingRun]) -> list[dict[str, str]]:
    """The settings that differ between the runs; for one run, those that differ from the defaults."""
    from mien.training.recipe import Recipe

    recipes = {run.name: run.recipe for run in runs if run.recipe is not None}
    if not recipes:
        return []
    first, *others = recipes.values()
    keys = [key for other in others or [Recipe()] for key in first.difference(other) if key != "name"]
    tables = {name: _flatten(recipe.to_table()) for name, recipe in recipes.items()}
    if not others:
        tables["default"] = _flatten(Recipe().to_table())
    return [
        {"Setting": key, **{name: f"{table[key]}" for name, table in tables.items()}} for key in dict.fromkeys(keys)
    ]


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def compare_runs(runs: Sequence[TrainingRun]) -> Comparison | None:
    """The comparison of the evaluated runs; None if fewer than two are."""
    from mien.evaluation import compare

    models = []
    for run in runs:
        try:
            model = compare.read_evaluation(run.folder)
        except ExperimentError:  # its files are incomplete
            continue
        if model:
            models.append(model)
    return compare.compare_models(models) if len(models) > 1 else None
