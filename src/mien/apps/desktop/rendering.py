"""Timelines and maps as pixels, drawn with NumPy in the colours of the theme."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.apps.desktop.live_style import rgb
from mien.labels import colour
from mien.results import Pixels

if TYPE_CHECKING:
    from mien.explain import Layer, Saliency
    from mien.video.timeline import TimelineStep

#: Distances between the marks of a timeline, in seconds.
_MARKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)

#: How much of the strongest place a map over a face covers.
_STRONG = 0.85


def stacked(
    steps: Sequence[TimelineStep], labels: tuple[str, ...], size: tuple[int, int], span: tuple[float, float], ground: str
) -> Pixels:
    """A person's shares over time ``(height, width, 3)``: the first label at the bottom, nothing where nobody was."""
    width, height = size
    sheet = np.full((height, width, 3), rgb(ground), np.uint8)
    tones = np.array([rgb(colour(label, labels)) for label in labels], np.uint8)
    rows = (np.arange(height)[::-1] + 0.5) / height
    per_second = width / max(span[1] - span[0], 1e-6)
    for step in steps:
        left = int((step.start - span[0]) * per_second)
        right = max(int(np.ceil((step.end - span[0]) * per_second)), left + 1)
        if step.shares:
            places = np.searchsorted(np.cumsum(step.shares), rows).clip(0, len(tones) - 1)
            sheet[:, max(left, 0) : right] = tones[places][:, None]
    return sheet


def marks(start: float, end: float, most: int) -> list[float]:
    """Round times for an axis, as many as there is room for."""
    length = max(end - start, 1e-6)
    apart = next((each for each in _MARKS if length / each <= most), length)
    return [place * apart for place in range(int(-(-start // apart)), int(end / apart) + 1)]


def grid(
    layer: Layer, chosen: Sequence[int], side: int, gap: int, across: int, ground: str, strongest: float | None = None
) -> Pixels:
    """Channels of a layer as tiles, each against its own strongest value unless one is given for all."""
    import cv2

    from mien.explain.figures.colormaps import apply_colours, choose_scale

    rows, step = -(-len(chosen) // across), side + gap
    sheet = np.full((max(rows * step - gap, 1), max(across * step - gap, 1), 3), rgb(ground), np.uint8)
    tone = choose_scale(layer.activations)
    for place, channel in enumerate(chosen):
        top, left = (part * step for part in divmod(place, across))
        small = apply_colours(layer.activations[channel], tone, strongest)
        sheet[top : top + side, left : left + side] = cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST)
    return sheet


def numbers(values: NDArray[np.float32], size: tuple[int, int], fill: str, less: str, ground: str) -> Pixels:
    """A layer without places: a bar for each channel, those below 0 downwards in the colour ``less``."""
    width, height = size
    sheet = np.full((height, width, 3), rgb(ground), np.uint8)
    low, high = min(float(values.min(initial=0)), 0.0), max(float(values.max(initial=0)), 1e-9)
    zero = round(height * high / (high - low))
    edges = np.linspace(0, width, len(values) + 1).round().astype(int)
    for (left, right), value in zip(pairwise(edges), values, strict=True):
        top = zero - round(height * float(value) / (high - low))
        wide = max(right - (1 if right - left > 3 else 0), left + 1)
        sheet[min(top, zero) : max(top, zero), left:wide] = rgb(less if value < 0 else fill)
    return sheet


def face(crop: NDArray[np.uint8], side: int) -> Pixels:
    """The face as the model saw it, as large as that."""
    import cv2

    flat = crop[..., 0] if crop.ndim == 3 and crop.shape[-1] == 1 else crop
    large = cv2.resize(flat, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.repeat(large[..., None], 3, axis=2) if large.ndim == 2 else large, np.uint8)


def over(pixels: Pixels, saliency: Saliency, strength: float = 1.0) -> Pixels:
    """The map over the face: nothing where it says nothing; orange for and blue against where it can be both."""
    import cv2

    from mien.explain.figures.colormaps import colour_indices, colour_table

    how = "tide" if saliency.signed else "ember"
    size = pixels.shape[1], pixels.shape[0]
    values = np.asarray(cv2.resize(saliency.map, size, interpolation=cv2.INTER_CUBIC), np.float32)
    colours = colour_table(how)[colour_indices(values, how, saliency.scale)].astype(np.float32)  # type: ignore[arg-type]
    part = np.clip(np.abs(values) / (saliency.scale or 1.0), 0, 1) ** 0.7
    cover = (_STRONG * strength * part)[..., None]
    return np.asarray(np.rint(pixels * (1 - cover) + colours * cover), np.uint8)


def legend(signed: bool, size: tuple[int, int]) -> Pixels:
    """The scale of such a map, from least to most."""
    from mien.explain.figures.colormaps import colour_table

    places = np.linspace(0, 255, size[0]).round().astype(int)
    return np.repeat(colour_table("tide" if signed else "ember")[places][None], size[1], axis=0)
