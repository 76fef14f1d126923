"""What explanations show, made small enough to send: whole numbers from 0 to 255, in base64.

Each array is ``{"shape": [...], "data": base64}``, row by row. Those of maps and layers have ``scale`` too, the name of
the colours (:mod:`mien.explain.pictures.tones`) that their numbers are places on, and ``strongest``, the value at its
end.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.explain import Explanation, Layer, Look, Saliency
from mien.explain.pictures import tones


def explanation(told: Explanation, many: int) -> dict[str, Any]:
    """The arrays of an explanation, with ``many`` maps of each layer, the strongest first."""
    return {
        "crop": packed(told.crop),
        "region_map": packed(told.region_map),
        "maps": [saliency(each) for each in told.maps],
        "layers": [layer(each, many) for each in told.layers],
    }


def look(told: Look, many: int) -> dict[str, Any]:
    return {
        "emotion": told.emotions.top,
        "scores": dict(told.emotions.shares),
        "regions": None if told.regions is None else told.regions.to_dict(),
        "crop": packed(told.crop),
        "map": None if told.map is None else saliency(told.map),
        "layers": [layer(each, many) for each in told.layers],
    }


def saliency(shown: Saliency) -> dict[str, Any]:
    name: tones.Scale = "tide" if shown.signed else "ember"
    told = {"method": shown.method, "target": shown.target, "versus": shown.versus}
    return {**told, **_coloured(shown.map, name)}


def layer(shown: Layer, many: int) -> dict[str, Any]:
    """A layer's strongest channels; of a layer without places all of them."""
    flat = shown.activations.ndim == 1
    channels = range(shown.shape[0]) if flat else shown.order[:many]
    values = np.asarray(shown.activations[list(channels)])
    told = {"name": shown.name, "kind": shown.kind, "channels": list(channels), "of": shown.shape[0]}
    return {**told, "dead": shown.dead, "reach": _reach(shown), **_coloured(values, tones.scale_for(values))}


def _reach(shown: Layer) -> dict[str, float] | None:
    return None if shown.reach is None else shown.reach._asdict()


def _coloured(values: NDArray[np.floating[Any]], name: tones.Scale) -> dict[str, Any]:
    strongest = float(np.abs(values).max(initial=0.0))
    return {"scale": name, "strongest": round(strongest, 6), **packed(tones.steps(values, name))}


def packed(values: NDArray[np.uint8]) -> dict[str, Any]:
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}
