"""Training runs: how each went, and several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from mien.apps.streamlit import results
from mien.apps.streamlit import runs as trials
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.settings import load_page_settings

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

    from mien.training.run_folder import TrainingRun

#: So many are compared at once: columns stay wide enough to be read.
_MOST = 4


def page() -> str | None:
    st.title("Experiments", anchor=False)
    with trials.require_lab():
        from mien.training.run_folder import RUNS_FOLDER, list_runs

        home = load_page_settings().runs or RUNS_FOLDER
        _page(list(list_runs(home)), f"{home}")
    return None


def _page(found: Sequence[TrainingRun], home: str) -> None:
    if not found:
        st.info(
            f"There are no training runs in the folder **{escape_markdown(home)}**. `mien train` makes one; "
            "`mien streamlit --runs DIR` looks elsewhere.",
            icon=":material/science:",
        )
        return
    st.markdown(f"{len(found)} training runs in **{escape_markdown(home)}**, read anew whenever this page is.")
    _table(found)
    names = [run.name for run in found]
    chosen = st.multiselect(
        "Look at, side by side", names, default=names[:1], max_selections=_MOST, key="run", bind="query-params"
    )
    runs = [run for run in found if run.name in chosen]
    if runs:
        _side_by_side(runs)


def _table(found: Sequence[TrainingRun]) -> None:
    st.dataframe(
        [trials.run_row(run) for run in found],
        hide_index=True,
        column_config={
            **{name: _share() for name in ("Best held out", "Score")},
            "Begun": st.column_config.DatetimeColumn(format="YYYY-MM-DD"),
        },
    )


def _share() -> ColumnConfig:
    return st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)


def _side_by_side(runs: Sequence[TrainingRun]) -> None:
    _numbers(runs)
    st.header("Curves", anchor=False)
    if curves := trials.plot_curves(runs):
        with st.container(width=820):
            results.show_figure(curves, f"Accuracy and loss, epoch by epoch, of {', '.join(run.name for run in runs)}")
    else:
        st.info("No whole epoch yet.", icon=":material/hourglass:")
    _confusions(runs)
    if len(runs) > 1:
        _comparison(runs)
    _settings(runs)


def _numbers(runs: Sequence[TrainingRun]) -> None:
    for run in runs:
        with st.container(border=True):
            st.markdown(f"**{escape_markdown(run.name)}**")
            with st.container(horizontal=True, gap="large"):
                for name, value in trials.run_numbers(run):
                    st.metric(name, value, width="content")


def _confusions(runs: Sequence[TrainingRun]) -> None:
    st.header("Confusion", anchor=False)
    width = max(min(len(runs), 2), 1)
    columns = st.columns(width)
    for place, run in enumerate(runs):
        with columns[place % width]:
            st.markdown(f"**{escape_markdown(run.name)}**")
            if drawn := trials.plot_confusion(run):
                with st.container(width=620):
                    results.show_figure(drawn, f"The confusion matrix of {run.name}")
            else:
                st.caption("Drawn when the run is finished.")


def _comparison(runs: Sequence[TrainingRun]) -> None:
    from mien.evaluation import comparison_report

    st.header("Compared", anchor=False)
    found = trials.compare_runs(runs)
    if found is None:
        st.info("Two finished runs are compared in a table.", icon=":material/balance:")
        return
    st.dataframe(comparison_report.table_rows(found), hide_index=True)
    st.markdown(escape_markdown(" ".join(comparison_report.summary_sentences(found))))
    with st.container(width=820):
        results.show_figure(comparison_report.plot_comparison(found), "Accuracy against speed")


def _settings(runs: Sequence[TrainingRun]) -> None:
    st.header("Settings that differ", anchor=False)
    if rows := trials.compare_settings(runs):
        st.dataframe(rows, hide_index=True)
    else:
        st.caption("None: these runs have the same settings." if len(runs) > 1 else "None: all is as usual.")
