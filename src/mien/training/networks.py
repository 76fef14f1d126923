"""The network architectures: small convolutional networks, residual networks, and four Keras applications.

``face_resnet`` is the architecture of dlib's face recognition network, so that its weights can be the start of a trunk.

Every network takes raw gray faces, float32 or uint8 0-255 of shape (N, 48, 48, 1), and scales them itself, so no caller
can normalise them wrongly. Its outputs are logits: (N, classes), and with ``votes`` a second output (N, 8) for the
distribution of the FER+ votes. Probabilities are computed in the loss and at export.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers, ops

from mien.datasets.dataset import SIDE
from mien.errors import ExperimentError, suggest_name
from mien.labels import EMOTIONS, VOTES
from mien.training.recipe import NetworkSettings, Recipe

Tensor = Any


@keras.saving.register_keras_serializable("mien")
class FusedNorm(layers.BatchNormalization):
    """Batch normalisation with the fused kernel of TensorFlow or torch.

    Stock Keras computes mean, variance and scaling in separate operations, which in bfloat16 on a processor take more
    time than the convolutions. Weights, names and results are those of ``BatchNormalization``, up to rounding; the axis
    must be the last. JAX, whose compiler fuses operations, uses plain ``BatchNormalization``.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor = None) -> Tensor:
        fused = _KERNELS.get(keras.backend.backend())
        if fused is None or len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        # A frozen layer uses its moving statistics.
        return fused(self, inputs, bool(training) and self.trainable)


def _fused_tensorflow(norm: FusedNorm, inputs: Tensor, training: bool) -> Tensor:
    import tensorflow as tf

    running = [norm.moving_mean.value, norm.moving_variance.value]
    empty = tf.constant([], tf.float32)
    scaled, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(norm.gamma.value),
        offset=tf.convert_to_tensor(norm.beta.value),
        mean=empty if training else running[0],
        variance=empty if training else running[1],
        epsilon=norm.epsilon,
        is_training=training,
    )
    if training:
        for moving, current in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
            moving.assign(moving * norm.momentum + current * (1 - norm.momentum))
    return scaled


def _fused_torch(norm: FusedNorm, inputs: Tensor, training: bool) -> Tensor:
    from torch.nn import functional

    # A view with the channels first; nothing is copied.
    channels_first, momentum = inputs.permute(0, 3, 1, 2), 1 - norm.momentum
    running = norm.moving_mean.value, norm.moving_variance.value
    affine = norm.gamma.value, norm.beta.value
    scaled = functional.batch_norm(channels_first, *running, *affine, training, momentum, norm.epsilon)
    return scaled.permute(0, 2, 3, 1)


_KERNELS: dict[str, Callable[[FusedNorm, Tensor, bool], Tensor]] = {
    "tensorflow": _fused_tensorflow,
    "torch": _fused_torch,
}


@dataclass(frozen=True)
class KerasApplication:
    """A network of keras.applications used as a trunk.

    ``scale`` and ``offset``, for all channels or one for each, transform 0-255 to the range that the network expects.
    Initial weights, from ImageNet or a file, are loaded by :mod:`mien.training.transfer`.
    """

    network: Callable[..., keras.Model]
    scale: Any
    offset: Any
    description: str


#: The greatest momentum of batch normalisation. With the 0.999 of MobileNetV2 the moving statistics are near their
#: initial values after some epochs of few steps, and all predictions are alike.
_MAX_MOMENTUM = 0.99

