"""Annotation of images: a box in the colour of the expression for each face, and a tag with what it looks like."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont
from PIL.Image import Transpose

from mien.labels import label_colour
from mien.results import Box, FrameResult, Pixels, Reading, Score
from mien.text import format_percent

#: Rounded shapes and text are drawn this many times larger and reduced, which smooths their edges.
_SUPERSAMPLING = 4

#: The smallest readable text height in pixels; a tag that does not fit even with this height is left out.
_MIN_TEXT_HEIGHT = 9

#: The number of texts for a numbered tag, and the part of the faces that must have space for a text.
_NUMBERED_TEXTS, _MIN_LONGEST = 3, 0.8

#: The space between the lines of a tag, in text heights.
_LINE_SPACING = 0.22

#: The opacity of the dark outline under each coloured one, which keeps it visible on any background.
_SHADOW_OPACITY = 0.45

_Boxes: TypeAlias = NDArray[np.int64]
_Colour: TypeAlias = tuple[int, int, int]
_DARK: _Colour = (22, 24, 29)
_LIGHT: _Colour = (255, 255, 255)
_MUTED: _Colour = (98, 104, 115)


@dataclass(frozen=True, slots=True)
class Tag:
    """The label of a face: its lines of text, the height of the first line and the position, in pixels of the image.

    ``rank`` is 0 for the longest text, more for shorter ones; ``hidden_tags`` is the number of pixels of other tags
    below it.
    """

    lines: tuple[str, ...]
    text_height: int
    box: Box
    rank: int = 0
    hidden_tags: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"text": "\n".join(self.lines), "text_height": self.text_height, "box": list(self.box)}


def draw_readings(pixels: Pixels, result: FrameResult, *, numbered: bool = False, pixel_ratio: float = 1.0) -> Pixels:
    """A copy of the image ``(h, w, 3)`` RGB uint8 with a box and a tag for each face.

    The tag shows the leading expression and its probability, after the number of the track in a video, and a mixture in
    a second line. The box of an uncertain reading is dashed and muted, and its label has a question mark. Tags are
    placed by :func:`place_tags`; a box without space for a tag has none.
    """
    image = Image.fromarray(pixels)
    for reading in result.readings:
        _draw_box(image, reading, pixel_ratio)
    tags = place_tags(result, image.size, numbered=numbered, pixel_ratio=pixel_ratio)
    for reading, tag in zip(result.readings, tags, strict=True):
        if tag:
            tag_image = _draw_tag(tag.lines, tag.text_height, _tag_colour(reading))
            image.paste(tag_image, tag.box[:2], tag_image)
    return np.array(image, np.uint8)


def place_tags(
    result: FrameResult, image_size: tuple[int, int], *, numbered: bool = False, pixel_ratio: float = 1.0
) -> list[Tag | None]:
    """The tag of each face in an image of ``(width, height)``; None for a face without space for one.

    Tags stay inside the image and avoid other tags and faces as far as there is space. A text that would hide another
    tag is shortened. With ``numbered``, the tags of several faces begin with the number of the face, from 1; where
    texts would hide faces, the number is all that is left of them. ``pixel_ratio`` is the number of pixels of the image
    for each pixel of the display: texts are readable on the display.
    """
    if not numbered or len(result) < 2:
        return _place_tags(result, image_size, pixel_ratio)
    for skipped in range(_NUMBERED_TEXTS):
        tags = _place_tags(result, image_size, pixel_ratio, skipped)
        # Texts of one kind are easier to compare: shorter ones for all, if many have no space for the longer one.
        longest = sum(tag is not None and not tag.rank for tag in tags)
        if longest >= _MIN_LONGEST * len(tags) and not any(tag.hidden_tags for tag in tags if tag):
            break
    return tags


def _place_tags(
    result: FrameResult, image_size: tuple[int, int], pixel_ratio: float, skipped: int | None = None
) -> list[Tag | None]:
    """``skipped`` is the number of longer texts that are left out of numbered tags; None without numbers."""
    faces = _to_array([reading.face.box for reading in result.readings])
    tags: list[Tag | None] = []
    for number, reading in enumerate(result.readings, 1):
        text_height = _text_height(reading.face.box, image_size, pixel_ratio)
        numbered = skipped is not None
        if skipped is not None:
            texts, heights = _numbered_texts(reading, number)[skipped:], [text_height]
        else:
            texts = tuple(_tag_texts(reading, text_height))
            heights = sorted({text_height, round(_MIN_TEXT_HEIGHT * pixel_ratio)}, reverse=True)
        others = _to_array([tag.box for tag in tags if tag])
        tags.append(_place_tag(reading, texts, heights, image_size, faces, others, avoid_faces=numbered))
    return tags


# Boxes


def _draw_box(image: Image.Image, reading: Reading, pixel_ratio: float) -> None:
    box = reading.face.box
    # On the display, the line is at least as wide as the one of a small image in its own size.
    stroke = max(_stroke_width(box, image.size), round(1.6 * pixel_ratio) if pixel_ratio > 1 else 1)
    dashed = reading.emotions.uncertain is not None
    margin = max(1, stroke // 3)
    shadow = Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
    _draw_outline(image, shadow, stroke + 2 * margin, dashed, _DARK, _SHADOW_OPACITY)
    _draw_outline(image, box, stroke, dashed, _box_colour(reading), 1.0)


def _draw_outline(image: Image.Image, box: Box, stroke: int, dashed: bool, colour: _Colour, opacity: float) -> None:
    """Draw a rounded rectangle whose outer edge is the box; what lies outside the image is cut off."""
    width, height = max(box.width, 2 * stroke + 1), max(box.height, 2 * stroke + 1)
    mask = _outline_mask(width, height, stroke)
    if dashed:
        mask = ImageChops.multiply(mask, _dash_mask(width, height, stroke))
    if opacity < 1:
        mask = mask.point([round(value * opacity) for value in range(256)])
    image.paste(colour, (box.x, box.y, box.x + width, box.y + height), mask)


def _outline_mask(width: int, height: int, stroke: int) -> Image.Image:
    """A rounded rectangle without its inside, as a mask: straight edges and smoothed corners."""
    mask = Image.new("L", (width, height), 255)
    inside = (stroke, stroke, width - stroke - 1, height - stroke - 1)
    ImageDraw.Draw(mask).rectangle(inside, fill=0)
    radius = min(max(3 * stroke, round(min(width, height) * 0.09)), min(width, height) // 2)
    corner = _corner_mask(radius, stroke)
    mask.paste(corner, (0, 0))
    mask.paste(corner.transpose(Transpose.FLIP_LEFT_RIGHT), (width - radius, 0))
    mask.paste(corner.transpose(Transpose.FLIP_TOP_BOTTOM), (0, height - radius))
    mask.paste(corner.transpose(Transpose.ROTATE_180), (width - radius, height - radius))
    return mask


@lru_cache(maxsize=64)
def _corner_mask(radius: int, stroke: int) -> Image.Image:
    """The upper left corner of an outline."""
    side, inset = radius * _SUPERSAMPLING, stroke * _SUPERSAMPLING
    corner = Image.new("L", (side, side))
    draw = ImageDraw.Draw(corner)
    draw.ellipse((0, 0, 2 * side, 2 * side), fill=255)
    if inset < side:
        draw.ellipse((inset, inset, 2 * side - inset, 2 * side - inset), fill=0)
    return corner.reduce(_SUPERSAMPLING)


def _dash_mask(width: int, height: int, stroke: int) -> Image.Image:
    """A mask with gaps along each edge; the corners have none."""
    columns, rows = _dash_pattern(width, stroke), _dash_pattern(height, stroke)
    from_middle_x = np.abs(np.arange(width) * 2 - width) / width
    from_middle_y = np.abs(np.arange(height) * 2 - height) / height
    horizontal_edge = from_middle_y[:, None] > from_middle_x[None, :]
    return Image.fromarray(np.where(horizontal_edge, columns[None, :], rows[:, None]).astype(np.uint8) * 255)


def _dash_pattern(length: int, stroke: int) -> NDArray[np.bool_]:
    """Where an edge has a dash: symmetric, with a whole dash at both ends."""
    dash = max(3 * stroke, 4)
    count = max(round((length / dash - 1) / 2), 1) * 2 + 1
    return np.asarray((np.arange(length) * count // length) % 2 == 0)


def _stroke_width(box: Box, image_size: tuple[int, int]) -> int:
    """Thin for small faces; thicker in large images, which are displayed smaller than they are."""
    face, short_side = min(box.width, box.height), min(image_size)
    stroke = min(max(face / 70, short_side / 400), short_side / 130)
    return max(1, round(min(stroke, face / 12)))


# Tags


def _tag_texts(reading: Reading, text_height: int) -> Iterator[tuple[str, ...]]:
    """The possible texts of a tag, the longest first."""
    emotions = reading.emotions
    top = emotions.ranked()[0]
    track = "" if reading.track is None else f"{reading.track}: "
    headline = f"{track}{_format_label(reading)} {format_percent(top.score)}".strip()
    if len(emotions.mixture) > 1:
        mixture = ", ".join(map(_format_part, emotions.mixture))
        # Below a small face the second line would be several times as wide as the face.
        if _tag_size((headline, mixture), text_height)[0] <= 3 * reading.face.box.width:
            yield headline, mixture
    yield (headline,)
    yield (f"{track}{format_percent(top.score)}",)


def _numbered_texts(reading: Reading, number: int) -> tuple[tuple[str, ...], ...]:
    """The possible texts of the tag of face ``number``, the longest first: ``_NUMBERED_TEXTS`` of them."""
    label = _format_label(reading)
    percent = format_percent(reading.emotions[reading.emotions.top])
    last = f"{number}?" if reading.emotions.uncertain else f"{number}"
    return (f"{number}: {label} {percent}",), (f"{number}: {label}",), (last,)


def _format_label(reading: Reading) -> str:
    return _to_ascii(reading.emotions.top) + ("?" if reading.emotions.uncertain else "")


def _format_part(score: Score) -> str:
    return f"{format_percent(score.score)} {_to_ascii(score.label)}".strip()


def _to_ascii(label: str) -> str:
    """What Pillow's default font can draw: accents are removed, other scripts and emoji are left out."""
    return unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().strip()


