"""The colours of maps: scales whose lightness only rises or only falls, so that every eye reads them alike.

``sea`` is for what a layer says, ``ember`` for where a model looked, ``tide`` for what can speak for or against.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scale: TypeAlias = Literal["sea", "ember", "tide"]

#: Evenly spaced on the scale, darkest first; ``tide`` is blue for against, orange for.
_ANCHORS: dict[Scale, tuple[str, ...]] = {
    "sea": ("#0b132b", "#173a66", "#1b6b85", "#3aa38f", "#9bd49a", "#fbf7c5"),
    "ember": ("#120a32", "#4c1566", "#932667", "#d4483f", "#f5870b", "#f9c932", "#fcfdbf"),
    "tide": ("#134a8c", "#4b8fc7", "#b3d3ea", "#f7f5f0", "#f7c690", "#dd7a2b", "#8f3a05"),
}


@cache
def colour_table(name: Scale) -> NDArray[np.uint8]:
    """256 colours ``(256, 3)`` from the least to the most."""
    anchors = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in _ANCHORS[name]], np.float64)
    places = np.linspace(0, len(anchors) - 1, 256)
    parts = [np.interp(places, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    colours = np.rint(np.stack(parts, 1)).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def legend_colours(name: Scale) -> tuple[str, ...]:
    """The scale as evenly spaced ``#rrggbb``, for a legend."""
    return _ANCHORS[name]


def colour_indices(values: NDArray[np.floating], name: Scale, strongest: float | None = None) -> NDArray[np.uint8]:
    """Where each value stands on the scale, 0 to 255.

    ``sea`` and ``ember`` go from 0 (and all below it) to ``strongest``, ``tide`` from ``-strongest`` to ``strongest``;
    without one the values' own strongest is taken. Values that say nothing stand at the bottom, or in the middle.
    """
    limit = float(np.abs(values).max(initial=0.0)) if strongest is None else strongest
    part = np.asarray(values, np.float64) / limit if limit > 0 else np.zeros(values.shape)
    part = (part + 1) / 2 if name == "tide" else part
    return np.rint(np.clip(part, 0, 1) * 255).astype(np.uint8)


def apply_colours(values: NDArray[np.floating], name: Scale, strongest: float | None = None) -> NDArray[np.uint8]:
    """The values as a picture ``(..., 3)``."""
    return colour_table(name)[colour_indices(values, name, strongest)]


def choose_scale(values: NDArray[np.floating]) -> Scale:
    """``tide`` for what goes below 0 as well, ``sea`` for what does not."""
    return "tide" if float(values.min(initial=0.0)) < 0 else "sea"
