"""The icons of the expressions as pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from mien.html.icons import ICON_SIDE, IconStroke, icon_strokes
from mien.labels import label_colour

#: Icons are drawn larger by this factor and scaled down, for smooth edges.
_OVERSAMPLING = 4


@lru_cache(maxsize=64)
def draw_icon(label: str, side: int, labels: tuple[str, ...] = ()) -> Image.Image:
    """The icon of a label as RGBA, ``side`` pixels wide. ``labels`` are those of the model, for its colour."""
    unit = side * _OVERSAMPLING / ICON_SIDE
    image = Image.new("RGBA", (side * _OVERSAMPLING,) * 2, (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse([unit * value for value in (0.5, 0.5, 31.5, 31.5)], fill=label_colour(label, labels))
    for stroke in icon_strokes(label):
        _draw_stroke(draw, stroke, unit)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _draw_stroke(draw: ImageDraw.ImageDraw, stroke: IconStroke, unit: float) -> None:
    if stroke.kind == "oval":
        x, y, radius_x, radius_y = (value * unit for value in stroke.points)
        draw.ellipse((x - radius_x, y - radius_y, x + radius_x, y + radius_y), fill=stroke.colour)
        return
    width = 2.1 * unit
    points = [(float(x), float(y)) for x, y in _line_points(stroke) * unit]
    draw.line(points, fill=stroke.colour, width=round(width), joint="curve")
    for x, y in (points[0], points[-1]):
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=stroke.colour)


def _line_points(stroke: IconStroke) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    points = np.array(stroke.points, np.float64).reshape(-1, 2)
    if stroke.kind == "line":
        return points
    along = np.linspace(0, 1, 24)[:, None]
    start, control, end = points
    return np.asarray((1 - along) ** 2 * start + 2 * along * (1 - along) * control + along**2 * end)
