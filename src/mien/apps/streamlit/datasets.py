"""Sets of faces reported on for a visitor: from this computer, sent, or drawn."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mien.apps.streamlit.session_state import UploadedPhoto
from mien.errors import MienError, OutputError

#: Told what is being done.
Tell = Callable[[str], None]

#: How many faces are drawn for those who have none at hand.
DRAWN = 700


@dataclass(frozen=True, eq=False)
class UploadedDataReport:
    """A report as files: the page, the numbers as JSON, and every figure in one archive."""

    name: str
    page: str
    table: str
    figures: bytes


def report_path(path: Path, tell: Tell) -> UploadedDataReport:
    """Of a table, an array or a folder where it lies."""
    return _reported(path, tell, cached=True)


def report_uploads(files: Sequence[UploadedPhoto], tell: Tell) -> UploadedDataReport:
    """Of files that somebody sent; nothing of them is left when the report is made."""
    with _folder() as folder:
        for each in files:
            (folder / each.name).write_bytes(each.data)
        try:
            # One alone may be called anything; several are told apart by their names.
            return _reported(folder / files[0].name if len(files) == 1 else folder, tell, cached=False)
        except MienError as error:
            beats = (each.replace(f"{folder}/", "").replace(str(folder), "what was sent") for each in error.args)
            raise type(error)(*beats) from error


def report_synthetic(tell: Tell) -> UploadedDataReport:
    """Of drawn faces, for those who have no data at hand."""
    from mien.datasets import synthetic

    tell("drawing faces")
    with _folder() as folder:
        synthetic.write_synthetic(folder / "drawn", DRAWN)
        return replace(_reported(folder / "drawn", tell, cached=False), name="Drawn faces")


def _reported(path: Path, tell: Tell, *, cached: bool) -> UploadedDataReport:
    from mien.datasets import loading, report

    tell("reading")
    source = loading.load_dataset(path, cached=cached, progress=_steps(tell))
    with _folder() as folder:
        page, *others = report.write_report(report.analyze_dataset(source, tell), folder, tell)
        table = folder / report.TABLE
        figures = [each for each in others if each != table]
        return UploadedDataReport(source.path.name, page.read_text("utf-8"), table.read_text("utf-8"), _packed(figures))


def _steps(tell: Tell) -> Callable[[int, int], None]:
    return lambda done, whole: tell(f"reading, {100 * done // max(whole, 1)} %")


def _packed(files: Sequence[Path]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for each in files:
            archive.write(each, each.name)
    return stream.getvalue()


@contextmanager
def _folder() -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(prefix="mien-data-", ignore_cleanup_errors=True) as name:
            yield Path(name)
    except OSError as error:
        raise OutputError(f"The report could not be made: {error.strerror}", "Room on the disk was expected") from error