def _text_height(box: Box, image_size: tuple[int, int], pixel_ratio: float) -> int:
    """The text height in pixels: proportional to the face, within limits that depend on the image on the display."""
    short_side = min(image_size) / pixel_ratio
    smallest, largest = max(short_side / 110, 12), max(short_side / 24, 12)
    height = min(max(0.13 * box.width / pixel_ratio, smallest), largest)
    return round(max(_MIN_TEXT_HEIGHT, round(height)) * pixel_ratio)


@lru_cache(maxsize=64)
def _load_font(height: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=height)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels have FreeType"
    return font


def _line_heights(lines: Sequence[str], text_height: int) -> list[int]:
    return [text_height, round(text_height * 0.74)][: len(lines)]


def _padding(text_height: int) -> tuple[int, int]:
    return round(text_height * 0.5), round(text_height * 0.32)


def _tag_size(lines: Sequence[str], text_height: int) -> tuple[int, int]:
    padding_x, padding_y = _padding(text_height)
    heights = _line_heights(lines, text_height)
    width = max(_load_font(height).getlength(line) for line, height in zip(lines, heights, strict=True))
    height = sum(heights) + (len(lines) - 1) * _LINE_SPACING * text_height
    return round(width) + 2 * padding_x, round(height) + 2 * padding_y


