"""Which faces excite a channel most: what it responds to, told by examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.explain.anatomy import Part
from mien.explain.taps import Taps

#: Faces looked at together: a wide layer of more of them would fill the memory.
_BATCH = 32


def most_exciting(
    taps: Taps, faces: NDArray[np.uint8], part: Part, channels: Sequence[int], count: int
) -> Mapping[int, tuple[int, ...]]:
    """For each channel the places of the ``count`` faces on which it is strongest (in the mean), strongest first.

    A face on which a channel says nothing is not among them, so there may be fewer.
    """
    strengths = np.concatenate([_strengths(taps, faces[i : i + _BATCH], part) for i in range(0, len(faces), _BATCH)])
    best = {channel: np.argsort(-strengths[:, channel], kind="stable")[:count] for channel in channels}
    return {
        channel: tuple(place for place in places.tolist() if strengths[place, channel] > 0)
        for channel, places in best.items()
    }


def _strengths(taps: Taps, faces: NDArray[np.uint8], part: Part) -> NDArray[np.float64]:
    """``(N, channels)``: the mean activation, what is below 0 left out."""
    found = np.maximum(taps.run(faces, [part.tensor])[part.tensor], 0).astype(np.float64)
    if found.ndim == 2:
        return np.asarray(found)
    last = part.spread is not None and part.spread.channels == 3
    return np.asarray(found.mean(axis=(1, 2) if last else (2, 3)))
