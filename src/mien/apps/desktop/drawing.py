"""Everything that is drawn in code: icons, rounded shapes, bars and timelines, and the maps of a network.

Icons and shapes are PIL images, drawn larger and sampled down for smooth edges; the rest is pixels from NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.labels import label_colour
from mien.results import Pixels

if TYPE_CHECKING:
    from mien.explain import Layer, Saliency
    from mien.video.timeline import TimelineStep

#: The side of the square in which icons are designed, the width of their lines, and how much larger all is drawn.
_ICON_SIDE, _STROKE_WIDTH, _SUPERSAMPLING = 24, 1.7, 4

#: Intervals between the marks of a time axis, in seconds.
_INTERVALS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)

#: The opacity of a map over a face where the evidence is strongest.
_MAP_OPACITY = 0.85


def parse_color(code: str) -> tuple[int, int, int]:
    """``#rrggbb`` as numbers."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def mix_colors(first: str, second: str, fraction: float) -> str:
    """A colour between two as ``#rrggbb``: ``fraction`` of the second."""
    pairs = zip(parse_color(first), parse_color(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * fraction):02x}" for a, b in pairs)


# Icons

_FRAME = ("box", 3, 4.5, 21, 19.5, 3)
_ARC = (19, 12, 18.2, 15.3, 15.6, 18, 12, 19, 8.2, 18, 5.6, 15.2, 5, 12, 5.8, 8.8, 8.4, 6, 12, 5, 16, 6.2, 18.4, 8.4)

#: The strokes of each icon: outlines ``line`` (points), ``box`` (corners, radius), ``oval`` (corners); filled ``area``
#: (points) and ``dot`` (corners).
_ICONS: dict[str, tuple[tuple[str, *tuple[float, ...]], ...]] = {
    "photo": (_FRAME, ("dot", 7, 8, 10, 11), ("line", 4, 17, 9.5, 12.5, 13, 16, 16.5, 12.5, 20, 16)),
    "camera": (("box", 3, 7, 21, 19.5, 3), ("line", 8, 7, 9.5, 4.5, 14.5, 4.5, 16, 7), ("oval", 8.4, 9.2, 15.6, 16.4)),
    "video": (("box", 2.5, 6, 15.5, 18, 3), ("line", 15.5, 11, 21, 7.6, 21, 16.4, 15.5, 13)),
    "explain": (
        ("line", 12, 3.5, 21, 8, 12, 12.5, 3, 8, 12, 3.5),
        ("line", 3, 12, 12, 16.5, 21, 12),
        ("line", 3, 16, 12, 20.5, 21, 16),
    ),
    "models": (
        *(("line", 3.5, y, 20.5, y) for y in (6.5, 12, 17.5)),
        *(("dot", x - 2.3, y - 2.3, x + 2.3, y + 2.3) for x, y in ((15, 6.5), (8, 12), (16.5, 17.5))),
    ),
    "open": (("line", 3.5, 18.5, 3.5, 6, 9, 6, 11, 8.2, 20, 8.2, 20, 18.5, 3.5, 18.5),),
    "save": (("line", 12, 4, 12, 15), ("line", 7.2, 10.6, 12, 15.4, 16.8, 10.6), ("line", 4.5, 19.5, 19.5, 19.5)),
    "play": (("area", 8, 5.5, 18.5, 12, 8, 18.5),),
    "pause": (("area", 7, 5.5, 10.4, 5.5, 10.4, 18.5, 7, 18.5), ("area", 13.6, 5.5, 17, 5.5, 17, 18.5, 13.6, 18.5)),
    "stop": (("area", 6.5, 6.5, 17.5, 6.5, 17.5, 17.5, 6.5, 17.5),),
    "snapshot": (("oval", 3.5, 3.5, 20.5, 20.5), ("dot", 8, 8, 16, 16)),
    "down": (("line", 7, 10, 12, 15, 17, 10),),
    "left": (("line", 14.5, 6, 8.5, 12, 14.5, 18),),
    "right": (("line", 9.5, 6, 15.5, 12, 9.5, 18),),
    "warning": (("line", 12, 4, 21, 19.5, 3, 19.5, 12, 4), ("line", 12, 10, 12, 14.2), ("dot", 11.1, 15.8, 12.9, 17.6)),
    "repeat": (("line", *_ARC), ("line", 18.8, 4, 18.8, 8.8, 14, 8.8)),
}