#: Means and standard deviations of the colours of ImageNet, 0-1; Keras omits them from EfficientNet without weights.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
APPLICATIONS: dict[str, KerasApplication] = {
    "vgg16": KerasApplication(
        keras.applications.VGG16, 1.0, (-103.939, -116.779, -123.68), "Sixteen layers of 3x3 convolutions (2014)."
    ),
    "resnet50v2": KerasApplication(
        keras.applications.ResNet50V2, 1 / 127.5, -1.0, "Fifty layers with shortcuts, normalised first (2016)."
    ),
    "mobilenetv2": KerasApplication(
        keras.applications.MobileNetV2, 1 / 127.5, -1.0, "Thin shortcuts around wide depthwise convolutions (2018)."
    ),
    "efficientnetb0": KerasApplication(
        keras.applications.EfficientNetB0,
        [1 / deviation for deviation in _DEVIATION],
        [-255 * mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
        "Depthwise convolutions with squeeze-and-excite, balanced by search (2019).",
    ),
}


def application_trunk(net: NetworkSettings, faces: Tensor) -> Tensor:
    """The last feature maps of the application for raw faces (N, 48, 48, 1)."""
    if input_color(net) != "rgb":
        happened = f"net.color is '{net.color}', and {net.name} needs three channels"
        raise ExperimentError(happened, "rgb was expected", "Leave net.color out")
    application = APPLICATIONS[net.name]
    x = layers.Concatenate(name="rgb")([faces, faces, faces])
    x = layers.Resizing(net.input_size, net.input_size, name="resized")(x) if net.input_size != faces.shape[1] else x
    x = layers.Rescaling(application.scale, application.offset, name="rescaled")(x)
    network = application.network(include_top=False, weights=None, input_tensor=x)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _MAX_MOMENTUM)
    return network.output


def load_application(net: NetworkSettings, weights: str) -> keras.Model:
    """The Keras application without its head, with the weights of "imagenet" or of a file of Keras."""
    if net.name not in APPLICATIONS:
        happened = f"net.weights is '{weights}', and {net.name} is no Keras application"
        expected = f"one of {', '.join(APPLICATIONS)} was expected"
        raise ExperimentError(happened, expected, "Set net.weights=none, or name a run")
    return APPLICATIONS[net.name].network(
        include_top=False, weights=weights, input_shape=(net.input_size, net.input_size, 3)
    )


#: Pixels cropped from each border inside the graph, where FER2013 faces have background.
CROP_MARGIN = 2


def _conv(x: Tensor, width: int, name: str, size: int = 3, stride: int = 1) -> Tensor:
    return layers.Conv2D(width, size, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name)(x)


def _norm(x: Tensor, name: str) -> Tensor:
    return FusedNorm(momentum=0.9, epsilon=1e-5, name=name)(x)


def _conv_norm_relu(x: Tensor, width: int, name: str, stride: int = 1) -> Tensor:
    x = _norm(_conv(x, width, f"{name}_conv", stride=stride), f"{name}_norm")
    return layers.ReLU(name=f"{name}_relu")(x)


def _dropout(rate: float, name: str) -> keras.Layer:
    """With its own seed: without one, torch would use a generator that is not part of the checkpoint."""
    return layers.Dropout(rate, seed=random.randrange(10**9), name=name)


def _input_layers(net: NetworkSettings) -> tuple[Tensor, Tensor]:
    """The input, and its tensor for the first layer: scaled to about -2 to 2, cropped, resized, in gray or rgb."""
    faces = keras.Input((SIDE, SIDE, 1), name="faces")
    x = layers.Rescaling(1 / 63.75, offset=-2.0, name="rescaled")(_add_mirror_images(net, faces))
    x = _crop(net, x)
    x = layers.Concatenate(name="rgb")([x, x, x]) if input_color(net) == "rgb" else x
    return faces, layers.Resizing(net.input_size, net.input_size, name="resized")(x) if net.input_size != SIDE else x


def input_color(net: NetworkSettings) -> str:
    """The colour of the images that the layers receive: "gray" or "rgb"."""
    automatic = "rgb" if net.name in APPLICATIONS or net.name == "face_resnet" else "gray"
    return automatic if net.color == "auto" else net.color


def _add_mirror_images(net: NetworkSettings, faces: Tensor) -> Tensor:
    """The faces followed by their mirror images, where the network has more than one view."""
    return layers.Concatenate(0, name="mirrored")([faces, ops.flip(faces, 2)]) if net.views > 1 else faces


