"""The strokes of one icon per expression: the same on every machine, where emoji differ or are missing.

Coordinates are in a square of 32 by 32. The template macro ``icon_svg`` turns them into SVG; code that draws pixels
takes :func:`strokes`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mien.labels import VOTES, normalize_label

#: Side of the square that holds the strokes.
ICON_SIDE = 32

#: Colour of the strokes.
INK = "#1c2128"


class IconStroke(NamedTuple):
    """``line``: points; ``curve``: start, control point, end; ``oval``: centre and radii, filled."""

    kind: Literal["line", "curve", "oval"]
    points: tuple[float, ...]
    colour: str = INK


def _line(*points: float) -> IconStroke:
    return IconStroke("line", points)


def _curve(*points: float) -> IconStroke:
    return IconStroke("curve", points)


def _oval(x: float, y: float, radius_x: float, radius_y: float, colour: str = INK) -> IconStroke:
    return IconStroke("oval", (x, y, radius_x, radius_y), colour)


def _mirror(stroke: IconStroke) -> tuple[IconStroke, IconStroke]:
    """A stroke of the left half and its mirror image."""
    x, y = stroke.points[0::2], stroke.points[1::2]
    if stroke.kind == "oval":
        return stroke, stroke._replace(points=(ICON_SIDE - x[0], *stroke.points[1:]))
    mirrored = tuple(value for pair in zip((ICON_SIDE - each for each in x), y, strict=True) for value in pair)
    return stroke, stroke._replace(points=mirrored)


_EYES = _mirror(_oval(11, 13, 1.7, 2.1))

_GLARE = (
    *_mirror(_line(7.6, 9, 13.4, 11.6)),
    *_mirror(_oval(11, 14.6, 1.7, 1.9)),
    _curve(10.6, 23.4, 16, 18.2, 21.4, 23.4),
)
_GRIMACE = (
    *_mirror(_curve(8, 12.4, 11, 15, 14, 13)),
    _oval(18.6, 23.4, 2.3, 2.7, "#f2a0a8"),
    _curve(10, 22.4, 13.5, 18.6, 16.6, 21.4),
    _curve(16.6, 21.4, 19.4, 23.6, 22, 20.6),
)
_FRIGHT = (
    *_mirror(_curve(7.4, 10.4, 9.4, 7.4, 13, 7.8)),
    *_mirror(_oval(11, 13.6, 2.9, 3.2, "#ffffff")),
    *_mirror(_oval(11, 13.6, 1.4, 1.5)),
    _curve(10, 23.2, 12, 19.6, 14, 22.2),
    _curve(14, 22.2, 16, 24.8, 18, 22.2),
    _curve(18, 22.2, 20, 19.6, 22, 23.2),
)
_SMILE = (*_mirror(_curve(8.4, 13.6, 11, 9.8, 13.6, 13.6)), _curve(9, 18.4, 16, 28, 23, 18.4))
_TEARS = (
    *_mirror(_line(7.8, 11, 13, 8.8)),
    *_mirror(_oval(11, 14.4, 1.7, 2)),
    _curve(10.8, 24, 16, 18.4, 21.2, 24),
    _oval(23.4, 19.6, 1.3, 2, "#d7ecf7"),
)
_GASP = (
    *_mirror(_curve(7.6, 8.6, 10.6, 5.4, 13.8, 7.8)),
    *_mirror(_oval(11, 13, 2.1, 2.6)),
    _oval(16, 22.6, 3.1, 4),
)
_CALM = (*_EYES, _line(10.8, 21.4, 21.2, 21.4))
_SMIRK = (
    _line(8.4, 13.4, 13.6, 13.4),
    _line(18.4, 13.4, 23.6, 13.4),
    _curve(18, 9.6, 21, 7, 24, 8.6),
    _curve(10.6, 22, 18, 23.4, 22, 18.4),
)

#: In the order of the labels.
_FACES = dict(zip(VOTES, (_GLARE, _GRIMACE, _FRIGHT, _SMILE, _TEARS, _GASP, _CALM, _SMIRK), strict=True))


def icon_strokes(label: str) -> tuple[IconStroke, ...]:
    """The strokes for a label, in drawing order, over a filled circle; for an unknown label, two eyes."""
    return _FACES.get(normalize_label(label), _EYES)
