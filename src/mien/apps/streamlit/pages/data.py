"""The data report: what is in a set of faces, what is wrong with it, and what people say of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from mien.apps.streamlit import datasets, image_input, results, runs
from mien.apps.streamlit.datasets import UploadedDataReport
from mien.apps.streamlit.image_input import clean_file_name
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.server import is_loopback
from mien.apps.streamlit.session_state import UploadedPhoto, drop_slot
from mien.apps.streamlit.settings import TABLE_MB

_SAVE = ":material/download:"

_FILES, _PATH, _REPORT = "tables", "path", "data report"


def page() -> str | None:
    st.title("What is in the data?", anchor=False)
    st.markdown(
        "A report of a set of faces: classes and weights, samples, mean faces, light, copies, what ten people said, a "
        "map of the faces, and what a check finds."
    )
    with runs.require_lab():
        if make := _chosen():
            drop_slot(_REPORT)
            st.session_state[_REPORT] = _made(make)
    if report := st.session_state.get(_REPORT):
        _result(report)
    return None


def _chosen() -> Callable[[datasets.Tell], UploadedDataReport] | None:
    """What is to be reported on, when somebody has just said so."""
    local = is_loopback(st.get_option("server.address"))
    told = f"fer2013.csv, with fer2013new.csv beside it if there is one, or an .npz; up to {TABLE_MB} MB"
    given = st.file_uploader(
        "A table of faces",
        type=["csv", "npz"],
        accept_multiple_files=True,
        max_upload_size=TABLE_MB,
        key=_FILES,
        help=told,
    )
    image_input.track_uploads("tables", given)
    path = ""
    if local:
        place = "A file or folder on this computer"
        path = st.text_input(place, key=_PATH, placeholder="faces, or faces/fer2013.csv", help="Read where it lies.")
    with st.container(horizontal=True):
        wanted = st.button("Make the report", type="primary", icon=":material/analytics:")
        drawn = st.button("Try it with drawn faces", icon=":material/draw:")
    if drawn:
        return datasets.report_synthetic
    if wanted and path.strip():
        return lambda tell: datasets.report_path(Path(path.strip()).expanduser(), tell)
    if wanted and given:
        files = [UploadedPhoto(clean_file_name(each.name), each.getvalue()) for each in given]
        return lambda tell: datasets.report_uploads(files, tell)
    if wanted:
        st.warning("Choose a table first" + (", or name a file or folder." if local else "."), icon=":material/table:")
    return None


def _made(make: Callable[[datasets.Tell], UploadedDataReport]) -> UploadedDataReport:
    with st.status("Reading …", expanded=False) as status:

        def tell(told: str) -> None:
            status.update(label=f"{told.capitalize()} …")

        report = make(tell)
        status.update(label="The report is made.", state="complete")
    return report


def _result(report: UploadedDataReport) -> None:
    st.header(escape_markdown(report.name), anchor=False)
    with st.container(horizontal=True):
        stem = report.name.rpartition(".")[0] or report.name
        files: tuple[tuple[str, str, str, str | bytes], ...] = (
            ("Report", "html", "text/html", report.page),
            ("Numbers (JSON)", "json", "application/json", report.table),
            ("Figures (ZIP)", "zip", "application/zip", report.figures),
        )
        for called, suffix, kind, data in files:
            st.download_button(called, data, f"{stem}-report.{suffix}", kind, on_click="ignore", icon=_SAVE)
    results.show_html_page(report.page, f"The report of {report.name}", 1000)
