"""Four well-known networks as trunks: Keras's own, fed with our faces.

The graph turns gray into three equal channels, resizes to ``net.side`` and rescales as each network was designed for.
What they learnt from ImageNet, or from a file, is put in by :mod:`mien.lab.transfer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from mien.errors import LabError
from mien.lab.recipe import Net

Tensor = Any


@dataclass(frozen=True)
class Application:
    """One of Keras's networks; ``scale`` and ``offset``, one or one a channel, bring 0-255 to what it expects."""

    network: Callable[..., keras.Model]
    scale: Any
    offset: Any
    about: str


#: How much of a norm's statistics stays at each step, at most. MobileNetV2's own 0.999 still remembers its first values
#: after some epochs of few steps, and answers everything alike.
_LASTING = 0.99

#: The means and deviations of ImageNet's colours, 0-1, which Keras leaves out of EfficientNet where it fetches nothing.
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAMES: dict[str, Application] = {
    "vgg16": Application(
        keras.applications.VGG16, 1.0, (-103.939, -116.779, -123.68), "Sixteen layers of 3x3 convolutions (2014)."
    ),
    "resnet50v2": Application(
        keras.applications.ResNet50V2, 1 / 127.5, -1.0, "Fifty layers with shortcuts, normalised first (2016)."
    ),
    "mobilenetv2": Application(
        keras.applications.MobileNetV2, 1 / 127.5, -1.0, "Thin shortcuts around wide depthwise convolutions (2018)."
    ),
    "efficientnetb0": Application(
        keras.applications.EfficientNetB0,
        [1 / spread for spread in _SPREAD],
        [-255 * mean / spread for mean, spread in zip(_MEAN, _SPREAD, strict=True)],
        "Depthwise convolutions with squeeze-and-excite, balanced by search (2019).",
    ),
}


def trunk(net: Net, faces: Tensor, colour: str) -> Tensor:
    """The network's last maps of raw faces (N, 48, 48, 1)."""
    if colour != "rgb":
        happened = f"net.color is '{net.color}', and {net.name} sees three colours"
        raise LabError(happened, "rgb was expected", "Leave net.color out")
    made = NAMES[net.name]
    x = layers.Concatenate(name="rgb")([faces, faces, faces])
    x = layers.Resizing(net.side, net.side, name="resized")(x) if net.side != faces.shape[1] else x
    x = layers.Rescaling(made.scale, made.offset, name="rescaled")(x)
    network = made.network(include_top=False, weights=None, input_tensor=x)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _LASTING)
    return network.output


def with_weights(net: Net, weights: str) -> keras.Model:
    """Keras's network of that name, its head left off, with "imagenet" or the weights in a file that Keras made."""
    if net.name not in NAMES:
        happened = f"net.weights is '{weights}', and {net.name} is a net of our own"
        raise LabError(happened, f"one of {', '.join(NAMES)} was expected", "Set net.weights=none, or name a run")
    return NAMES[net.name].network(include_top=False, weights=weights, input_shape=(net.side, net.side, 3))
