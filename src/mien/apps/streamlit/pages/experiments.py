"""Training runs: the curves and results of each, and several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from mien.apps.streamlit import results, runs
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.settings import load_page_settings

if TYPE_CHECKING:
    from mien.training.run_folder import TrainingRun

#: The most runs side by side: more columns would be too narrow.
_MAX_RUNS = 4

_PLOT_WIDTH, _CONFUSION_WIDTH = 820, 620


def draw_page() -> str | None:
    st.title("Experiments", anchor=False)
    with runs.require_lab():
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
        [runs.run_row(run) for run in all_runs],
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
                for name, value in runs.run_numbers(run):
                    st.metric(name, value, width="content")


def _show_curves(selected_runs: Sequence[TrainingRun]) -> None:
    st.header("Curves", anchor=False)
    figure = runs.plot_curves(selected_runs)
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
            figure = runs.plot_confusion(run)
            if figure is None:
                st.caption("Available when the run is finished.")
                continue
            with st.container(width=_CONFUSION_WIDTH):
                results.show_figure(figure, f"The confusion matrix of {run.name}")


def _show_comparison(selected_runs: Sequence[TrainingRun]) -> None:
    from mien.evaluation import comparison_report

    st.header("Comparison", anchor=False)
    comparison = runs.compare_runs(selected_runs)
    if comparison is None:
        st.info("The comparison needs two finished runs.", icon=":material/balance:")
        return
    st.dataframe(comparison_report.table_rows(comparison), hide_index=True)
    st.markdown(escape_markdown(" ".join(comparison_report.summary_sentences(comparison))))
    with st.container(width=_PLOT_WIDTH):
        results.show_figure(comparison_report.plot_comparison(comparison), "Accuracy against speed")


def _show_settings(selected_runs: Sequence[TrainingRun]) -> None:
    st.header("Settings that differ", anchor=False)
    if rows := runs.compare_settings(selected_runs):
        st.dataframe(rows, hide_index=True)
    elif len(selected_runs) > 1:
        st.caption("None: these runs have the same settings.")
    else:
        st.caption("None: all settings are the defaults.")