@lru_cache(maxsize=256)
def draw_icon(name: str, side: int, color: str) -> Image.Image:
    """An icon as RGBA, ``side`` pixels wide."""
    image = Image.new("RGBA", (side * _SUPERSAMPLING,) * 2, (*parse_color(color), 0))
    draw = ImageDraw.Draw(image)
    unit = side * _SUPERSAMPLING / _ICON_SIDE
    width = max(round(_STROKE_WIDTH * unit), 1)
    for kind, *coordinates in _ICONS[name]:
        points = [value * unit for value in coordinates]
        match kind:
            case "line":
                _draw_rounded_line(draw, points, width, color)
            case "box":
                draw.rounded_rectangle(points[:4], points[4], outline=color, width=width)
            case "oval":
                draw.ellipse(points, outline=color, width=width)
            case "dot":
                draw.ellipse(points, fill=color)
            case "area":
                draw.polygon(points, fill=color)
                _draw_rounded_line(draw, [*points, *points[:2]], width, color)
    return image.resize((side, side), Image.Resampling.BOX)


def _draw_rounded_line(draw: ImageDraw.ImageDraw, points: list[float], width: int, color: str) -> None:
    draw.line(points, fill=color, width=width, joint="curve")
    for x, y in zip(points[0::2], points[1::2], strict=True):
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=color)


# Rounded shapes


def draw_rounded_square(
    side: int, radius: float, fill: str, border: str | None = None, width: float = 1.0
) -> Image.Image:
    """A square with round corners as RGBA; a border of ``width`` pixels lies inside its edge."""
    large = side * _SUPERSAMPLING
    image = Image.new("RGBA", (large, large), (*parse_color(border or fill), 0))
    draw, inset = ImageDraw.Draw(image), round(width * _SUPERSAMPLING)
    for color, margin in ((border or fill, 0), (fill, inset if border else 0)):
        corners = (margin, margin, large - 1 - margin, large - 1 - margin)
        draw.rounded_rectangle(corners, max(radius * _SUPERSAMPLING - margin, 0), fill=color)
    return image.resize((side, side), Image.Resampling.BOX)


def stretch_middle(image: Image.Image, border: int, side: int, background: str = "") -> Image.Image:
    """The same shape with a large middle, for large widgets: Tk repeats the middle as tiles, and many tiles are slow.

    With a ``background`` the image has no transparency, which Tk draws slowly too.
    """
    if background:
        opaque = Image.new("RGB", image.size, background)
        opaque.paste(image, mask=image)
        image = opaque
    end, large = image.width - border, Image.new(image.mode, (side, side))
    spans = ((0, border, 0, border), (border, end, border, side - border), (end, image.width, side - border, side))
    for top, bottom, to_top, to_bottom in spans:
        for left, right, to_left, to_right in spans:
            part = image.crop((left, top, right, bottom))
            large.paste(part.resize((to_right - to_left, to_bottom - to_top)), (to_left, to_top))
    return large


def draw_check_box(side: int, checked: bool, fill: str, border: str, mark: str) -> Image.Image:
    image = draw_rounded_square(side, side * 0.28, fill, border, max(side / 14, 1))
    if checked:
        draw = ImageDraw.Draw(image := image.resize((side * _SUPERSAMPLING,) * 2))
        points = [value * side * _SUPERSAMPLING for value in (0.24, 0.52, 0.43, 0.7, 0.77, 0.32)]
        draw.line(points, fill=mark, width=round(side * _SUPERSAMPLING * 0.11), joint="curve")
        image = image.resize((side, side), Image.Resampling.BOX)
    return image


@lru_cache(maxsize=512)
def draw_bar(width: int, height: int, filled: int, fill: str, track: str, background: str) -> Image.Image:
    """A bar with round ends, of which ``filled`` pixels are filled."""
    image = Image.new("RGB", (width * _SUPERSAMPLING, height * _SUPERSAMPLING), background)
    edge, radius = (0, 0, image.width - 1, image.height - 1), height * _SUPERSAMPLING / 2
    ImageDraw.Draw(image).rounded_rectangle(edge, radius, fill=track)
    full = Image.new("RGB", image.size, background)
    ImageDraw.Draw(full).rounded_rectangle(edge, radius, fill=fill)
    # Cut off straight: a round end would make a small value look larger.
    image.paste(full.crop((0, 0, min(filled, width) * _SUPERSAMPLING, image.height)))
    return image.resize((width, height), Image.Resampling.BOX)


# Timelines


def stack_scores(scores: Sequence[float], labels: tuple[str, ...], height: int) -> Pixels:
    """A column ``(height, 3)`` of the labels' colours, as high as their scores; the first label at the bottom."""
    colors = np.array([parse_color(label_colour(label, labels)) for label in labels], np.uint8)
    rows = (np.arange(height)[::-1] + 0.5) / height
    return np.asarray(colors[np.searchsorted(np.cumsum(scores), rows).clip(0, len(colors) - 1)])