def _crop(net: NetworkSettings, faces: Tensor) -> Tensor:
    """The faces without their border; for four views the crop at the top left followed by that at the bottom right."""
    if not net.crop:
        return faces
    if net.views < 4:
        return layers.Cropping2D(CROP_MARGIN, name="cropped")(faces)
    top_left, bottom_right = (0, 2 * CROP_MARGIN), (2 * CROP_MARGIN, 0)
    crops = enumerate((top_left, bottom_right), 1)
    corners = [layers.Cropping2D((margins, margins), name=f"corner{number}")(faces) for number, margins in crops]
    return layers.Concatenate(0, name="corners")(corners)


def _average_views(net: NetworkSettings, features: Tensor) -> Tensor:
    """The mean over the views; feature maps of mirror images are flipped back before."""
    if net.views == 1:
        return features
    parts = ops.split(features, net.views, 0)
    are_maps = len(features.shape) == 4
    aligned = [ops.flip(part, 2) if are_maps and index % 2 else part for index, part in enumerate(parts)]
    return layers.Average(name="together")(aligned)


def _trunk(net: NetworkSettings, name: str, faces: Tensor, features: Tensor) -> keras.Model:
    """The network up to the heads, from faces to features (N, F); feature maps (N, H, W, F) are averaged to them."""
    features = _average_views(net, features)
    features = layers.GlobalAveragePooling2D(name="pooled")(features) if len(features.shape) == 4 else features
    return keras.Model(faces, _dropout(net.dropout, "dropout")(features), name=name)


def basic(net: NetworkSettings) -> keras.Model:
    """The network of textbooks: three convolutions with pooling, one dense layer."""
    faces, x = _input_layers(net)
    for block, width in enumerate((32, 64, 128), start=1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"block{block}_conv")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flat")(x))
    return _trunk(net, "basic", faces, x)


def batchnorm(net: NetworkSettings) -> keras.Model:
    """Blocks of convolution, normalisation, pooling and dropout; dense 512 and 256.

    The dense layers are normalised too. ``depth`` has the number of convolutions of each block; a block has twice the
    channels of the one before. ``order = "pool-norm"`` pools before normalising.
    """
    faces, x = _input_layers(net)
    for block, count in enumerate(net.depth, 1):
        width, name = net.width * 2 ** (block - 1), f"block{block}"
        for number in range(1, count):
            x = _conv_norm_relu(x, width, f"{name}_{number}")
        x = _norm_block(x, net, width, name)
    x = _dense_norm_relu(layers.Flatten(name="flat")(x), 512, "dense1")
    x = _dense_norm_relu(_dropout(net.dropout, "dense1_dropout")(x), 256, "dense2")
    return _trunk(net, "batchnorm", faces, x)


def _dense_norm_relu(x: Tensor, width: int, name: str) -> Tensor:
    x = _norm(layers.Dense(width, use_bias=False, name=name)(x), f"{name}_norm")
    return layers.ReLU(name=f"{name}_relu")(x)


def _norm_block(x: Tensor, net: NetworkSettings, width: int, name: str) -> Tensor:
    if net.order == "norm-pool":
        x = layers.MaxPooling2D(2, name=f"{name}_pool")(_conv_norm_relu(x, width, name))
    else:
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"{name}_conv")(x)
        x = _norm(layers.MaxPooling2D(2, name=f"{name}_pool")(x), f"{name}_norm")
    return _dropout(net.dropout / 2, f"{name}_dropout")(x)


