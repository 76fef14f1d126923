"""Four well-known networks as trunks: Keras's own, fed with our faces, without weights from elsewhere.

The graph turns gray into three equal channels, resizes to ``net.side`` and rescales as each network was designed for.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from mien.lab.recipe import Net

Tensor = Any


def vgg16(net: Net, faces: Tensor) -> Tensor:
    """Sixteen layers of 3x3 convolutions (2014); ImageNet's mean colour is taken off."""
    x = layers.Rescaling(1.0, offset=[-103.939, -116.779, -123.68], name="rescaled")(_large_rgb(net, faces))
    return _pooled(keras.applications.VGG16, x)


def resnet50v2(net: Net, faces: Tensor) -> Tensor:
    """Fifty layers with shortcuts, normalised before they are convolved (2016)."""
    return _pooled(keras.applications.ResNet50V2, _signed(_large_rgb(net, faces)))


def mobilenetv2(net: Net, faces: Tensor) -> Tensor:
    """Thin shortcuts around wide depthwise convolutions (2018)."""
    return _pooled(keras.applications.MobileNetV2, _signed(_large_rgb(net, faces)))


def efficientnetb0(net: Net, faces: Tensor) -> Tensor:
    """Depthwise convolutions with squeeze-and-excite, balanced by search (2019); it rescales by itself."""
    return _pooled(keras.applications.EfficientNetB0, _large_rgb(net, faces))


def _large_rgb(net: Net, faces: Tensor) -> Tensor:
    x = layers.Concatenate(name="rgb")([faces, faces, faces])
    return layers.Resizing(net.side, net.side, name="resized")(x) if net.side != faces.shape[1] else x


def _signed(x: Tensor) -> Tensor:
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaled")(x)


def _pooled(network: Any, x: Tensor) -> Tensor:
    trunk = network(include_top=False, weights=None, input_tensor=x)
    return layers.GlobalAveragePooling2D(name="pooled")(trunk.output)
