"""Colour scales of maps, with increasing lightness, so that they work for colour-blind readers too.

``sea`` is for activations, ``ember`` for evidence, ``tide`` for signed values.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scale: TypeAlias = Literal["sea", "ember", "tide"]

#: Evenly spaced colours, darkest first; ``tide`` is blue for negative values, orange for positive ones.
_ANCHORS: dict[Scale, tuple[str, ...]] = {
    "sea": ("#0b132b", "#173a66", "#1b6b85", "#3aa38f", "#9bd49a", "#fbf7c5"),
    "ember": ("#120a32", "#4c1566", "#932667", "#d4483f", "#f5870b", "#f9c932", "#fcfdbf"),
    "tide": ("#134a8c", "#4b8fc7", "#b3d3ea", "#f7f5f0", "#f7c690", "#dd7a2b", "#8f3a05"),
}


@cache
def colour_table(name: Scale) -> NDArray[np.uint8]:
    """256 colours ``(256, 3)`` from the lowest to the highest value."""
    anchors = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in _ANCHORS[name]], np.float64)
    positions = np.linspace(0, len(anchors) - 1, 256)
    parts = [np.interp(positions, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    colours = np.rint(np.stack(parts, 1)).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def legend_colours(name: Scale) -> tuple[str, ...]:
    """Evenly spaced colours of the scale as ``#rrggbb``, for a legend."""
    return _ANCHORS[name]


def colour_indices(values: NDArray[np.floating], name: Scale, strongest: float | None = None) -> NDArray[np.uint8]:
    """The index of each value on the scale, 0 to 255.

    ``sea`` and ``ember`` reach from 0 (and all below) to ``strongest``, ``tide`` from ``-strongest`` to ``strongest``;
    the default is the largest absolute value.
    """
    limit = float(np.abs(values).max(initial=0.0)) if strongest is None else strongest
    part = np.asarray(values, np.float64) / limit if limit > 0 else np.zeros(values.shape)
    part = (part + 1) / 2 if name == "tide" else part
    return np.rint(np.clip(part, 0, 1) * 255).astype(np.uint8)


def apply_colours(values: NDArray[np.floating], name: Scale, strongest: float | None = None) -> NDArray[np.uint8]:
    """The values as RGB uint8 ``(..., 3)``."""
    return colour_table(name)[colour_indices(values, name, strongest)]


def evidence_scale(signed: bool) -> Scale:
    """``tide`` for a map that compares two labels, else ``ember``."""
    return "tide" if signed else "ember"


def colour_evidence(
    values: NDArray[np.floating], signed: bool, strongest: float
) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    """Colours and opacity (0 to 1, 0 where there is no evidence) of an evidence map over a face."""
    strength = np.clip(np.abs(values) / (strongest or 1.0), 0, 1)
    return apply_colours(values, evidence_scale(signed), strongest), np.power(strength, 0.7)


def choose_scale(values: NDArray[np.floating]) -> Scale:
    """``tide`` for values below 0 too, else ``sea``."""
    return "tide" if float(values.min(initial=0.0)) < 0 else "sea"
