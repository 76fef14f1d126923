"""Readings painted on a copy of a picture: a box in the expression's colour, and a tag that says what it looks like."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont
from PIL.Image import Transpose

from mien.labels import label_colour
from mien.results import Box, Emotions, FrameResult, Pixels, Reading, Score

#: Round things are drawn this much larger and sampled down: smooth at any size.
_FINER = 4

#: Letters in pixels below which nobody can read them; what does not fit even so is left out.
_SMALLEST_LETTERS = 9

#: The space between the lines of a tag, in heights of its letters.
_LEADING = 0.22

#: How strong the dark line is that lies under each coloured one, so that it shows on every ground.
_SHADE = 0.45

_Boxes: TypeAlias = NDArray[np.int64]
_Colour: TypeAlias = tuple[int, int, int]
_INK: _Colour = (22, 24, 29)
_PAPER: _Colour = (255, 255, 255)
_MUTED: _Colour = (98, 104, 115)


def draw_readings(pixels: Pixels, result: FrameResult) -> Pixels:
    """A copy of the picture ``(h, w, 3)`` RGB uint8 with a box and a tag for each face.

    The tag gives the leading expression and its share, behind the person's number in a film, and in a second line the
    mixture where more than one stands out. An uncertain reading is dashed, muted and has a question mark. Tags stay
    inside the picture, and off each other and the faces as far as there is room; where there is none for words, the box
    stands alone.
    """
    image = Image.fromarray(pixels)
    for reading in result.readings:
        _frame(image, reading)
    faces = _rows([reading.face.box for reading in result.readings])
    taken: list[Box] = []
    for reading in result.readings:
        if tag := _tag(reading, image.size):
            taken.append(_place(tag.size, reading.face.box, image.size, faces, _rows(taken)))
            image.paste(tag, taken[-1][:2], tag)
    return np.array(image, np.uint8)


# Boxes


def _frame(image: Image.Image, reading: Reading) -> None:
    box, stroke = reading.face.box, _stroke(reading.face.box, image.size)
    dashed = reading.emotions.uncertain is not None
    shade = max(1, stroke // 3)
    _line(image, _grown(box, shade), stroke + 2 * shade, dashed, _INK, _SHADE)
    _line(image, box, stroke, dashed, _tone(reading), 1.0)


def _line(image: Image.Image, box: Box, stroke: int, dashed: bool, tone: _Colour, opacity: float) -> None:
    """A rounded outline, its outer edge on the box's; what lies outside the picture is cut off."""
    ring = _ring(box.width, box.height, stroke)
    if dashed:
        ring = ImageChops.multiply(ring, _dashes(box.width, box.height, stroke))
    if opacity < 1:
        ring = ring.point([round(value * opacity) for value in range(256)])
    image.paste(tone, (box.x, box.y, box.x + ring.width, box.y + ring.height), ring)


