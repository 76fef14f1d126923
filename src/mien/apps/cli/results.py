"""The one hint mien gives unasked: that a better face finder can be fetched."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path
from textwrap import wrap
from typing import IO, TYPE_CHECKING, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from mien import text
from mien.apps.cli.console import can_encode, escape_controls, is_terminal, print_line, print_note
from mien.apps.cli.sources import STDOUT
from mien.errors import OutputError
from mien.labels import colour, emoji
from mien.models import cache_folder
from mien.results import Emotions, Failure, FrameResult, Reading

if TYPE_CHECKING:
    from mien.results import FrameResult, Reading, Score


#: A run that took this many seconds of reading is one that YuNet would have shortened.
SLOW = 1.0

_HINT = "Faces were found with haar. 'mien models pull yunet' fetches a faster and better finder, once."


def suggest_yunet(seconds: float) -> None:
    """Say it after the first slow run; an empty file in mien's cache folder remembers that it was said."""
    said = cache_folder() / "hint-yunet"
    if seconds < SLOW or os.path.lexists(said):
        return
    print_note(_HINT)
    try:
        said.parent.mkdir(parents=True, exist_ok=True)
        said.touch()
    except OSError:
        pass  # a folder that cannot be written to costs a repeated hint and nothing else


# ==== mien.apps.cli.words
# What a reading says, in words: always what the expression looks like, never what the person feels.


def describe_expression(label: str) -> str:
    return escape_controls(text.looks(label))


def percent(share: float) -> str:
    return text.percent(share)


def format_scores(shares: Iterable[Score]) -> str:
    """``60 % sad, 30 % neutral``; nothing for no shares."""
    return escape_controls(text.listed(shares))


def list_doubts(reading: Reading) -> tuple[str, ...]:
    """What speaks against trusting this reading, each in a phrase; empty when nothing does."""
    unsure = reading.emotions.uncertain
    quality = reading.quality
    return tuple(
        phrase
        for phrase in (
            f"unsure: {unsure}" if unsure else "",
            "" if quality.ok else f"hard to judge: {quality.reason or 'the face is not clear'}",
        )
        if phrase
    )


def format_plain(result: FrameResult) -> Sequence[str]:
    """A result for pipes and files that are read by people: one line a face, always in the same form."""
    name = escape_controls(result.source)
    faces = result.readings
    if not faces:
        return [f"{name}: no face found"]
    return [f"{name}: face {i} of {len(faces)} {_plain(reading)}" for i, reading in enumerate(faces, 1)]


def _plain(reading: Reading) -> str:
    box, emotions = reading.face.box, reading.emotions
    mixture = f"people would say {format_scores(emotions.mixture)}" if emotions.mixture else ""
    said = [
        f"({box.width}x{box.height} at {box.x},{box.y}) {describe_expression(emotions.top)}, {percent(emotions[emotions.top])}",
        *filter(None, [mixture]),
        *list_doubts(reading),
    ]
    return "; ".join(said)


# ==== mien.apps.cli.rows
# ``--csv``: one row for each face, through the report room.

WriteRows: TypeAlias = Callable[[FrameResult | Failure], None]


@contextmanager
def open_row_writer(target: str | None, labels: Sequence[str]) -> Iterator[WriteRows]:
    """What writes a result's rows: to a file, to stdout for ``-``, or nowhere."""
    if target is None:
        yield lambda result: None
        return
    from mien.table import CsvTable  # imported by those who want a table

    with ExitStack() as stack:
        with convert_write_errors(target):
            table = CsvTable(stack.enter_context(open_table(target)), labels)

        def write(result: FrameResult | Failure) -> None:
            with convert_write_errors(target):
                table.write(result)

        yield write


