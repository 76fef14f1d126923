"""The canvas of all figures, and icons: text is measured before it is drawn, so that none of it is cut off."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.html.environment import style_colours
from mien.html.icons import ICON_SIDE, icon_strokes
from mien.labels import label_colour
from mien.results import Pixels

PAPER, INK, MUTED, LINE, PANEL, ACCENT = "#fdfcfa", "#1c2128", "#5b6470", "#dedbd4", "#f3f1ec", "#0b6e69"
POSITIVE, NEGATIVE = "#d9731f", "#3f86c4"

_NAMES = {PAPER: "paper", INK: "ink", MUTED: "muted", LINE: "line", PANEL: "panel", ACCENT: "accent"}

_is_dark: ContextVar[bool] = ContextVar("figures are dark", default=False)

#: Font sizes in pixels: title, text, and labels beside maps.
TITLE, TEXT, SMALL = 38, 22, 17

_MARGIN, _GAP = 48, 24

#: Minimum width of a figure, so that its text has few line breaks.
_MIN_WIDTH = 900

#: Characters of Pillow's own font besides ASCII, and replacements for some that it lacks.
_EXTRA = frozenset("·…°“”’")
_REPLACEMENTS = {"×": "x", "−": "-", "–": "-", "—": "-", "‘": "’", "\u00a0": " "}

#: Icons and badges are drawn larger by this factor and scaled down, for smooth edges.
OVERSAMPLING = 4

Anchor: TypeAlias = Literal["la", "ma", "ra", "lm", "mm", "rm", "ls", "ms", "rs"]


@contextmanager
def use_dark_colours(dark: bool = True) -> Iterator[None]:
    """Inside, figures have the colours of a dark page if ``dark`` is true."""
    token = _is_dark.set(dark)
    try:
        yield
    finally:
        _is_dark.reset(token)


def theme_colour(code: str) -> str:
    """The colour that takes the place of a colour of the light page; other colours are returned unchanged."""
    return style_colours(dark=True)[_NAMES[code]] if _is_dark.get() and code in _NAMES else code


def printable_text(text: str) -> str:
    """The text without what the font lacks: no accents, no other scripts, no emoji."""
    replaced = "".join(_REPLACEMENTS.get(each, each) for each in text)
    plain = "".join(each if each in _EXTRA else unicodedata.normalize("NFKD", each) for each in replaced)
    return "".join(each for each in plain if each in _EXTRA or (each.isascii() and each.isprintable())).strip()


@lru_cache(maxsize=32)
def load_font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels have FreeType"
    return font


def text_width(text: str, size: int) -> float:
    return load_font(size).getlength(printable_text(text)) + (size / 26)


def wrap_text(text: str, size: int, width: float) -> list[str]:
    """The text in lines of at most ``width`` pixels; a longer word is broken."""
    lines = [""]
    for word in (part for each in text.split() for part in _break_word(each, size, width)):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def _break_word(word: str, size: int, width: float) -> Iterable[str]:
    while len(word) > 1 and text_width(word, size) > width:
        fits = max(1, _count_fitting(word, size, width))
        yield word[:fits]
        word = word[fits:]
    yield word


def ellipsize(text: str, size: int, width: float) -> str:
    """The text in one line of at most ``width`` pixels, shortened with an ellipsis if needed."""
    if text_width(text, size) <= width:
        return text
    return text[: _count_fitting(text, size, width - text_width("…", size))].rstrip() + "…"


def _count_fitting(text: str, size: int, width: float) -> int:
    """How many characters from the beginning fit."""
    return bisect_right(range(1, len(text) + 1), width, key=lambda count: text_width(text[:count], size))


@dataclass
class Canvas:
    """An image to draw on."""

    width: int
    height: int
    image: Image.Image = field(init=False)
    draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", (self.width, self.height), theme_colour(PAPER))
        self.draw = ImageDraw.Draw(self.image)

    def write(
        self,
        position: tuple[float, float],
        text: str,
        size: int = TEXT,
        colour: str = INK,
        anchor: Anchor = "la",
        bold: int = 0,
    ) -> None:
        """``bold`` is the additional stroke width in whole pixels: Pillow's font has one weight."""
        self.draw.text(
            position,
            printable_text(text),
            fill=theme_colour(colour),
            font=load_font(size),
            anchor=anchor,
            stroke_width=bold,
            stroke_fill=theme_colour(colour),
        )

    def paste(self, pixels: Pixels, position: tuple[int, int]) -> None:
        self.image.paste(Image.fromarray(pixels), position)

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A bar with rounded ends; a width above 0 is at least 1.5 pixels."""
        if width > 0:
            corners = (x, y, x + max(width, 1.5), y + height)
            self.draw.rounded_rectangle(corners, min(height, width) / 2.6, fill=theme_colour(colour))


def compose_figure(title: str, sentences: Sequence[str], body: Canvas, notes: Sequence[str] = ()) -> Pixels:
    """A whole figure: title, sentences, body, and notes in small print."""
    width = max(body.width, _MIN_WIDTH - 2 * _MARGIN)
    title_lines = wrap_text(title, TITLE, width)
    sentence_lines = [line for each in sentences for line in wrap_text(each, TEXT, width)]
    note_lines = [line for each in notes for line in wrap_text(each, SMALL, width)]
    top = _MARGIN + _lines_height(title_lines, TITLE) + _lines_height(sentence_lines, TEXT) + _GAP
    below = _GAP + _lines_height(note_lines, SMALL) if note_lines else 0
    page = Canvas(width + 2 * _MARGIN, top + body.height + below + _MARGIN)
    y = _write_lines(page, _MARGIN, title_lines, TITLE, INK, bold=1)
    _write_lines(page, y + 4, sentence_lines, TEXT, MUTED)
    page.image.paste(body.image, (_MARGIN, top))
    _write_lines(page, top + body.height + _GAP, note_lines, SMALL, MUTED)
    return np.array(page.image, np.uint8)


def _lines_height(lines: Sequence[str], size: int) -> int:
    return round(len(lines) * size * 1.42)


def _write_lines(page: Canvas, top: float, lines: Sequence[str], size: int, colour: str, bold: int = 0) -> float:
    for line in lines:
        page.write((_MARGIN, top), line, size, colour, bold=bold)
        top += size * 1.42
    return top


def enlarge_image(pixels: Pixels, side: int) -> Pixels:
    """Gray or RGB pixels scaled to a longest side of about ``side``: by a whole factor if enlarged, else smoothly."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    image = Image.fromarray(pixels).convert("RGB")
    if factor >= 1:
        step = max(1, round(factor))
        return np.array(image.resize((width * step, height * step), Image.Resampling.NEAREST), np.uint8)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.array(image.resize(size, Image.Resampling.BOX), np.uint8)