def fiveclass(net: NetworkSettings) -> keras.Model:
    """The network of five-class tutorials: four convolutions, three poolings, dense."""
    faces, x = _input_layers(net)
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(x)
    for number, width in enumerate((64, 128, 128), start=2):
        x = layers.Conv2D(width, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        if number != 3:
            x = _dropout(net.dropout / 2, f"pool{number}_dropout")(x)
    x = layers.Dense(1024, activation="relu", name="dense")(layers.Flatten(name="flat")(x))
    return _trunk(net, "fiveclass", faces, x)


def vgg(net: NetworkSettings) -> keras.Model:
    """3x3 convolutions in stages by width and depth, pooling between.

    ``depth`` convolutions a stage; ``width`` channels in the first, doubled in each that follows.
    """
    faces, x = _input_layers(net)
    for stage, convolutions in enumerate(net.depth, start=1):
        for number in range(1, convolutions + 1):
            x = _conv_norm_relu(x, net.width * 2 ** (stage - 1), f"stage{stage}_{number}")
        if stage < len(net.depth):
            x = layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    return _trunk(net, "vgg", faces, x)


def residual(net: NetworkSettings) -> keras.Model:
    """Residual blocks in stages by width and depth.

    ``depth`` blocks a stage; ``width`` channels in the first, doubled in each that follows, at 22, 11 and 6 pixels.
    """
    faces, x = _input_layers(net)
    x = _conv_norm_relu(x, net.width, "stem", stride=2)
    for stage, blocks in enumerate(net.depth, start=1):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 1 else 1
            x = _residual_block(x, net.width * 2 ** (stage - 1), f"stage{stage}_block{block}", stride)
    return _trunk(net, "residual", faces, x)


def _residual_block(x: Tensor, width: int, name: str, stride: int) -> Tensor:
    shortcut = x
    if stride > 1:
        shortcut = layers.AveragePooling2D(stride, stride, "same", name=f"{name}_short_pool")(shortcut)
    if shortcut.shape[-1] != width:
        shortcut = _norm(_conv(shortcut, width, f"{name}_short_conv", size=1), f"{name}_short_norm")
    x = _conv_norm_relu(x, width, f"{name}_1", stride)
    x = _norm(_conv(x, width, f"{name}_2_conv"), f"{name}_2_norm")
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, shortcut]))


#: The stages of dlib's network: width and number of blocks. All but the first begin by halving the side.
FACE_RESNET_STAGES = ((32, 3), (64, 4), (128, 3), (256, 3))
#: The factor of its last feature maps.
FACE_RESNET_SCALE = 0.1
#: The means of red, green and blue that it subtracts.
FACE_RESNET_MEANS = (122.782, 117.001, 104.298)


def face_resnet(net: NetworkSettings) -> keras.Model:
    """The residual network of dlib's face recognition, without its last block.

    ``input_size`` 96 gives feature maps of 2 x 2; ``width`` and ``depth`` are those of the original.
    """
    faces = keras.Input((SIDE, SIDE, 1), name="faces")
    x = _crop(net, _add_mirror_images(net, faces))
    x = layers.Resizing(net.input_size, net.input_size, name="resized")(layers.Concatenate(name="rgb")([x, x, x]))
    x = layers.Rescaling(1 / 256, [-mean / 256 for mean in FACE_RESNET_MEANS], name="rescaled")(x)
    x = layers.Conv2D(32, 7, 2, use_bias=False, kernel_initializer="he_normal", name="stem_conv")(x)
    x = layers.ReLU(name="stem_relu")(_norm(x, "stem_norm"))
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    for stage, (width, blocks) in enumerate(FACE_RESNET_STAGES, start=1):
        for block in range(1, blocks + 1):
            x = _face_block(x, width, f"stage{stage}_block{block}", halve=block == 1 and stage > 1)
    # Its feature maps are so large that the heads would diverge at the learning rates of the other networks.
    x = layers.Rescaling(FACE_RESNET_SCALE, name="features")(x)
    return _trunk(net, "face_resnet", faces, x)


