"""Training runs: the curves and results of each, and several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from mien.apps.session.model_cards import format_score
from mien.apps.streamlit import results
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.server import load_page_settings
from mien.errors import ExperimentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mien.evaluation.compare import Comparison
    from mien.training.run_folder import TrainingRun

#: The most runs side by side: more columns would be too narrow.
_MAX_RUNS = 4

_PLOT_WIDTH, _CONFUSION_WIDTH = 820, 620


def draw_page() -> str | None:
    st.title("Experiments", anchor=False)
    with results.require_lab():
        from mien.training.run_folder import RUNS_FOLDER, list_runs

        folder = load_page_settings().runs or RUNS_FOLDER
        _show_runs(list(list_runs(folder)), escape_markdown(f"{folder}"))
    return None


def _show_runs(all_runs: Sequence[TrainingRun], folder: str) -> None:
    if not all_runs:
        st.info(
            f"There are no training runs in the folder **{folder}**. `mien train` makes one; "
            "`mien streamlit --runs DIR` names another folder.",
            icon=":material/science:",
        )
        return
    st.markdown(f"{len(all_runs)} training runs in **{folder}**, read again whenever this page is drawn.")
    part = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
    date = st.column_config.DatetimeColumn(format="YYYY-MM-DD")
    st.dataframe(
        [run_row(run) for run in all_runs],
        hide_index=True,
        column_config={"Validation accuracy": part, "Test accuracy": part, "Started": date},
    )
    names = [run.name for run in all_runs]
    selected = st.multiselect(
        "Side by side", names, default=names[:1], max_selections=_MAX_RUNS, key="run", bind="query-params"
    )
    selected_runs = [run for run in all_runs if run.name in selected]
    if not selected_runs:
        return
    _show_numbers(selected_runs)
    _show_curves(selected_runs)
    _show_confusion(selected_runs)
    if len(selected_runs) > 1:
        _show_comparison(selected_runs)
    _show_settings(selected_runs)


def _show_numbers(selected_runs: Sequence[TrainingRun]) -> None:
    for run in selected_runs:
        with st.container(border=True):
            st.markdown(f"**{escape_markdown(run.name)}**")
            with st.container(horizontal=True, gap="large"):
                for name, value in run_numbers(run):
                    st.metric(name, value, width="content")


def _show_curves(selected_runs: Sequence[TrainingRun]) -> None:
    st.header("Curves", anchor=False)
    figure = plot_curves(selected_runs)
    if figure is None:
        st.info("No complete epoch yet.", icon=":material/hourglass:")
        return
    names = ", ".join(run.name for run in selected_runs)
    with st.container(width=_PLOT_WIDTH):
        results.show_figure(figure, f"Accuracy and loss of each epoch of {names}")


def _show_confusion(selected_runs: Sequence[TrainingRun]) -> None:
    st.header("Confusion matrix (counts)", anchor=False)
    columns = st.columns(min(len(selected_runs), 2))
    for index, run in enumerate(selected_runs):
        with columns[index % len(columns)]:
            st.markdown(f"**{escape_markdown(run.name)}**")
            figure = plot_confusion(run)
            if figure is None:
                st.caption("Available when the run is finished.")
                continue
            with st.container(width=_CONFUSION_WIDTH):
                results.show_figure(figure, f"The confusion matrix of {run.name}")


def _show_comparison(selected_runs: Sequence[TrainingRun]) -> None:
    from mien.evaluation import compare

    st.header("Comparison", anchor=False)
    comparison = compare_runs(selected_runs)
    if comparison is None:
        st.info("The comparison needs two finished runs.", icon=":material/balance:")
        return
    st.dataframe(compare.table_rows(comparison), hide_index=True)
    st.markdown(escape_markdown(" ".join(compare.summary_sentences(comparison))))
    if figure := compare.plot_comparison(comparison, [run.name for run in selected_runs]):
        with st.container(width=_PLOT_WIDTH):
            results.show_figure(figure, "Accuracy against speed")


def _show_settings(selected_runs: Sequence[TrainingRun]) -> None:
    st.header("Settings that differ", anchor=False)
    if rows := compare_settings(selected_runs):
        st.dataframe(rows, hide_index=True)
    elif len(selected_runs) > 1:
        st.caption("None: these runs have the same settings.")
    else:
        st.caption("None: all settings are the defaults.")


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
    return plots.plot_runs(histories, plots.assign_colours(run.name for run in runs)) if histories else None


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
