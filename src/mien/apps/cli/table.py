"""Results as a table on a terminal: one line a face, a bar of its ranked shares, and what to make of it in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from mien.apps.cli.output import can_write, printable
from mien.apps.cli.words import listed, looks, notes, percent
from mien.labels import colour, emoji
from mien.types import Emotions, FrameResult, Reading

#: Under this many columns a picture's name gets a line of its own.
NARROW = 72

#: Ranked shares are told apart by shade as well as by colour, for eyes and terminals without colour.
SHADES = "█▓▒░"

_LOOKS = 18  # cells of the longest of our own: "😏 looks contemptuous" is cut by three, the other six fit


class Table:
    """Draws results one after the other; nothing is kept, so a folder of any size can stream through it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = console.width
        self._narrow = self._width < NARROW
        self._ascii = not can_write(f"😊…{SHADES}", console.encoding)
        self._cut = "~" if self._ascii else "…"

    def head(self) -> Iterator[Text]:
        """The line above the first result; none on a narrow terminal, where no columns line up."""
        if self._narrow:
            return
        name, bar, rest = self._columns()
        titles = (("picture", name), ("expression", _LOOKS), ("shares", bar + 6), ("people would say", rest))
        yield Text("  ".join(title[:width].ljust(width) for title, width in titles).rstrip(), "dim")

    def rows(self, result: FrameResult) -> Iterator[Text]:
        name = printable(result.source)
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
        return mark, (_fitted(looks(label), _LOOKS - cell_len(mark)), colour(label, emotions.labels))

    def _bar(self, emotions: Emotions, width: int) -> tuple[tuple[str, str], ...]:
        shades = "#=-." if self._ascii else SHADES
        parts = zip(_cells(emotions, width), emotions.ranked(), chain(shades, repeat(shades[-1])), strict=False)
        drawn = tuple((shade * cells, colour(share.label, emotions.labels)) for cells, share, shade in parts if cells)
        return (*drawn, (" " * (width - sum(len(blocks) for blocks, _ in drawn)), ""))


def _cells(emotions: Emotions, width: int) -> Iterator[int]:
    """How many cells of the bar each ranked share gets; rounding never makes the bar longer than its width."""
    so_far, drawn = 0.0, 0
    for share in emotions.ranked():
        so_far += share.share
        end = min(width, round(so_far * width))
        yield end - drawn
        drawn = end


def _noted(reading: Reading, indent: str, width: int) -> Iterator[Text]:
    return (Text(line, "italic dim") for note in notes(reading) for line in _indented(printable(note), indent, width))


def _indented(words: str, indent: str, width: int) -> list[str]:
    return wrap(words, width, initial_indent=indent, subsequent_indent=indent)


def _mixed(emotions: Emotions, width: int, indent: str = "") -> list[str]:
    """The mixture in lines that break between expressions and never inside one."""
    unbroken = listed(emotions.mixture).replace(" ", "\u00a0").replace(",\u00a0", ", ")
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
