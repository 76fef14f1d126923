"""The drawn faces of the expressions, with pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from mien.html.icons import SIDE, Stroke, strokes
from mien.labels import label_colour

#: Drawn this much larger and sampled down, so that round things are smooth.
_FINER = 4


@lru_cache(maxsize=64)
def draw_icon(label: str, side: int, among: tuple[str, ...] = ()) -> Image.Image:
    """A label's face ``side`` pixels wide, as RGBA."""
    unit = side * _FINER / SIDE
    image = Image.new("RGBA", (side * _FINER,) * 2, (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse([unit * value for value in (0.5, 0.5, 31.5, 31.5)], fill=label_colour(label, among))
    for stroke in strokes(label):
        _stroke(draw, stroke, unit)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _stroke(draw: ImageDraw.ImageDraw, stroke: Stroke, unit: float) -> None:
    if stroke.kind == "oval":
        x, y, across, down = (value * unit for value in stroke.points)
        draw.ellipse((x - across, y - down, x + across, y + down), fill=stroke.hue)
        return
    wide = 2.1 * unit
    points = [(float(x), float(y)) for x, y in _points(stroke) * unit]
    draw.line(points, fill=stroke.hue, width=round(wide), joint="curve")
    for x, y in (points[0], points[-1]):
        draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=stroke.hue)


def _points(stroke: Stroke) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    points = np.array(stroke.points, np.float64).reshape(-1, 2)
    if stroke.kind == "line":
        return points
    along = np.linspace(0, 1, 24)[:, None]
    begin, handle, end = points
    return np.asarray((1 - along) ** 2 * begin + 2 * along * (1 - along) * handle + along**2 * end)
