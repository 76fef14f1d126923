"""The paper that every picture is drawn on. Letters are measured before they are written, so that none is cut off."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.results import Pixels

PAPER, INK, MUTED, LINE, PANEL, ACCENT = "#fdfcfa", "#1c2128", "#5b6470", "#dedbd4", "#f3f1ec", "#0b6e69"
MORE, LESS = "#d9731f", "#3f86c4"

#: Heights of letters in pixels: titles, words, and what stands beside maps.
TITLE, WORDS, SMALL = 38, 22, 17

_MARGIN, _GAP = 48, 24

#: How wide a picture is at least, so that its words need not be broken too often.
_NARROWEST = 900

#: What Pillow's own letters have besides ASCII, and what stands in for some that they lack.
_ALSO = frozenset("·…°“”’")
_INSTEAD = {"×": "x", "−": "-", "–": "-", "—": "-", "‘": "’", "\u00a0": " "}

Anchor: TypeAlias = Literal["la", "ma", "ra", "lm", "mm", "rm", "ls", "ms", "rs"]


def printable_text(words: str) -> str:
    """What can be written: accents go, other scripts and emoji are left out."""
    swapped = "".join(_INSTEAD.get(each, each) for each in words)
    plain = "".join(each if each in _ALSO else unicodedata.normalize("NFKD", each) for each in swapped)
    return "".join(each for each in plain if each in _ALSO or (each.isascii() and each.isprintable())).strip()


@lru_cache(maxsize=32)
def load_font(size: int) -> ImageFont.FreeTypeFont:
    loaded = ImageFont.load_default(size=size)
    assert isinstance(loaded, ImageFont.FreeTypeFont), "Pillow's wheels have FreeType"
    return loaded


def text_width(words: str, size: int) -> float:
    return load_font(size).getlength(printable_text(words)) + (size / 26)


def wrap_text(words: str, size: int, room: float) -> list[str]:
    """The words in lines no wider than ``room``; a word that is wider by itself is broken."""
    lines = [""]
    for word in (part for each in words.split() for part in _broken(each, size, room)):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def _broken(word: str, size: int, room: float) -> Iterable[str]:
    while len(word) > 1 and text_width(word, size) > room:
        fits = max(1, _fits(word, size, room))
        yield word[:fits]
        word = word[fits:]
    yield word


def ellipsize(words: str, size: int, room: float) -> str:
    """The words on one line: what does not fit gives way to an ellipsis."""
    if text_width(words, size) <= room:
        return words
    return words[: _fits(words, size, room - text_width("…", size))].rstrip() + "…"


def _fits(words: str, size: int, room: float) -> int:
    """How many of the first letters have room."""
    return bisect_right(range(1, len(words) + 1), room, key=lambda many: text_width(words[:many], size))


@dataclass
class Canvas:
    """A picture that is being drawn."""

    width: int
    height: int
    image: Image.Image = field(init=False)
    draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", (self.width, self.height), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def write(
        self,
        at: tuple[float, float],
        words: str,
        size: int = WORDS,
        hue: str = INK,
        anchor: Anchor = "la",
        bold: int = 0,
    ) -> None:
        """``bold`` is how many pixels the strokes are thickened by: Pillow's letters have one weight."""
        # Letters get a whole pixel more or none: a stroke of a fraction is not drawn.
        self.draw.text(
            at, printable_text(words), fill=hue, font=load_font(size), anchor=anchor, stroke_width=bold, stroke_fill=hue
        )

    def paste(self, pixels: Pixels, at: tuple[int, int]) -> None:
        self.image.paste(Image.fromarray(pixels), at)

    def bar(self, x: float, y: float, width: float, height: float, hue: str) -> None:
        """A bar of at least a pixel where there is anything."""
        if width > 0:
            self.draw.rounded_rectangle((x, y, x + max(width, 1.5), y + height), min(height, width) / 2.6, fill=hue)

    def finished(self) -> Pixels:
        return np.array(self.image, np.uint8)


def compose_figure(title: str, told: Sequence[str], body: Canvas, notes: Sequence[str] = ()) -> Pixels:
    """The whole picture: a title, sentences below it, the body, and small print at its foot."""
    room = max(body.width, _NARROWEST - 2 * _MARGIN)
    title_lines = wrap_text(title, TITLE, room)
    told_lines = [line for each in told for line in wrap_text(each, WORDS, room)]
    note_lines = [line for each in notes for line in wrap_text(each, SMALL, room)]
    top = _MARGIN + _high(title_lines, TITLE) + _high(told_lines, WORDS) + _GAP
    below = _GAP + _high(note_lines, SMALL) if note_lines else 0
    page = Canvas(room + 2 * _MARGIN, top + body.height + below + _MARGIN)
    at = _column(page, _MARGIN, title_lines, TITLE, INK, bold=1)
    _column(page, at + 4, told_lines, WORDS, MUTED)
    page.image.paste(body.image, (_MARGIN, top))
    _column(page, top + body.height + _GAP, note_lines, SMALL, MUTED)
    return page.finished()


def _high(lines: Sequence[str], size: int) -> int:
    return round(len(lines) * size * 1.42)


def _column(page: Canvas, top: float, lines: Sequence[str], size: int, hue: str, bold: int = 0) -> float:
    for line in lines:
        page.write((_MARGIN, top), line, size, hue, bold=bold)
        top += size * 1.42
    return top


def enlarge_image(pixels: Pixels, side: int) -> Pixels:
    """Gray or RGB pixels with a longest side of about ``side``: in whole squares when larger, smooth when smaller."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    image = Image.fromarray(pixels).convert("RGB")
    if factor >= 1:
        step = max(1, round(factor))
        return np.array(image.resize((width * step, height * step), Image.Resampling.NEAREST), np.uint8)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.array(image.resize(size, Image.Resampling.BOX), np.uint8)