def draw_timeline(
    steps: Sequence[TimelineStep],
    labels: tuple[str, ...],
    size: tuple[int, int],
    span: tuple[float, float],
    background: str,
) -> Pixels:
    """The scores of a track over time ``(height, width, 3)``: background where the face was not visible or judged."""
    width, height = size
    pixels = np.full((height, width, 3), parse_color(background), np.uint8)
    per_second = width / max(span[1] - span[0], 1e-6)
    for step in steps:
        left = int((step.start - span[0]) * per_second)
        right = max(int(np.ceil((step.end - span[0]) * per_second)), left + 1)
        if step.scores:
            pixels[:, max(left, 0) : right] = stack_scores(step.scores, labels, height)[:, None]
    return pixels


def axis_marks(start: float, end: float, most: int) -> list[float]:
    """Round times for an axis, ``most`` at most."""
    length = max(end - start, 1e-6)
    interval = next((interval for interval in _INTERVALS if length / interval <= most), length)
    return [index * interval for index in range(int(-(-start // interval)), int(end / interval) + 1)]


# The layers of a network


def draw_feature_maps(
    layer: Layer,
    channels: Sequence[int],
    side: int,
    gap: int,
    columns: int,
    background: str,
    maximum: float | None = None,
) -> Pixels:
    """Channels of a layer as tiles, each scaled by its own largest value, or all by ``maximum``."""
    import cv2

    from mien.explain.figures.colormaps import apply_colours, choose_scale

    rows, step = -(-len(channels) // columns), side + gap
    sheet = np.full((max(rows * step - gap, 1), max(columns * step - gap, 1), 3), parse_color(background), np.uint8)
    scale = choose_scale(layer.activations)
    for place, channel in enumerate(channels):
        top, left = (index * step for index in divmod(place, columns))
        tile = apply_colours(layer.activations[channel], scale, maximum)
        sheet[top : top + side, left : left + side] = cv2.resize(tile, (side, side), interpolation=cv2.INTER_NEAREST)
    return sheet


def draw_vector(
    values: NDArray[np.float32], size: tuple[int, int], positive: str, negative: str, background: str
) -> Pixels:
    """A layer without maps as bars, one a channel, those below 0 downwards."""
    width, height = size
    pixels = np.full((height, width, 3), parse_color(background), np.uint8)
    low, high = min(float(values.min(initial=0)), 0.0), max(float(values.max(initial=0)), 1e-9)
    zero = round(height * high / (high - low))
    edges = np.linspace(0, width, len(values) + 1).round().astype(int)
    for (left, right), value in zip(pairwise(edges), values, strict=True):
        top = zero - round(height * float(value) / (high - low))
        end = max(right - (1 if right - left > 3 else 0), left + 1)
        pixels[min(top, zero) : max(top, zero), left:end] = parse_color(negative if value < 0 else positive)
    return pixels


def draw_crop(crop: NDArray[np.uint8], side: int, *, smooth: bool = True) -> Pixels:
    """The input of the model, gray ``(h, w)`` or ``(h, w, 1)`` or RGB, as RGB ``(side, side, 3)``."""
    import cv2

    flat = crop[..., 0] if crop.ndim == 3 and crop.shape[-1] == 1 else crop
    large = cv2.resize(flat, (side, side), interpolation=cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST)
    return np.asarray(np.repeat(large[..., None], 3, axis=2) if large.ndim == 2 else large, np.uint8)


def overlay_map(pixels: Pixels, saliency: Saliency, strength: float = 1.0) -> Pixels:
    """The saliency map over the crop, transparent where it is 0; signed maps are orange for and blue against."""
    import cv2

    from mien.explain.figures.colormaps import colour_indices, colour_table

    name = "tide" if saliency.signed else "ember"
    size = pixels.shape[1], pixels.shape[0]
    values = np.asarray(cv2.resize(saliency.map, size, interpolation=cv2.INTER_CUBIC), np.float32)
    colors = colour_table(name)[colour_indices(values, name, saliency.strongest)].astype(np.float32)  # type: ignore[arg-type]
    part = np.clip(np.abs(values) / (saliency.strongest or 1.0), 0, 1) ** 0.7
    opacity = (_MAP_OPACITY * strength * part)[..., None]
    return np.asarray(np.rint(pixels * (1 - opacity) + colors * opacity), np.uint8)


def draw_color_scale(signed: bool, size: tuple[int, int]) -> Pixels:
    """The colours of such a map, from the lowest value to the highest."""
    from mien.explain.figures.colormaps import colour_table

    places = np.linspace(0, 255, size[0]).round().astype(int)
    return np.repeat(colour_table("tide" if signed else "ember")[places][None], size[1], axis=0)
