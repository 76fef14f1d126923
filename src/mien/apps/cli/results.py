"""How results are printed: as JSON lines, as plain lines for pipes, as a table on a terminal, and as CSV rows.

Wording: always what the expression looks like, never what the person feels.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, repeat
from textwrap import wrap
from typing import TYPE_CHECKING, TypeAlias

from mien import text
from mien.apps.cli.console import (
    STDOUT,
    can_encode,
    convert_output_errors,
    escape_controls,
    is_terminal,
    open_table,
    print_line,
    print_note,
)
from mien.labels import label_colour, label_emoji
from mien.results import Emotions, Failure, FrameResult, Reading

if TYPE_CHECKING:
    from rich.console import Console

ResultWriter: TypeAlias = Callable[[FrameResult | Failure], None]

#: A line of the table: texts without and with a style.
_Line: TypeAlias = tuple[str | tuple[str, str], ...]


@contextmanager
def open_output(
    as_json: bool, csv: str | None, labels: Sequence[str], vote_labels: Sequence[str] = ()
) -> Iterator[ResultWriter]:
    """A function that prints each result, and writes its rows to the table ``csv``: a file, or stdout for ``-``."""
    print_result = _select_printer(as_json, failures_only=csv == STDOUT)
    if csv is None:
        yield print_result
        return
    from mien.table import CsvTable

    with ExitStack() as stack:
        with convert_output_errors(csv):
            stream = stack.enter_context(open_table(csv))
            table = CsvTable(stream, labels, vote_labels)

        def write(result: FrameResult | Failure) -> None:
            print_result(result)
            with convert_output_errors(csv):
                table.write(result)

        yield write


def _select_printer(as_json: bool, failures_only: bool) -> ResultWriter:
    """The printer for stdout; ``failures_only`` if stdout belongs to a table."""
    if as_json:
        # JSON is UTF-8 everywhere; a file name that cannot be encoded becomes an escape that JSON has for it.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        return lambda result: print_line(result.to_json())
    if is_terminal(sys.stdout) and not failures_only:
        # rich is imported only for a terminal: it would cost a pipe 50 ms.
        from rich.console import Console

        print_faces = ResultTable(Console(highlight=False, emoji=False, markup=False)).print
    else:
        print_faces = _print_plain

    def print_result(result: FrameResult | Failure) -> None:
        if isinstance(result, Failure):
            print_note(format_failure(result))
        elif not failures_only:
            print_faces(result)

    return print_result


def format_failure(failure: Failure) -> str:
    """The failure in one line that contains the name of the image exactly once."""
    name, message = escape_controls(failure.source), escape_controls(str(failure.error))
    return f"mien: {message if name in message else f'{name}: {message}'}"


def _print_plain(result: FrameResult) -> None:
    """One line for each face, for pipes and log files, always in the same format."""
    name, count = escape_controls(result.source), len(result)
    if not count:
        print_line(f"{name}: no face found")
    for number, reading in enumerate(result.readings, 1):
        print_line(f"{name}: face {number} of {count} {_format_face(reading)}")


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


# The table

#: On terminals with fewer columns the name of an image gets a line of its own.
NARROW = 72

#: Ranked probabilities differ in shade as well as in colour, for readers and terminals without colour.
SHADES = "█▓▒░"

#: Width of the expression in cells. Only "😏 looks contemptuous" is longer, by three cells, and is cut.
_EXPRESSION_WIDTH = 18


class ResultTable:
    """A line for each face, with a bar of the ranked probabilities, printed result by result.

    No result is kept, so that a folder of any size can be printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = console.width
        self._narrow = self._width < NARROW
        self._ascii = not can_encode(f"😊…{SHADES}", console.encoding)
        self._ellipsis = "~" if self._ascii else "…"
        self._has_header = self._narrow  # a narrow terminal has no columns, and no titles

    def print(self, result: FrameResult) -> None:
        """Print the lines of a result; before the first one, the titles of the columns."""
        from rich.text import Text

        header = () if self._has_header else (self._header(),)
        self._has_header = True
        for line in (*header, *self._rows(result)):
            self._console.print(Text.assemble(*line), soft_wrap=True)

    def _header(self) -> _Line:
        name, bar, rest = self._column_widths()
        titles = (
            ("image", name),
            ("expression", _EXPRESSION_WIDTH),
            ("probability", bar + 6),
            ("predicted votes", rest),
        )
        return (("  ".join(title[:width].ljust(width) for title, width in titles).rstrip(), "dim"),)

    def _rows(self, result: FrameResult) -> Iterator[_Line]:
        name = escape_controls(result.source)
        if self._narrow:
            yield ((_shorten(name, self._width, self._ellipsis), "bold"),)
        if not result.readings:
            indent = "" if self._narrow else _fit(name, self._column_widths()[0], self._ellipsis) + "  "
            yield indent, ("no face found", "dim")
        for i, reading in enumerate(result.readings, 1):
            number = f" {i}" if len(result) > 1 else ""
            yield from self._narrow_rows(reading) if self._narrow else self._wide_rows(reading, name, number)
            name = ""

    def _wide_rows(self, reading: Reading, name: str, number: str) -> Iterator[_Line]:
        column, bar, rest = self._column_widths()
        first, *more = _wrap_mixture(reading.emotions, rest) or [""]
        yield (
            (_fit(name, column - len(number), self._ellipsis), "bold"),
            (number, "dim"),
            "  ",
            *self._format_expression(reading.emotions),
            "  ",
            *self._format_bar(reading.emotions, bar),
            f" {text.format_percent(reading.emotions[reading.emotions.top]):>5}  ",
            first,
        )
        yield from ((" " * (self._width - rest) + line,) for line in more)
        yield from _doubt_rows(reading, " " * (column + 2), self._width)

    def _narrow_rows(self, reading: Reading) -> Iterator[_Line]:
        bar = max(0, min(20, self._width - _EXPRESSION_WIDTH - 7))
        yield (
            *self._format_expression(reading.emotions),
            " ",
            *self._format_bar(reading.emotions, bar),
            f" {text.format_percent(reading.emotions[reading.emotions.top]):>5}",
        )
        if len(reading.emotions.mixture) > 1:
            yield from ((line,) for line in _wrap_mixture(reading.emotions, self._width, "   "))
        yield from _doubt_rows(reading, "   ", self._width)

    def _column_widths(self) -> tuple[int, int, int]:
        """The widths of the name, the bar and the predicted votes; the other columns have a fixed width."""
        free = self._width - _EXPRESSION_WIDTH - 6 - 6
        bar = max(8, free // 4)
        name = max(14, (free - bar) * 2 // 5)
        return name, bar, free - bar - name

    def _format_expression(self, emotions: Emotions) -> _Line:
        from rich.cells import cell_len

        label = emotions.top
        mark = "" if self._ascii else f"{label_emoji(label)} "
        return mark, (
            _fit(describe_expression(label), _EXPRESSION_WIDTH - cell_len(mark)),
            label_colour(label, emotions.labels),
        )

    def _format_bar(self, emotions: Emotions, width: int) -> _Line:
        """The parts of the bar with their colours. Rounding never makes it longer than its width."""
        shades = "#=-." if self._ascii else SHADES
        parts: list[tuple[str, str]] = []
        total, used = 0.0, 0
        for (label, score), shade in zip(emotions.ranked(), chain(shades, repeat(shades[-1])), strict=False):
            total += score
            end = min(width, round(total * width))
            if end > used:
                parts.append((shade * (end - used), label_colour(label, emotions.labels)))
            used = end
        return (*parts, (" " * (width - used), ""))


def _doubt_rows(reading: Reading, indent: str, width: int) -> Iterator[_Line]:
    for doubt in text.describe_doubts(reading):
        for line in wrap(escape_controls(doubt), width, initial_indent=indent, subsequent_indent=indent):
            yield ((line, "italic dim"),)


def _wrap_mixture(emotions: Emotions, width: int, indent: str = "") -> list[str]:
    """The mixture in lines that break between expressions and never inside one."""
    unbroken = escape_controls(text.join_scores(emotions.mixture)).replace(" ", "\u00a0").replace(",\u00a0", ", ")
    lines = wrap(unbroken, width, initial_indent=indent, subsequent_indent=indent)
    return [line.replace("\u00a0", " ") for line in lines]


def _fit(words: str, width: int, ellipsis: str = "…") -> str:
    from rich.cells import set_cell_size

    return set_cell_size(_shorten(words, width, ellipsis), width)


def _shorten(words: str, width: int, ellipsis: str = "…") -> str:
    """A long name loses its beginning, because its end names the file."""
    from rich.cells import cell_len

    if cell_len(words) <= width:
        return words
    while cell_len(words) > width - 1:
        words = words[1:]
    return ellipsis + words