def _ring(width: int, height: int, stroke: int) -> Image.Image:
    """The outline as a mask: straight edges, and corners drawn finer."""
    width, height = max(width, 2 * stroke + 1), max(height, 2 * stroke + 1)
    ring = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(ring)
    draw.rectangle((stroke, stroke, width - stroke - 1, height - stroke - 1), fill=0)
    radius = min(max(3 * stroke, round(min(width, height) * 0.09)), min(width, height) // 2)
    corner = _corner(radius, stroke)
    ring.paste(corner, (0, 0))
    ring.paste(corner.transpose(Transpose.FLIP_LEFT_RIGHT), (width - radius, 0))
    ring.paste(corner.transpose(Transpose.FLIP_TOP_BOTTOM), (0, height - radius))
    ring.paste(corner.transpose(Transpose.ROTATE_180), (width - radius, height - radius))
    return ring


@lru_cache(maxsize=64)
def _corner(radius: int, stroke: int) -> Image.Image:
    """The upper left corner of the outline."""
    side, inset = radius * _FINER, stroke * _FINER
    corner = Image.new("L", (side, side))
    draw = ImageDraw.Draw(corner)
    draw.ellipse((0, 0, 2 * side, 2 * side), fill=255)
    if inset < side:
        draw.ellipse((inset, inset, 2 * side - inset, 2 * side - inset), fill=0)
    return corner.reduce(_FINER)


def _dashes(width: int, height: int, stroke: int) -> Image.Image:
    """A mask with gaps along each edge; the corners stay whole."""
    width, height = max(width, 2 * stroke + 1), max(height, 2 * stroke + 1)
    across, down = _gaps(width, stroke), _gaps(height, stroke)
    middle_x = np.abs(np.arange(width) * 2 - width) / width
    middle_y = np.abs(np.arange(height) * 2 - height) / height
    flat = middle_y[:, None] > middle_x[None, :]  # nearer to the upper and lower edge than to the sides
    return Image.fromarray(np.where(flat, across[None, :], down[:, None]).astype(np.uint8) * 255)


def _gaps(length: int, stroke: int) -> NDArray[np.bool_]:
    """Dashes along one edge, the same from both ends, beginning and ending with a whole one."""
    dash = max(3 * stroke, 4)
    count = max(round((length / dash - 1) / 2), 1) * 2 + 1
    return np.asarray((np.arange(length) * count // length) % 2 == 0)


def _stroke(box: Box, size: tuple[int, int]) -> int:
    """Thin on small faces, thicker in large pictures, which are looked at from farther away."""
    face, short = min(box.width, box.height), min(size)
    wanted = min(max(face / 70, short / 400), short / 130)
    return max(1, round(min(wanted, face / 12)))


def _grown(box: Box, by: int) -> Box:
    return Box(box.x - by, box.y - by, box.width + 2 * by, box.height + 2 * by)


# Tags


def _tag(reading: Reading, size: tuple[int, int]) -> Image.Image | None:
    """The tag as an RGBA picture; None where the picture has no room for one."""
    letters = _letters(reading.face.box, size)
    room = (size[0], size[1] // 2)
    for lines in _wordings(reading, letters):
        for height in sorted({letters, _SMALLEST_LETTERS}, reverse=True):
            tag_size = _tag_size(lines, height)
            if tag_size[0] <= room[0] and tag_size[1] <= room[1]:
                return _drawn(lines, height, _ground(reading))
    return None


def _wordings(reading: Reading, letters: int) -> Iterator[tuple[str, ...]]:
    """What a tag may say, most first."""
    emotions = reading.emotions
    top = emotions.ranked()[0]
    label = _writable(top.label) + ("?" if emotions.uncertain else "")
    person = "" if reading.track is None else f"{reading.track}: "
    headline = f"{person}{label} {_percent(top.score)}".strip()
    if len(emotions.mixture) > 1:
        mixture = ", ".join(_part(share) for share in emotions.mixture)
        # Under a small face it would be several times as wide as the face it speaks of.
        if _tag_size((headline, mixture), letters)[0] <= 3 * reading.face.box.width:
            yield headline, mixture
    yield (headline,)
    yield (f"{person}{_percent(top.score)}",)


def _part(share: Score) -> str:
    return f"{_percent(share.score)} {_writable(share.label)}".strip()


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _writable(label: str) -> str:
    """What Pillow's own letters can write: accents go, other scripts and emoji are left out."""
    return unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().strip()


def _letters(box: Box, size: tuple[int, int]) -> int:
    """The height of letters in pixels: with the face, within what the picture's size makes legible."""
    short = min(size)
    return max(_SMALLEST_LETTERS, round(min(max(0.13 * box.width, short / 110, 12), max(short / 24, 12))))


@lru_cache(maxsize=64)
def _font(letters: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=letters)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels have FreeType"
    return font


def _heights(lines: tuple[str, ...], letters: int) -> list[int]:
    return [letters, round(letters * 0.74)][: len(lines)]


def _padding(letters: int) -> tuple[int, int]:
    return round(letters * 0.5), round(letters * 0.32)


def _tag_size(lines: tuple[str, ...], letters: int) -> tuple[int, int]:
    across, down = _padding(letters)
    heights = _heights(lines, letters)
    widths = [_font(height).getlength(line) for line, height in zip(lines, heights, strict=True)]
    return round(max(widths)) + 2 * across, round(sum(heights) + (len(lines) - 1) * _LEADING * letters) + 2 * down


def _drawn(lines: tuple[str, ...], letters: int, ground: _Colour) -> Image.Image:
    """Drawn finer and sampled down; the headline a little bolder than Pillow's one weight."""
    width, height = _tag_size(lines, letters)
    across, down = _padding(letters)
    tag = Image.new("RGBA", (width * _FINER, height * _FINER), (*ground, 0))
    draw = ImageDraw.Draw(tag)
    draw.rounded_rectangle((0, 0, tag.width - 1, tag.height - 1), radius=letters * 0.34 * _FINER, fill=(*ground, 255))
    ink, top = _ink(ground), float(down)
    for line, size in zip(lines, _heights(lines, letters), strict=True):
        # The anchor is the baseline: letters with and without tails stand on one line.
        place = (across * _FINER, (top + size * 0.83) * _FINER)
        bolder = round(size * _FINER / 55) if line is lines[0] else 0
        draw.text(place, line, fill=ink, font=_font(size * _FINER), anchor="ls", stroke_width=bolder)
        top += size + _LEADING * letters
    return tag.reduce(_FINER)


def _ink(ground: _Colour) -> _Colour:
    """Dark or light letters, whichever stands out more (by WCAG's contrast)."""
    light = _luminance(ground)
    return _PAPER if (1.05 / (light + 0.05)) > (light + 0.05) / (_luminance(_INK) + 0.05) else _INK


def _luminance(tone: _Colour) -> float:
    linear = [float((value / 255) ** 2.2) for value in tone]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _tone(reading: Reading) -> _Colour:
    full = _rgb(reading.emotions)
    return _mixed(full, _MUTED) if reading.emotions.uncertain else full


def _ground(reading: Reading) -> _Colour:
    return _mixed(_tone(reading), _MUTED) if reading.emotions.uncertain else _tone(reading)


def _rgb(emotions: Emotions) -> _Colour:
    code = label_colour(emotions.top, emotions.labels).lstrip("#")
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def _mixed(one: _Colour, other: _Colour) -> _Colour:
    return (one[0] + other[0]) // 2, (one[1] + other[1]) // 2, (one[2] + other[2]) // 2


# Places


def _place(tag: tuple[int, int], box: Box, size: tuple[int, int], faces: _Boxes, taken: _Boxes) -> Box:
    """Where a tag goes: the first place of those around its box that hides least of tags, then of faces."""
    best, least, own = Box(0, 0, *tag), float("inf"), _rows([box])
    for rank, (x, y) in enumerate(_around(tag, box, size)):
        place = Box(min(max(x, 0), size[0] - tag[0]), min(max(y, 0), size[1] - tag[1]), *tag)
        # Its own face is among the faces, and weighs less than the others.
        hidden = 8 * _shared(place, taken) + 3 * _shared(place, faces) - 2 * _shared(place, own)
        cost = hidden / (tag[0] * tag[1]) + 0.02 * rank
        if cost < least:
            best, least = place, cost
    return best


def _around(tag: tuple[int, int], box: Box, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Above and below, flush left, flush right; beside; and at last inside the box."""
    gap = max(1, round(tag[1] * 0.12)) + _stroke(box, size) // 2
    left, right = box.x, box.x + box.width - tag[0]
    above, below = box.y - tag[1] - gap, box.y + box.height + gap
    yield from ((left, above), (right, above), (left, below), (right, below))
    yield from ((box.x + box.width + gap, box.y), (box.x - tag[0] - gap, box.y))
    inset = gap + _stroke(box, size)
    yield from ((left + inset, box.y + inset), (left + inset, box.y + box.height - tag[1] - inset))


def _rows(boxes: list[Box]) -> _Boxes:
    return np.array(boxes, np.int64).reshape(-1, 4)


def _shared(place: Box, others: _Boxes) -> int:
    """How many pixels of a place the others cover, each counted by itself."""
    x, y, width, height = others.T
    across = np.minimum(x + width, place.x + place.width) - np.maximum(x, place.x)
    down = np.minimum(y + height, place.y + place.height) - np.maximum(y, place.y)
    return int((np.maximum(across, 0) * np.maximum(down, 0)).sum())
