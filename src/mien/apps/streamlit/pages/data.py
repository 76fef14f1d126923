"""The report of a data set: of an upload, of a path on this machine, or of synthetic faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from mien.apps.session.uploads import Upload
from mien.apps.streamlit import datasets, image_input, results, runs
from mien.apps.streamlit.datasets import Notify, UploadedDataReport
from mien.apps.streamlit.image_input import clean_file_name
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.server import is_loopback
from mien.apps.streamlit.session_state import drop_slot

#: The largest table, in megabytes.
_MAX_TABLE_MB = 200

#: Keys of the session state.
_FILES, _PATH, _REPORT = "tables", "path", "data report"


def draw_page() -> str | None:
    st.title("Report of a data set", anchor=False)
    st.markdown(
        "Classes and weights, samples, mean faces, brightness, duplicates, annotator votes, a map of the faces, and "
        "the findings of `mien data check`."
    )
    with runs.require_lab():
        if make := _choose_source():
            drop_slot(_REPORT)
            st.session_state[_REPORT] = _make_report(make)
    if report := st.session_state.get(_REPORT):
        _show_report(report)
    return None


def _choose_source() -> Callable[[Notify], UploadedDataReport] | None:
    """The function that makes the report, when a button has just been pressed."""
    uploads = st.file_uploader(
        "A table of faces",
        type=["csv", "npz"],
        accept_multiple_files=True,
        max_upload_size=_MAX_TABLE_MB,
        key=_FILES,
        help=f"fer2013.csv, with fer2013new.csv beside it if you have it, or an .npz; up to {_MAX_TABLE_MB} MB",
    )
    image_input.track_uploads("tables", uploads)
    # Visitors from other machines must not read the files of this one.
    is_local, path = is_loopback(st.get_option("server.address")), ""
    if is_local:
        label = "A file or folder on this computer"
        path = st.text_input(label, key=_PATH, placeholder="faces, or faces/fer2013.csv", help="It is not copied.")
    with st.container(horizontal=True):
        start = st.button("Make the report", type="primary", icon=":material/analytics:")
        synthetic = st.button("Try it with synthetic faces", icon=":material/draw:")
    if synthetic:
        return datasets.report_synthetic
    if start and path.strip():
        return lambda notify: datasets.report_path(Path(path.strip()).expanduser(), notify)
    if start and uploads:
        files = [Upload(clean_file_name(upload.name), upload.getvalue()) for upload in uploads]
        return lambda notify: datasets.report_uploads(files, notify)
    if start:
        alternative = ", or name a file or folder" if is_local else ""
        st.warning(f"Choose a table first{alternative}.", icon=":material/table:")
    return None


def _make_report(make: Callable[[Notify], UploadedDataReport]) -> UploadedDataReport:
    with st.status("Reading …", expanded=False) as status:
        report = make(lambda step: status.update(label=f"{step.capitalize()} …"))
        status.update(label="The report is ready.", state="complete")
    return report


def _show_report(report: UploadedDataReport) -> None:
    st.header(escape_markdown(report.name), anchor=False)
    stem = report.name.rpartition(".")[0] or report.name
    files: tuple[tuple[str, str, str, str | bytes], ...] = (
        ("Report", "html", "text/html", report.page),
        ("Numbers (JSON)", "json", "application/json", report.numbers),
        ("Figures (ZIP)", "zip", "application/zip", report.figures),
    )
    with st.container(horizontal=True):
        for title, suffix, media_type, data in files:
            name = f"{stem}-report.{suffix}"
            st.download_button(title, data, name, media_type, on_click="ignore", icon=":material/download:")
    results.show_html_page(report.page, f"The report of {report.name}", 1000)
