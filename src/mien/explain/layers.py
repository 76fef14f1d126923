"""What the layers of a network say about one face, as values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.explain.anatomy import Part
from mien.explain.explanation import Layer, Map

#: Channels that move less than this, over all places, say nothing.
_STILL = 1e-6


def layer_of(part: Part, tensor: NDArray[np.float32]) -> Layer:
    """The layer with its activations on the first face of a tensor ``(N, ...)``."""
    activations = _channels_first(tensor[0], part)
    strength = np.abs(activations).reshape(len(activations), -1).mean(axis=1)
    return Layer(
        name=part.name,
        kind=part.kind,
        shape=activations.shape,
        activations=frozen(activations),
        dead=int(_still(activations).sum()),
        order=tuple(np.argsort(-strength, kind="stable").tolist()),
        reach=part.reach,
        tensor=part.tensor,
    )


def frozen(array: NDArray[Any]) -> Map:
    """The same numbers, whole and read-only."""
    kept = np.array(array, np.float32, order="C")
    kept.setflags(write=False)
    return kept


def _channels_first(activations: NDArray[np.float32], part: Part) -> NDArray[np.float32]:
    """``(channels, height, width)``, or ``(channels,)`` where there are no places."""
    if activations.ndim != 3 or activations.shape[1:] == (1, 1):
        return activations.reshape(-1)
    last = part.spread is not None and part.spread.channels == 3
    return activations.transpose(2, 0, 1) if last else activations


def _still(activations: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Channels that are nowhere different from 0, or, with places, from themselves."""
    if activations.ndim == 1:
        return np.asarray(np.abs(activations) <= _STILL)
    flat = activations.reshape(len(activations), -1)
    return np.asarray(flat.max(axis=1) - flat.min(axis=1) <= _STILL)