def _draw_tag(lines: Sequence[str], text_height: int, background: _Colour) -> Image.Image:
    width, height = _tag_size(lines, text_height)
    padding_x, padding_y = _padding(text_height)
    tag = Image.new("RGBA", (width * _SUPERSAMPLING, height * _SUPERSAMPLING), (*background, 0))
    draw = ImageDraw.Draw(tag)
    radius = text_height * 0.34 * _SUPERSAMPLING
    draw.rounded_rectangle((0, 0, tag.width - 1, tag.height - 1), radius=radius, fill=(*background, 255))
    colour, top = _text_colour(background), float(padding_y)
    for number, (line, size) in enumerate(zip(lines, _line_heights(lines, text_height), strict=True)):
        # "ls" anchors at the baseline: lines with and without descenders are aligned.
        position = (padding_x * _SUPERSAMPLING, (top + size * 0.83) * _SUPERSAMPLING)
        # The first line is bolder; Pillow's default font has only one weight.
        bold = round(size * _SUPERSAMPLING / 55) if number == 0 else 0
        font = _load_font(size * _SUPERSAMPLING)
        draw.text(position, line, fill=colour, font=font, anchor="ls", stroke_width=bold)
        top += size + _LINE_SPACING * text_height
    return tag.reduce(_SUPERSAMPLING)


# Colours


def _text_colour(background: _Colour) -> _Colour:
    """Dark or light, whichever has the higher contrast ratio (WCAG 2)."""
    luminance = _luminance(background)
    return _LIGHT if (1.05 / (luminance + 0.05)) > (luminance + 0.05) / (_luminance(_DARK) + 0.05) else _DARK