@lru_cache(maxsize=64)
def draw_icon(label: str, side: int, labels: tuple[str, ...] = ()) -> Image.Image:
    """The icon of a label as RGBA, ``side`` pixels wide. ``labels`` are those of the model, for its colour."""
    unit = side * OVERSAMPLING / ICON_SIDE
    image = Image.new("RGBA", (side * OVERSAMPLING,) * 2, (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse([unit * value for value in (0.5, 0.5, 31.5, 31.5)], fill=label_colour(label, labels))
    for stroke in icon_strokes(label):
        values = np.array(stroke.points) * unit
        if stroke.kind == "oval":
            x, y, radius_x, radius_y = values
            draw.ellipse((x - radius_x, y - radius_y, x + radius_x, y + radius_y), fill=stroke.colour)
            continue
        points = values.reshape(-1, 2)
        if stroke.kind == "curve":
            along, (start, control, end) = np.linspace(0, 1, 24)[:, None], points
            points = (1 - along) ** 2 * start + 2 * along * (1 - along) * control + along**2 * end
        width = 2.1 * unit
        draw.line([(x, y) for x, y in points.tolist()], fill=stroke.colour, width=round(width), joint="curve")
        for x, y in points[[0, -1]].tolist():
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=stroke.colour)
    return image.resize((side, side), Image.Resampling.LANCZOS)
