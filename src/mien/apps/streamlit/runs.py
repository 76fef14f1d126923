"""Training runs as rows and figures: what their folders tell, through the laboratory's own eyes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.apps.session.model_cards import percent
from mien.errors import ExperimentError, MissingExtra, install_command

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mien.evaluation.compare import Comparison
    from mien.training.run_folder import TrainingRun


@contextmanager
def require_lab() -> Iterator[None]:
    """Inside, a package of the laboratory that is missing becomes the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "mien":
            raise
        expected = "This page needs the extra 'lab'"
        raise MissingExtra(f"{missing.name} is not installed", expected, f"Run {install_command('lab')}") from missing


def run_row(run: TrainingRun) -> dict[str, Any]:
    """A run as a line of a table."""
    planned = run.recipe.training.epochs if run.recipe else None
    return {
        "Run": run.name,
        "State": run.state,
        "Net": run.recipe.net.name if run.recipe else "?",
        "Epochs": f"{run.epochs} of {planned or '?'}",
        "Best held out": run.best[0] if run.best else None,
        "In epoch": run.best[1] if run.best else None,
        "Score": run.metrics.get("accuracy"),
        "Split": run.metrics.get("split", ""),
        "Minutes": round(run.seconds / 60, 1),
        "Begun": _when(run.environment.get("begun")),
    }


def plot_curves(runs: Sequence[TrainingRun]) -> Figure | None:
    """Accuracy and loss of all that have a whole epoch; None where none has."""
    from mien import plots

    told = {run.name: run.history for run in runs if run.history}
    return plots.plot_runs(told) if told else None


def plot_confusion(run: TrainingRun) -> Figure | None:
    """What was shown against what was answered; None until a run has its figures."""
    from mien import plots

    counts, labels = run.metrics.get("confusion"), run.metrics.get("labels")
    if not counts or not labels or np.shape(counts) != (len(labels), len(labels)):
        return None
    return plots.plot_confusion(np.array(counts, np.int64), labels)


def compare_settings(runs: Sequence[TrainingRun]) -> list[dict[str, str]]:
    """The settings that are not the same in all runs; of one, those that are not as usual."""
    from mien.training.recipe import Recipe

    recipes = {run.name: run.recipe for run in runs if run.recipe is not None}
    if not recipes:
        return []
    first, *others = recipes.values()
    rivals = others or [Recipe()]
    keys = dict.fromkeys(key for other in rivals for key in first.difference(other) if key != "name")
    tables = {name: _flat(recipe.to_table()) for name, recipe in recipes.items()}
    if not others:
        tables["usual"] = _flat(Recipe().to_table())
    return [{"Setting": key, **{name: f"{table[key]}" for name, table in tables.items()}} for key in keys]


def compare_runs(runs: Sequence[TrainingRun]) -> Comparison | None:
    """The comparison of those that were evaluated; None where fewer than two were."""
    from mien.evaluation import compare

    entries = [found for run in runs if (found := _entry(run))]
    return compare.compare_models(entries) if len(entries) > 1 else None


def run_numbers(run: TrainingRun) -> list[tuple[str, str]]:
    """The figures that matter most."""
    accuracy = run.metrics.get("accuracy")
    return [
        ("State", run.state),
        ("Epochs", f"{run_row(run)['Epochs']}"),
        ("Best held out", percent(run.best[0]) if run.best else "–"),
        (f"Score, {run.metrics.get('split', 'not yet')}", "–" if accuracy is None else percent(accuracy)),
    ]


def _entry(run: TrainingRun) -> Any:
    from mien.evaluation import compare

    try:
        return compare.read_evaluation(run.folder)
    except ExperimentError:
        return None


def _flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return flat


def _when(moment: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(moment or ""))
    except ValueError:
        return None
