"""The table of results on a terminal: a line for each face, with a bar of the ranked probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from mien import text
from mien.apps.cli.console import can_encode, escape_controls
from mien.labels import label_colour, label_emoji
from mien.results import Emotions, FrameResult, Reading

#: On terminals with fewer columns the name of an image gets a line of its own.
NARROW = 72

#: Ranked probabilities differ in shade as well as in colour, for readers and terminals without colour.
SHADES = "█▓▒░"

#: Width of the expression in cells. Only "😏 looks contemptuous" is longer, by three cells, and is cut.
_EXPRESSION_WIDTH = 18


class ResultTable:
    """Formats results one by one and keeps none of them, so that a folder of any size can be printed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = console.width
        self._narrow = self._width < NARROW
        self._ascii = not can_encode(f"😊…{SHADES}", console.encoding)
        self._ellipsis = "~" if self._ascii else "…"

    def header(self) -> Iterator[Text]:
        """The column titles; none on a narrow terminal, which has no columns."""
        if self._narrow:
            return
        name, bar, rest = self._column_widths()
        titles = (
            ("image", name),
            ("expression", _EXPRESSION_WIDTH),
            ("probability", bar + 6),
            ("predicted votes", rest),
        )
        yield Text("  ".join(title[:width].ljust(width) for title, width in titles).rstrip(), "dim")

    def rows(self, result: FrameResult) -> Iterator[Text]:
        name = escape_controls(result.source)
        if self._narrow:
            yield Text(_shorten(name, self._width, self._ellipsis), "bold")
        if not result.readings:
            indent = "" if self._narrow else _fit(name, self._column_widths()[0], self._ellipsis) + "  "
            yield Text.assemble(indent, ("no face found", "dim"))
            return
        for i, reading in enumerate(result.readings, 1):
            number = f" {i}" if len(result) > 1 else ""
            yield from self._narrow_rows(reading) if self._narrow else self._wide_rows(reading, name, number)
            name = ""

    def print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _wide_rows(self, reading: Reading, name: str, number: str) -> Iterator[Text]:
        column, bar, rest = self._column_widths()
        first, *more = _wrap_mixture(reading.emotions, rest) or [""]
        yield Text.assemble(
            (_fit(name, column - len(number), self._ellipsis), "bold"),
            (number, "dim"),
            "  ",
            *self._format_expression(reading.emotions),
            "  ",
            *self._format_bar(reading.emotions, bar),
            f" {text.format_percent(reading.emotions[reading.emotions.top]):>5}  ",
            first,
        )
        yield from (Text(" " * (self._width - rest) + line) for line in more)
        yield from _doubt_rows(reading, " " * (column + 2), self._width)

    def _narrow_rows(self, reading: Reading) -> Iterator[Text]:
        bar = max(0, min(20, self._width - _EXPRESSION_WIDTH - 7))
        yield Text.assemble(
            *self._format_expression(reading.emotions),
            " ",
            *self._format_bar(reading.emotions, bar),
            f" {text.format_percent(reading.emotions[reading.emotions.top]):>5}",
        )
        if len(reading.emotions.mixture) > 1:
            yield from (Text(line) for line in _wrap_mixture(reading.emotions, self._width, "   "))
        yield from _doubt_rows(reading, "   ", self._width)

    def _column_widths(self) -> tuple[int, int, int]:
        """The widths of the name, the bar and the predicted votes; the other columns have a fixed width."""
        free = self._width - _EXPRESSION_WIDTH - 6 - 6
        bar = max(8, free // 4)
        name = max(14, (free - bar) * 2 // 5)
        return name, bar, free - bar - name

    def _format_expression(self, emotions: Emotions) -> tuple[str | tuple[str, str], ...]:
        label = emotions.top
        mark = "" if self._ascii else f"{label_emoji(label)} "
        return mark, (
            _fit(escape_controls(text.describe_label(label)), _EXPRESSION_WIDTH - cell_len(mark)),
            label_colour(label, emotions.labels),
        )

    def _format_bar(self, emotions: Emotions, width: int) -> tuple[tuple[str, str], ...]:
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


def _doubt_rows(reading: Reading, indent: str, width: int) -> Iterator[Text]:
    for doubt in text.describe_doubts(reading):
        for line in wrap(escape_controls(doubt), width, initial_indent=indent, subsequent_indent=indent):
            yield Text(line, "italic dim")


def _wrap_mixture(emotions: Emotions, width: int, indent: str = "") -> list[str]:
    """The mixture in lines that break between expressions and never inside one."""
    unbroken = escape_controls(text.join_scores(emotions.mixture)).replace(" ", "\u00a0").replace(",\u00a0", ", ")
    lines = wrap(unbroken, width, initial_indent=indent, subsequent_indent=indent)
    return [line.replace("\u00a0", " ") for line in lines]


def _fit(words: str, width: int, ellipsis: str = "…") -> str:
    return set_cell_size(_shorten(words, width, ellipsis), width)


def _shorten(words: str, width: int, ellipsis: str = "…") -> str:
    """A long name loses its beginning, because its end names the file."""
    if cell_len(words) <= width:
        return words
    while cell_len(words) > width - 1:
        words = words[1:]
    return ellipsis + words
