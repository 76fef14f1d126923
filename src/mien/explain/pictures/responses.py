"""What a channel responds to: the faces that excite it most, beside its map of this one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import Layer
from mien.explain.pictures.paper import MUTED, SMALL, WORDS, Canvas, enlarged, sheet
from mien.explain.pictures.tones import coloured, scale_for
from mien.types import Pixels

_SIDE, _GAP, _NAME = 96, 8, 120


def responses(layer: Layer, faces: NDArray[np.uint8], best: Mapping[int, tuple[int, ...]]) -> Pixels:
    """A row for each channel of ``best``: its map, then the faces ``(N, h, w)`` at those places, strongest first."""
    count = max((len(places) for places in best.values()), default=0)
    begin = _NAME + _SIDE + 3 * _GAP
    canvas = Canvas(begin + max(count, 3) * (_SIDE + _GAP) - _GAP, max(len(best), 1) * (_SIDE + 2 * _GAP) + 26)
    canvas.write((_NAME, 0), "this face", SMALL, MUTED)
    canvas.write((begin, 0), "what excites it most", SMALL, MUTED)
    how = scale_for(layer.activations)
    for row, (channel, places) in enumerate(best.items()):
        top = 26 + row * (_SIDE + 2 * _GAP)
        canvas.write((0, top + _SIDE // 2), f"map {channel}", WORDS, anchor="lm")
        values = np.atleast_2d(layer.activations[channel])
        canvas.paste(enlarged(coloured(values, how), _SIDE)[:_SIDE, :_SIDE], (_NAME, top))
        for column, place in enumerate(places):
            canvas.paste(enlarged(faces[place], _SIDE), (begin + column * (_SIDE + _GAP), top))
        if not places:
            canvas.write((begin, top + _SIDE // 2), "none of them", SMALL, MUTED, "lm")
    told = f"The maps that are strongest on this face, and which of {len(faces):,} faces excite each of them most."
    notes = ["Mind the rights of these faces before you publish."]
    return sheet(f"What {layer.name} responds to", [told], canvas, notes)
