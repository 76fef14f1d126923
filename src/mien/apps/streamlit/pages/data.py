"""The report of a data set: of an upload, of a path on this machine, or of synthetic faces."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from mien.apps.session.uploads import Upload, hide_server_paths
from mien.apps.streamlit import results
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.server import is_loopback
from mien.apps.streamlit.session_state import clean_file_name, track_uploads
from mien.errors import MienError, OutputError

#: The largest table, in megabytes: the original fer2013.csv has 270.
_MAX_TABLE_MB = 400

#: Keys of the session state.
_FILES, _PATH, _REPORT = "tables", "path", "data report"


def draw_page() -> str | None:
    st.title("Report of a data set", anchor=False)
    st.markdown(
        "Classes and weights, samples, mean faces, brightness, duplicates, annotator votes, a map of the faces, and "
        "the findings of `mien data check`."
    )
    with results.require_lab():
        if make := _choose_source():
            st.session_state.pop(_REPORT, None)
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
    track_uploads("tables", uploads)
    # Visitors from other machines must not read the files of this one.
    is_local, path = is_loopback(st.get_option("server.address")), ""
    if is_local:
        label = "A file or folder on this computer"
        path = st.text_input(label, key=_PATH, placeholder="faces, or faces/fer2013.csv", help="It is not copied.")
    with st.container(horizontal=True):
        start = st.button("Make the report", type="primary", icon=":material/analytics:")
        synthetic = st.button("Try it with synthetic faces", icon=":material/draw:")
    if synthetic:
        return report_synthetic
    if start and path.strip():
        return lambda notify: report_path(Path(path.strip()).expanduser(), notify)
    if start and uploads:
        files = [Upload(clean_file_name(upload.name), upload.getvalue()) for upload in uploads]
        return lambda notify: report_uploads(files, notify)
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
            results.show_download(title, data, f"{stem}-report.{suffix}", media_type)
    st.iframe(report.page, alt=f"The report of {report.name}", height=1000)


#: Called with what is being done at the moment.
Notify = Callable[[str], None]

#: The number of synthetic faces for visitors without data.
SYNTHETIC_FACES = 700


@dataclass(frozen=True, eq=False)
class UploadedDataReport:
    """A report: the page as HTML, the numbers as JSON, and the figures as a ZIP archive."""

    name: str
    page: str
    numbers: str
    figures: bytes


def report_path(path: Path, notify: Notify) -> UploadedDataReport:
    """The report of a table, an array or a folder on this machine."""
    return _report(path, notify, cached=True)


def report_uploads(uploads: Sequence[Upload], notify: Notify) -> UploadedDataReport:
    """The report of uploaded files, which are deleted when it is made."""
    with _temporary_folder() as folder:
        for upload in uploads:
            (folder / upload.name).write_bytes(upload.data)
        # A single file may have any name; several are recognised by their names.
        path = folder / uploads[0].name if len(uploads) == 1 else folder
        try:
            return _report(path, notify, cached=False)
        except MienError as error:
            hidden = hide_server_paths(error, folder / uploads[0].name, uploads[0].name)
            raise hide_server_paths(hidden, folder, "the upload") from error


def report_synthetic(notify: Notify, count: int = SYNTHETIC_FACES) -> UploadedDataReport:
    """The report of synthetic faces."""
    from mien.datasets import synthetic

    notify("drawing faces")
    with _temporary_folder() as folder:
        synthetic.write_synthetic(folder / "synthetic", count)
        return replace(_report(folder / "synthetic", notify, cached=False), name="Synthetic faces")


def _report(path: Path, notify: Notify, *, cached: bool) -> UploadedDataReport:
    from mien.datasets import report
    from mien.datasets.loading import load_dataset

    def show_progress(done: int, total: int) -> None:
        notify(f"reading, {100 * done // max(total, 1)} %")

    notify("reading")
    dataset = load_dataset(path, cached=cached, progress=show_progress)
    with _temporary_folder() as folder:
        page, *others = report.write_report(report.analyze_dataset(dataset, notify), folder, notify)
        numbers = folder / report.TABLE
        archive = results.pack_zip({file.name: file.read_bytes() for file in others if file != numbers})
        return UploadedDataReport(dataset.path.name, page.read_text("utf-8"), numbers.read_text("utf-8"), archive)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(prefix="mien-data-", ignore_cleanup_errors=True) as name:
            yield Path(name)
    except OSError as error:
        expected = "Free space on the disk was expected"
        raise OutputError(f"The report could not be written: {error.strerror}", expected) from error