@contextmanager
def open_table(target: str) -> Iterator[IO[str]]:
    """A file for tables, or stdout for ``-``."""
    if target == STDOUT:
        yield sys.stdout
        return
    stream = Path(target).open("w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115
    try:
        yield stream
    finally:
        with suppress(OSError):  # every picture's rows were flushed: what could go wrong has been said
            stream.close()


@contextmanager
def convert_write_errors(target: str, option: str = "--csv") -> Iterator[None]:
    """Inside, what goes wrong with writing is told in our words."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        where = "stdout" if target == STDOUT else f"'{escape_controls(target)}'"
        raise OutputError(
            f"the table could not be written to {where}: {error.strerror or error}",
            "A place with room that may be written to was expected",
            f"Name another file with {option}",
        ) from error


# ==== mien.apps.cli.table
# Results as a table on a terminal: one line a face, a bar of its ranked shares, and what to make of it in words.

#: Under this many columns a picture's name gets a line of its own.
NARROW = 72

#: Ranked shares are told apart by shade as well as by colour, for eyes and terminals without colour.
SHADES = "█▓▒░"

_LOOKS = 18  # cells of the longest of our own: "😏 looks contemptuous" is cut by three, the other six fit


class ResultTable:
    """Draws results one after the other; nothing is kept, so a folder of any size can stream through it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = console.width
        self._narrow = self._width < NARROW
        self._ascii = not can_encode(f"😊…{SHADES}", console.encoding)
        self._cut = "~" if self._ascii else "…"

    def head(self) -> Iterator[Text]:
        """The line above the first result; none on a narrow terminal, where no columns line up."""
        if self._narrow:
            return
        name, bar, rest = self._columns()
        titles = (("picture", name), ("expression", _LOOKS), ("shares", bar + 6), ("people would say", rest))
        yield Text("  ".join(title[:width].ljust(width) for title, width in titles).rstrip(), "dim")

    def rows(self, result: FrameResult) -> Iterator[Text]:
        name = escape_controls(result.source)
        if not result.readings:
            yield from self._faceless(name)
            return
        if self._narrow:
            yield Text(_shortened(name, self._width, self._cut), "bold")
        for i, reading in enumerate(result.readings, 1):
            number = f" {i}" if len(result) > 1 else ""
            yield from self._narrow_rows(reading) if self._narrow else self._wide_rows(reading, name, number)
            name = ""

    def show(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _faceless(self, name: str) -> Iterator[Text]:
        if self._narrow:
            yield Text(_shortened(name, self._width, self._cut), "bold")
            yield Text("no face found", "dim")
            return
        width = self._columns()[0]
        yield Text.assemble(_fitted(name, width, self._cut), "  ", ("no face found", "dim"))

    def _wide_rows(self, reading: Reading, name: str, number: str) -> Iterator[Text]:
        column, bar, rest = self._columns()
        first, *more = _mixed(reading.emotions, rest) or [""]
        yield Text.assemble(
            (_fitted(name, column - len(number), self._cut), "bold"),
            (number, "dim"),
            "  ",
            *self._expression(reading.emotions),
            "  ",
            *self._bar(reading.emotions, bar),
            f" {percent(reading.emotions[reading.emotions.top]):>5}  ",
            first,
        )
        yield from (Text(" " * (self._width - rest) + line) for line in more)
        indent = " " * (column + 2)
        yield from _noted(reading, indent, self._width)

    def _narrow_rows(self, reading: Reading) -> Iterator[Text]:
        bar = max(0, min(20, self._width - _LOOKS - 7))
        yield Text.assemble(
            *self._expression(reading.emotions),
            " ",
            *self._bar(reading.emotions, bar),
            f" {percent(reading.emotions[reading.emotions.top]):>5}",
        )
        if len(reading.emotions.mixture) > 1:
            yield from (Text(line) for line in _mixed(reading.emotions, self._width, "   "))
        yield from _noted(reading, "   ", self._width)

    def _columns(self) -> tuple[int, int, int]:
        """Widths of the name, the bar and the words; the rest of the line is fixed."""
        free = self._width - _LOOKS - 6 - 6
        bar = max(8, free // 4)
        name = max(14, (free - bar) * 2 // 5)
        return name, bar, free - bar - name

    def _expression(self, emotions: Emotions) -> tuple[str | tuple[str, str], ...]:
        label = emotions.top
        mark = "" if self._ascii else f"{emoji(label)} "
        return mark, (_fitted(describe_expression(label), _LOOKS - cell_len(mark)), colour(label, emotions.labels))

    def _bar(self, emotions: Emotions, width: int) -> tuple[tuple[str, str], ...]:
        shades = "#=-." if self._ascii else SHADES
        parts = zip(_cells(emotions, width), emotions.ranked(), chain(shades, repeat(shades[-1])), strict=False)
        drawn = tuple((shade * cells, colour(share.label, emotions.labels)) for cells, share, shade in parts if cells)
        return (*drawn, (" " * (width - sum(len(blocks) for blocks, _ in drawn)), ""))


def _cells(emotions: Emotions, width: int) -> Iterator[int]:
    """How many cells of the bar each ranked share gets; rounding never makes the bar longer than its width."""
    so_far, drawn = 0.0, 0
    for share in emotions.ranked():
        so_far += share.score
        end = min(width, round(so_far * width))
        yield end - drawn
        drawn = end


def _noted(reading: Reading, indent: str, width: int) -> Iterator[Text]:
    return (
        Text(line, "italic dim")
        for note in list_doubts(reading)
        for line in _indented(escape_controls(note), indent, width)
    )


def _indented(words: str, indent: str, width: int) -> list[str]:
    return wrap(words, width, initial_indent=indent, subsequent_indent=indent)


def _mixed(emotions: Emotions, width: int, indent: str = "") -> list[str]:
    """The mixture in lines that break between expressions and never inside one."""
    unbroken = format_scores(emotions.mixture).replace(" ", "\u00a0").replace(",\u00a0", ", ")
    return [line.replace("\u00a0", " ") for line in _indented(unbroken, indent, width)]


def _fitted(words: str, width: int, mark: str = "…") -> str:
    return set_cell_size(_shortened(words, width, mark), width)


def _shortened(words: str, width: int, mark: str = "…") -> str:
    """A long name keeps its end, where the file is; the mark stands for the rest."""
    if cell_len(words) <= width:
        return words
    while cell_len(words) > width - 1:
        words = words[1:]
    return mark + words


# ==== mien.apps.cli.screens
# The ways a result reaches stdout: lines of JSON, plain lines for pipes, a table on a terminal, CSV.

ResultPrinter: TypeAlias = Callable[[FrameResult | Failure], None]


def select_printer(as_json: bool, quiet: bool) -> ResultPrinter:
    """The one that fits: ``quiet`` when stdout belongs to something else, which leaves only the failures."""
    if as_json:
        return _json()
    if quiet:
        return _only_failures
    return _table() if is_terminal(sys.stdout) else _plain_screens


def format_failure(failure: Failure) -> str:
    """The failure in one line, with the picture's name exactly once."""
    name, message = escape_controls(failure.source), escape_controls(str(failure.error))
    return f"mien: {message if name in message else f'{name}: {message}'}"


def _json() -> ResultPrinter:
    # JSON is UTF-8 wherever it goes; a name that is no text becomes the escape JSON has for it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return lambda result: print_line(result.to_json())


def _only_failures(result: FrameResult | Failure) -> None:
    if isinstance(result, Failure):
        print_note(format_failure(result))


def _plain_screens(result: FrameResult | Failure) -> None:
    if isinstance(result, Failure):
        print_note(format_failure(result))
        return
    for line in format_plain(result):
        print_line(line)


def _table() -> ResultPrinter:
    # rich is imported only where there is a terminal to draw on; it would cost every pipe 50 ms.
    from rich.console import Console

    pass

    table = ResultTable(Console(highlight=False, emoji=False, markup=False))
    head = table.head()

    def show(result: FrameResult | Failure) -> None:
        if isinstance(result, Failure):
            print_note(format_failure(result))
            return
        for line in (*head, *table.rows(result)):
            table.show(line)

    return show
