"""``--data``: the faces that excite a channel most, looked for once for all faces that are explained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.apps.cli.data_source import read
from mien.engine import Engine
from mien.explain import Layer, pictures
from mien.types import Pixels

#: Faces that are looked at, drawn at random where there are more; more of them would take minutes.
_MOST = 2000

#: Channels of a layer that are shown, the strongest on the face; and faces for each.
_CHANNELS, _FACES = 12, 9


class Examples:
    """The faces of a data set, and which of them excite the channels of a layer."""

    def __init__(self, source: str, engine: Engine) -> None:
        faces = read(source, ()).faces
        training = faces.pixels[faces.usage == "Training"]
        pixels = training if len(training) else faces.pixels
        chosen = np.random.default_rng(0).permutation(len(pixels))[:_MOST]
        self._faces: NDArray[np.uint8] = pixels[np.sort(chosen)]
        self._engine = engine

    def picture(self, layer: Layer) -> Pixels:
        """What the strongest channels of a layer respond to."""
        channels = layer.order[:_CHANNELS]
        return pictures.responses(layer, self._faces, self._engine.exciting(self._faces, layer.name, channels, _FACES))