def _face_block(x: Tensor, width: int, name: str, halve: bool) -> Tensor:
    """A block whose shortcut has no weights: pooling halves its side, and the second half of its channels is zero."""
    shortcut, padding, stride = x, "same", 1
    if halve:
        # Of two pixels, which only small inputs have left here, a kernel of three would have no position.
        padding = "valid" if x.shape[1] > 2 else "same"
        shortcut, stride = layers.AveragePooling2D(2, name=f"{name}_short_pool")(x), 2
        zeros = layers.Rescaling(0.0, name=f"{name}_short_zeros")(shortcut)
        shortcut = layers.Concatenate(name=f"{name}_short_wide")([shortcut, zeros])
    convolution = layers.Conv2D(
        width, 3, stride, padding, use_bias=False, kernel_initializer="he_normal", name=f"{name}_1_conv"
    )
    x = layers.ReLU(name=f"{name}_1_relu")(_norm(convolution(x), f"{name}_1_norm"))
    x = _norm(_conv(x, width, f"{name}_2_conv"), f"{name}_2_norm")
    if x.shape[1] < shortcut.shape[1]:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, shortcut]))


def _application(name: str) -> Callable[[NetworkSettings], keras.Model]:
    """The function that builds the trunk of a Keras application."""

    def trunk(net: NetworkSettings) -> keras.Model:
        faces = keras.Input((SIDE, SIDE, 1), name="faces")
        return _trunk(net, name, faces, application_trunk(net, _add_mirror_images(net, faces)))

    return trunk


#: Trunks by name. All but the first three end in global average pooling, so their class activation maps are exact.
NETWORKS: dict[str, Callable[[NetworkSettings], keras.Model]] = {
    "basic": basic,
    "batchnorm": batchnorm,
    "fiveclass": fiveclass,
    "vgg": vgg,
    "residual": residual,
    "face_resnet": face_resnet,
    **{name: _application(name) for name in APPLICATIONS},
}


def build_recipe_network(recipe: Recipe, precision: str, finished: bool = False) -> keras.Model:
    """The network of a recipe with random weights, for training with one view, or ``finished`` with all its views."""
    net = recipe.net if finished else replace(recipe.net, views=1)
    return build_network(net, precision, len(recipe.data.classes))


def build_network(net: NetworkSettings, precision: str = "float32", classes: int = len(EMOTIONS)) -> keras.Model:
    """The network of these settings with random weights; ``precision`` is a Keras dtype policy."""
    if net.name not in NETWORKS:
        expected = f"one of {', '.join(NETWORKS)} was expected"
        raise ExperimentError(f"There is no network '{net.name}'", expected, suggest_name(net.name, NETWORKS))
    check_views(net)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return _add_heads(net, NETWORKS[net.name](net), classes)
    finally:
        keras.config.set_dtype_policy(before)


def check_views(net: NetworkSettings) -> None:
    """Raise an ExperimentError where the network has no crop, which four views need."""
    if net.views == 4 and (net.name in APPLICATIONS or not net.crop):
        happened = f"net.views is 4, and {net.name} does not crop the faces"
        raise ExperimentError(happened, "a network of mien with net.crop was expected", "Set net.views=2")


def _add_heads(net: NetworkSettings, trunk: keras.Model, classes: int) -> keras.Model:
    sizes = {"label": classes} | ({"votes": len(VOTES)} if net.votes else {})
    heads = [layers.Dense(size, dtype="float32", name=name)(trunk.output) for name, size in sizes.items()]
    return keras.Model(trunk.inputs[0], heads, name=trunk.name)


def count_multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one face in convolutions and dense layers, all views counted."""
    views = 2 ** sum(layer.name in ("mirrored", "corners") for layer in model.layers)
    return sum(
        _layer_multiply_adds(layer) * (1 if layer.name in model.output_names else views) for layer in model.layers
    )


def _layer_multiply_adds(layer: keras.Layer) -> int:
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
        _, height, width, _ = layer.output.shape
        return int(height * width * math.prod(layer.kernel.shape))
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape)
    return 0
