"""Small drawings for buttons, by name: strokes in a square of 24 by 24, drawn smooth at any size and in any colour."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageDraw

#: The side of the square in which the strokes stand, and how much finer they are drawn.
SIDE, _FINER = 24, 4


class Stroke(NamedTuple):
    """``line``: points; ``box``: corners, radius; ``oval``: corners; filled: ``area``, points; ``dot``, corners."""

    kind: str
    points: tuple[float, ...]
    wide: float = 1.7


def _line(*points: float) -> Stroke:
    return Stroke("line", points)


def _box(*points: float) -> Stroke:
    return Stroke("box", points)


def _oval(*points: float) -> Stroke:
    return Stroke("oval", points)


def _area(*points: float) -> Stroke:
    return Stroke("area", points)


def _dot(*points: float) -> Stroke:
    return Stroke("dot", points)


_FRAME = _box(3, 4.5, 21, 19.5, 3)

_ICONS: dict[str, tuple[Stroke, ...]] = {
    "photo": (_FRAME, _dot(7, 8, 10, 11), _line(4, 17, 9.5, 12.5, 13, 16, 16.5, 12.5, 20, 16)),
    "camera": (_box(3, 7, 21, 19.5, 3), _line(8, 7, 9.5, 4.5, 14.5, 4.5, 16, 7), _oval(8.4, 9.2, 15.6, 16.4)),
    "video": (_box(2.5, 6, 15.5, 18, 3), _line(15.5, 11, 21, 7.6, 21, 16.4, 15.5, 13)),
    "inside": (
        _line(12, 3.5, 21, 8, 12, 12.5, 3, 8, 12, 3.5),
        _line(3, 12, 12, 16.5, 21, 12),
        _line(3, 16, 12, 20.5, 21, 16),
    ),
    "models": (
        *(_line(3.5, y, 20.5, y) for y in (6.5, 12, 17.5)),
        *(_dot(x - 2.3, y - 2.3, x + 2.3, y + 2.3) for x, y in ((15, 6.5), (8, 12), (16.5, 17.5))),
    ),
    "open": (_line(3.5, 18.5, 3.5, 6, 9, 6, 11, 8.2, 20, 8.2, 20, 18.5, 3.5, 18.5),),
    "save": (_line(12, 4, 12, 15), _line(7.2, 10.6, 12, 15.4, 16.8, 10.6), _line(4.5, 19.5, 19.5, 19.5)),
    "play": (_area(8, 5.5, 18.5, 12, 8, 18.5),),
    "pause": (_area(7, 5.5, 10.4, 5.5, 10.4, 18.5, 7, 18.5), _area(13.6, 5.5, 17, 5.5, 17, 18.5, 13.6, 18.5)),
    "stop": (_area(6.5, 6.5, 17.5, 6.5, 17.5, 17.5, 6.5, 17.5),),
    "snapshot": (_oval(3.5, 3.5, 20.5, 20.5), _dot(8, 8, 16, 16)),
    "close": (_line(6.5, 6.5, 17.5, 17.5), _line(17.5, 6.5, 6.5, 17.5)),
    "down": (_line(7, 10, 12, 15, 17, 10),),
    "left": (_line(14.5, 6, 8.5, 12, 14.5, 18),),
    "right": (_line(9.5, 6, 15.5, 12, 9.5, 18),),
    "check": (_line(5.5, 12.5, 10, 17, 18.5, 7.5),),
    "drop": (
        _box(3, 3, 21, 21, 4),
        _line(12, 7, 12, 15.6),
        _line(8, 12, 12, 16, 16, 12),
    ),
    "warn": (_line(12, 4, 21, 19.5, 3, 19.5, 12, 4), _line(12, 10, 12, 14.2), _dot(11.1, 15.8, 12.9, 17.6)),
    "again": (
        _line(
            19, 12, 18.2, 15.3, 15.6, 18, 12, 19, 8.2, 18, 5.6, 15.2, 5, 12, 5.8, 8.8, 8.4, 6, 12, 5, 16, 6.2, 18.4, 8.4
        ),
        _line(18.8, 4, 18.8, 8.8, 14, 8.8),
    ),
}


@lru_cache(maxsize=256)
def icon(name: str, side: int, hue: str) -> Image.Image:
    """The drawing as RGBA, ``side`` pixels wide."""
    image = Image.new("RGBA", (side * _FINER,) * 2, (*_rgb(hue), 0))
    draw = ImageDraw.Draw(image)
    for stroke in _ICONS[name]:
        _drawn(draw, stroke, side * _FINER / SIDE, hue)
    return image.resize((side, side), Image.Resampling.BOX)


def _drawn(draw: ImageDraw.ImageDraw, stroke: Stroke, unit: float, hue: str) -> None:
    points, wide = [value * unit for value in stroke.points], max(round(stroke.wide * unit), 1)
    match stroke.kind:
        case "line":
            _rounded_line(draw, points, wide, hue)
        case "box":
            draw.rounded_rectangle(points[:4], points[4], outline=hue, width=wide)
        case "oval":
            draw.ellipse(points, outline=hue, width=wide)
        case "dot":
            draw.ellipse(points, fill=hue)
        case "area":
            draw.polygon(points, fill=hue)
            _rounded_line(draw, [*points, *points[:2]], wide, hue)


def _rounded_line(draw: ImageDraw.ImageDraw, points: list[float], wide: int, hue: str) -> None:
    draw.line(points, fill=hue, width=wide, joint="curve")
    for x, y in zip(points[0::2], points[1::2], strict=True):
        draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=hue)


def _rgb(hue: str) -> tuple[int, int, int]:
    return int(hue[1:3], 16), int(hue[3:5], 16), int(hue[5:7], 16)
