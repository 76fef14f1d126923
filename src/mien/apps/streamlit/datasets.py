"""Reports of data sets: of a path on this machine, of uploaded tables, or of synthetic faces."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mien.apps.session.uploads import Upload, hide_server_paths
from mien.errors import MienError, OutputError

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
        figures = [file for file in others if file != numbers]
        archive = _pack_zip(figures)
        return UploadedDataReport(dataset.path.name, page.read_text("utf-8"), numbers.read_text("utf-8"), archive)


def _pack_zip(files: Sequence[Path]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.write(file, file.name)
    return stream.getvalue()


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(prefix="mien-data-", ignore_cleanup_errors=True) as name:
            yield Path(name)
    except OSError as error:
        expected = "Free space on the disk was expected"
        raise OutputError(f"The report could not be written: {error.strerror}", expected) from error