def _luminance(colour: _Colour) -> float:
    linear = [float((value / 255) ** 2.2) for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _box_colour(reading: Reading) -> _Colour:
    code = label_colour(reading.emotions.top, reading.emotions.labels).lstrip("#")
    colour = int(code[:2], 16), int(code[2:4], 16), int(code[4:6], 16)
    return _blend(colour, _MUTED) if reading.emotions.uncertain else colour


def _tag_colour(reading: Reading) -> _Colour:
    colour = _box_colour(reading)
    return _blend(colour, _MUTED) if reading.emotions.uncertain else colour


def _blend(first: _Colour, second: _Colour) -> _Colour:
    return (first[0] + second[0]) // 2, (first[1] + second[1]) // 2, (first[2] + second[2]) // 2


# Positions


def _place_tag(
    reading: Reading,
    texts: Sequence[tuple[str, ...]],
    heights: Sequence[int],
    image_size: tuple[int, int],
    faces: _Boxes,
    tags: _Boxes,
    *,
    avoid_faces: bool,
) -> Tag | None:
    """The first text that hides no other tag, and with ``avoid_faces`` no face; else the text that hides least.

    A text has the first height with which it fits into the image; None if no text fits.
    """
    best, least = None, float("inf")
    for rank, lines in enumerate(texts):
        for height in heights:
            size = _tag_size(lines, height)
            if size[0] > image_size[0] or size[1] > image_size[1] // 2:
                continue
            box = reading.face.box
            # A number between two faces could belong to both: it lies on a corner of its box.
            is_number = avoid_faces and rank == len(texts) - 1
            corners = _corner_positions(size, box) if is_number else _candidate_positions(size, box, image_size)
            position = _find_position(size, box, corners, image_size, faces, tags)
            hidden_tags = _shared_area(position, tags)
            hidden = hidden_tags + (_shared_area(position, faces) if avoid_faces else 0)
            if hidden < least:
                best, least = Tag(lines, height, position, rank, hidden_tags), hidden
            break
        if not least:
            break
    return best


def _find_position(
    tag: tuple[int, int],
    box: Box,
    corners: Iterable[tuple[int, int]],
    image_size: tuple[int, int],
    faces: _Boxes,
    tags: _Boxes,
) -> Box:
    """The one of these upper left corners at which a tag hides least of other tags, then of faces."""
    best, least, own_face = Box(0, 0, *tag), float("inf"), _to_array([box])
    for rank, (x, y) in enumerate(corners):
        position = Box(min(max(x, 0), image_size[0] - tag[0]), min(max(y, 0), image_size[1] - tag[1]), *tag)
        # The tag's own face is one of the faces, but counts less than the others.
        hidden = 8 * _shared_area(position, tags) + 3 * _shared_area(position, faces)
        hidden -= 2 * _shared_area(position, own_face)
        cost = hidden / (tag[0] * tag[1]) + 0.02 * rank
        if cost < least:
            best, least = position, cost
    return best


def _candidate_positions(tag: tuple[int, int], box: Box, image_size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Above and below the box, aligned left and right; beside it; inside it."""
    stroke = _stroke_width(box, image_size)
    gap = max(1, round(tag[1] * 0.12)) + stroke // 2
    left, right = box.x, box.x + box.width - tag[0]
    above, below = box.y - tag[1] - gap, box.y + box.height + gap
    yield from ((left, above), (right, above), (left, below), (right, below))
    yield from ((box.x + box.width + gap, box.y), (box.x - tag[0] - gap, box.y))
    inset = gap + stroke
    yield from ((left + inset, box.y + inset), (left + inset, box.y + box.height - tag[1] - inset))


def _corner_positions(tag: tuple[int, int], box: Box) -> Iterator[tuple[int, int]]:
    """On the corners of the box, most of the tag outside."""
    left, right = box.x - tag[0] // 2, box.x + box.width - tag[0] // 2
    top, bottom = box.y - 2 * tag[1] // 3, box.y + box.height - tag[1] // 3
    yield from ((left, top), (right, top), (left, bottom), (right, bottom))


def _to_array(boxes: list[Box]) -> _Boxes:
    return np.array(boxes, np.int64).reshape(-1, 4)


def _shared_area(box: Box, others: _Boxes) -> int:
    """The sum of the areas, in pixels, that a box shares with each of the others."""
    x, y, width, height = others.T
    shared_width = np.minimum(x + width, box.x + box.width) - np.maximum(x, box.x)
    shared_height = np.minimum(y + height, box.y + box.height) - np.maximum(y, box.y)
    return int((np.maximum(shared_width, 0) * np.maximum(shared_height, 0)).sum())
