"""How results are printed: as JSON lines, as plain lines for pipes, as a table on a terminal, and as CSV rows.

Wording: always what the expression looks like, never what the person feels.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeAlias

from mien import text
from mien.apps.cli.console import escape_controls, is_terminal, print_line, print_note
from mien.apps.cli.sources import STDOUT
from mien.errors import OutputError
from mien.results import Failure, FrameResult, Reading

ResultPrinter: TypeAlias = Callable[[FrameResult | Failure], None]
RowWriter: TypeAlias = Callable[[FrameResult | Failure], None]


def select_printer(as_json: bool, failures_only: bool) -> ResultPrinter:
    """The printer for stdout; ``failures_only`` if stdout belongs to a table."""
    if as_json:
        # JSON is UTF-8 everywhere; a file name that cannot be encoded becomes an escape that JSON has for it.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        return lambda result: print_line(result.to_json())
    if failures_only:
        return lambda result: print_note(format_failure(result)) if isinstance(result, Failure) else None
    return _make_table_printer() if is_terminal(sys.stdout) else _print_plain


def _print_plain(result: FrameResult | Failure) -> None:
    if isinstance(result, Failure):
        print_note(format_failure(result))
        return
    for line in format_plain(result):
        print_line(line)


def _make_table_printer() -> ResultPrinter:
    # rich is imported only for a terminal: it would cost a pipe 50 ms.
    from rich.console import Console

    from mien.apps.cli.result_table import ResultTable

    table = ResultTable(Console(highlight=False, emoji=False, markup=False))
    header = table.header()

    def print_rows(result: FrameResult | Failure) -> None:
        if isinstance(result, Failure):
            print_note(format_failure(result))
            return
        for line in (*header, *table.rows(result)):  # the header is an iterator: it is printed once
            table.print(line)

    return print_rows


def format_failure(failure: Failure) -> str:
    """The failure in one line that contains the name of the image exactly once."""
    name, message = escape_controls(failure.source), escape_controls(str(failure.error))
    return f"mien: {message if name in message else f'{name}: {message}'}"


def format_plain(result: FrameResult) -> Sequence[str]:
    """A result as lines for pipes and log files: one line for each face, always in the same format."""
    name = escape_controls(result.source)
    count = len(result.readings)
    if not count:
        return [f"{name}: no face found"]
    return [f"{name}: face {i} of {count} {_format_face(reading)}" for i, reading in enumerate(result.readings, 1)]


def _format_face(reading: Reading) -> str:
    box, emotions = reading.face.box, reading.emotions
    label = emotions.top
    place = f"({box.width}x{box.height} at {box.x},{box.y})"
    parts = [f"{place} {describe_expression(label)}, {text.format_percent(emotions[label])}"]
    if emotions.mixture:
        parts.append(f"predicted votes: {escape_controls(text.join_scores(emotions.mixture))}")
    doubts = (escape_controls(doubt) for doubt in text.describe_doubts(reading))
    parts.extend(f"{doubt[0].lower()}{doubt[1:].rstrip('.')}" for doubt in doubts)
    return "; ".join(parts)


def describe_expression(label: str) -> str:
    """``looks happy``; labels come from model files and are escaped."""
    return escape_controls(text.describe_label(label))


@contextmanager
def open_row_writer(target: str | None, labels: Sequence[str]) -> Iterator[RowWriter]:
    """A function that writes the CSV rows of a result to a file, to stdout for ``-``, or nowhere for None."""
    if target is None:
        yield lambda result: None
        return
    from mien.table import CsvTable

    with ExitStack() as stack:
        with convert_write_errors(target):
            table = CsvTable(stack.enter_context(open_table(target)), labels)

        def write_rows(result: FrameResult | Failure) -> None:
            with convert_write_errors(target):
                table.write(result)

        yield write_rows


@contextmanager
def open_table(target: str) -> Iterator[IO[str]]:
    """A text stream for a table: a file, or stdout for ``-``."""
    if target == STDOUT:
        yield sys.stdout
        return
    stream = Path(target).open("w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115
    try:
        yield stream
    finally:
        with suppress(OSError):  # the rows of every image were flushed: a write error has been reported before
            stream.close()


@contextmanager
def convert_write_errors(target: str, option: str = "--csv") -> Iterator[None]:
    """Raise an OutputError for an OSError from writing inside."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        place = "stdout" if target == STDOUT else f"'{escape_controls(target)}'"
        raise OutputError(
            f"the table could not be written to {place}: {error.strerror or error}",
            "A writable place with free space was expected",
            f"Name another file with {option}",
        ) from error
