"""Batch normalisation by the backend's fused kernel: most of what makes mixed precision pay on a CPU."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers, ops

from mien.errors import ExperimentError, suggest_name
from mien.labels import EMOTIONS, VOTES
from mien.training.recipe import NetworkSettings, Recipe

Tensor = Any


@keras.saving.register_keras_serializable("mien")
class FusedNorm(layers.BatchNormalization):
    """Batch normalisation by the fused kernel of TensorFlow or torch.

    Stock Keras computes mean, variance and scaling as separate operations, which under bfloat16 on a CPU costs more
    than the convolutions it stands between. Same weights, same names, same results as ``BatchNormalization`` to
    rounding; axis must be the last. On JAX, whose compiler fuses by itself, it is plain ``BatchNormalization``.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor = None) -> Tensor:
        fused = _KERNELS.get(keras.backend.backend())
        if fused is None or len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        # A frozen layer keeps to the mean and variance it has learnt.
        return fused(self, inputs, bool(training) and self.trainable)


def _by_tensorflow(norm: FusedNorm, inputs: Tensor, training: bool) -> Tensor:
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
        for followed, now in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
            followed.assign(followed * norm.momentum + now * (1 - norm.momentum))
    return scaled


def _by_torch(norm: FusedNorm, inputs: Tensor, training: bool) -> Tensor:
    from torch.nn import functional

    # Channels stand last in memory and first in the kernel's eyes: nothing is copied.
    seen, follow = inputs.permute(0, 3, 1, 2), 1 - norm.momentum
    running = norm.moving_mean.value, norm.moving_variance.value
    scaled = functional.batch_norm(seen, *running, norm.gamma.value, norm.beta.value, training, follow, norm.epsilon)
    return scaled.permute(0, 2, 3, 1)


_KERNELS: dict[str, Callable[[FusedNorm, Tensor, bool], Tensor]] = {
    "tensorflow": _by_tensorflow,
    "torch": _by_torch,
}


# ==== mien.lab.applications
# Four well-known networks as trunks: Keras's own, fed with our faces.
#
# The graph turns gray into three equal channels, resizes to ``net.input_size`` and rescales as each network was designed for.
# What they learnt from ImageNet, or from a file, is put in by :mod:`mien.training.transfer`.


@dataclass(frozen=True)
class KerasApplication:
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
        [1 / spread for spread in _SPREAD],
        [-255 * mean / spread for mean, spread in zip(_MEAN, _SPREAD, strict=True)],
        "Depthwise convolutions with squeeze-and-excite, balanced by search (2019).",
    ),
}


def application_trunk(net: NetworkSettings, faces: Tensor, colour: str) -> Tensor:
    """The network's last maps of raw faces (N, 48, 48, 1)."""
    if colour != "rgb":
        happened = f"net.color is '{net.color}', and {net.name} sees three colours"
        raise ExperimentError(happened, "rgb was expected", "Leave net.color out")
    made = APPLICATIONS[net.name]
    x = layers.Concatenate(name="rgb")([faces, faces, faces])
    x = layers.Resizing(net.input_size, net.input_size, name="resized")(x) if net.input_size != faces.shape[1] else x
    x = layers.Rescaling(made.scale, made.offset, name="rescaled")(x)
    network = made.network(include_top=False, weights=None, input_tensor=x)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _LASTING)
    return network.output


def load_application(net: NetworkSettings, weights: str) -> keras.Model:
    """Keras's network of that name, its head left off, with "imagenet" or the weights in a file that Keras made."""
    if net.name not in APPLICATIONS:
        happened = f"net.weights is '{weights}', and {net.name} is a net of our own"
        raise ExperimentError(happened, f"one of {', '.join(APPLICATIONS)} was expected", "Set net.weights=none, or name a run")
    return APPLICATIONS[net.name].network(include_top=False, weights=weights, input_shape=(net.input_size, net.input_size, 3))


# ==== mien.lab.nets
# The architectures by name. Each is a short function from a net's settings to a Keras model.
#
# Every net takes raw gray faces, float32 or uint8 0-255 of shape (N, 48, 48, 1), and rescales them itself, so no caller
# can normalise wrongly. Every net gives logits: one array (N, classes), and, where ``votes`` is set, a second (N, 8) for
# the shares of FER+ voters. Probabilities are made where they are needed: in the loss, and at export.

SIDE = 48
#: What is cut from each border inside the graph: FER2013 faces carry a rim of background.
CROP_MARGIN = 2
#: In how many ways a finished net may look at a face.
VIEWS = (1, 2, 4)


def _conv(x: Tensor, width: int, name: str, size: int = 3, stride: int = 1) -> Tensor:
    return layers.Conv2D(width, size, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name)(x)


def _norm(x: Tensor, name: str) -> Tensor:
    return FusedNorm(momentum=0.9, epsilon=1e-5, name=name)(x)


def _conv_norm_relu(x: Tensor, width: int, name: str, stride: int = 1) -> Tensor:
    x = _norm(_conv(x, width, f"{name}_conv", stride=stride), f"{name}_norm")
    return layers.ReLU(name=f"{name}_relu")(x)


def _dropout(rate: float, name: str) -> keras.Layer:
    """With a seed of its own, without which torch would draw from a generator that nobody keeps."""
    return layers.Dropout(rate, seed=random.randrange(10**9), name=name)


def _faces(net: NetworkSettings) -> tuple[Tensor, Tensor]:
    """The input and what the first layer sees of it: about -2 to 2, the rim cut away, in size and colour as asked."""
    faces = keras.Input((SIDE, SIDE, 1), name="faces")
    x = _cropped(net, layers.Rescaling(1 / 63.75, offset=-2.0, name="rescaled")(_mirrored(net, faces)))
    x = layers.Concatenate(name="rgb")([x, x, x]) if input_color(net) == "rgb" else x
    return faces, layers.Resizing(net.input_size, net.input_size, name="resized")(x) if net.input_size != SIDE else x


def input_color(net: NetworkSettings) -> str:
    """ "gray" or "rgb": what the layers of this net see."""
    known = {"gray": "gray", "rgb": "rgb", "auto": "rgb" if net.name in APPLICATIONS else "gray"}
    if net.color not in known:
        raise ExperimentError(f"net.color is '{net.color}'", f"known are {', '.join(known)}", suggest_name(net.color, known))
    return known[net.color]


def _mirrored(net: NetworkSettings, faces: Tensor) -> Tensor:
    """The faces, and behind them their mirror images, where the net looks at both."""
    return layers.Concatenate(0, name="mirrored")([faces, ops.flip(faces, 2)]) if net.views > 1 else faces


def _cropped(net: NetworkSettings, faces: Tensor) -> Tensor:
    """Without the rim; of four views, once from its corner above and left, once from that below and right."""
    if not net.crop:
        return faces
    if net.views < 4:
        return layers.Cropping2D(CROP_MARGIN, name="cropped")(faces)
    near, far = (0, 2 * CROP_MARGIN), (2 * CROP_MARGIN, 0)
    corners = [layers.Cropping2D((cut, cut), name=f"corner{i}")(faces) for i, cut in enumerate((near, far), 1)]
    return layers.Concatenate(0, name="corners")(corners)


def _together(net: NetworkSettings, found: Tensor) -> Tensor:
    """The mean of what was found in all views; maps of mirror images are turned back before."""
    if net.views == 1:
        return found
    parts = ops.split(found, net.views, 0)
    placed = len(found.shape) == 4
    turned = [ops.flip(part, 2) if placed and place % 2 else part for place, part in enumerate(parts)]
    return layers.Average(name="together")(turned)


def _trunk(net: NetworkSettings, name: str, faces: Tensor, found: Tensor) -> keras.Model:
    """Everything up to the heads: faces in, features (N, F) out, which are the means of maps where maps were found."""
    found = _together(net, found)
    features = layers.GlobalAveragePooling2D(name="pooled")(found) if len(found.shape) == 4 else found
    return keras.Model(faces, _dropout(net.dropout, "dropout")(features), name=name)


def basic(net: NetworkSettings) -> keras.Model:
    """The network of every course: three convolutions with pooling, one dense layer."""
    faces, x = _faces(net)
    for block, width in enumerate((32, 64, 128), start=1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"block{block}_conv")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flat")(x))
    return _trunk(net, "basic", faces, x)


def batchnorm(net: NetworkSettings) -> keras.Model:
    """Blocks of convolution, normalisation, pooling and dropout; dense 512 and 256.

    The dense layers are normalised too. As many blocks as ``depth`` is long, each twice as wide as the one before and
    with so many convolutions. ``order = "pool-norm"`` pools before it normalises.
    """
    faces, x = _faces(net)
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
    elif net.order == "pool-norm":
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"{name}_conv")(x)
        x = _norm(layers.MaxPooling2D(2, name=f"{name}_pool")(x), f"{name}_norm")
    else:
        raise ExperimentError(f"net.order is '{net.order}'", "known are norm-pool and pool-norm", "")
    return _dropout(net.dropout / 2, f"{name}_dropout")(x)


def fiveclass(net: NetworkSettings) -> keras.Model:
    """The net of the five-class write-ups: four convolutions, three poolings, dense."""
    faces, x = _faces(net)
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
    faces, x = _faces(net)
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
    faces, x = _faces(net)
    x = _conv_norm_relu(x, net.width, "stem", stride=2)
    for stage, blocks in enumerate(net.depth, start=1):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 1 else 1
            x = _residual_block(x, net.width * 2 ** (stage - 1), f"stage{stage}_block{block}", stride)
    return _trunk(net, "residual", faces, x)


def _residual_block(x: Tensor, width: int, name: str, stride: int) -> Tensor:
    short = x
    if stride > 1:
        short = layers.AveragePooling2D(stride, stride, "same", name=f"{name}_short_pool")(short)
    if short.shape[-1] != width:
        short = _norm(_conv(short, width, f"{name}_short_conv", size=1), f"{name}_short_norm")
    x = _conv_norm_relu(x, width, f"{name}_1", stride)
    x = _norm(_conv(x, width, f"{name}_2_conv"), f"{name}_2_norm")
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, short]))


def _application(name: str) -> Callable[[NetworkSettings], keras.Model]:
    """A trunk from mien.training.networks."""

    def trunk(net: NetworkSettings) -> keras.Model:
        faces = keras.Input((SIDE, SIDE, 1), name="faces")
        return _trunk(net, name, faces, application_trunk(net, _mirrored(net, faces), input_color(net)))

    return trunk


#: Trunks by name. All but the first three end in global average pooling, so that exact class maps exist.
NETWORKS: dict[str, Callable[[NetworkSettings], keras.Model]] = {
    "basic": basic,
    "batchnorm": batchnorm,
    "fiveclass": fiveclass,
    "vgg": vgg,
    "residual": residual,
    **{name: _application(name) for name in APPLICATIONS},
}


def build_recipe_network(recipe: Recipe, precision: str, finished: bool = False) -> keras.Model:
    """The net a recipe asks for, for its classes, with fresh weights: as it learns, or as it reads once it has."""
    net = recipe.net if finished else replace(recipe.net, views=1)
    return build_network(net, precision, len(recipe.data.classes))


def build_network(net: NetworkSettings, precision: str = "float32", classes: int = len(EMOTIONS)) -> keras.Model:
    """The net of these settings with fresh weights; ``precision`` is a Keras dtype policy, say ``mixed_bfloat16``."""
    if net.name not in NETWORKS:
        raise ExperimentError(f"There is no net '{net.name}'", f"known are {', '.join(NETWORKS)}", suggest_name(net.name, NETWORKS))
    check_views(net)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return _with_heads(net, NETWORKS[net.name](net), classes)
    finally:
        keras.config.set_dtype_policy(before)


def check_views(net: NetworkSettings) -> None:
    """A LabError where the net cannot look at a face in so many ways."""
    if net.views not in VIEWS:
        happened = f"net.views is {net.views}"
        raise ExperimentError(happened, f"one of {', '.join(map(str, VIEWS))} was expected", "2 looks at the mirror image too")
    if net.views == 4 and (net.name in APPLICATIONS or not net.crop):
        happened = f"net.views is 4, and {net.name} cuts no rim away to look from its corners"
        raise ExperimentError(happened, "a net of mien with net.crop was expected", "Set net.views=2")


def _with_heads(net: NetworkSettings, trunk: keras.Model, classes: int) -> keras.Model:
    sizes = {"shares": classes} | ({"votes": len(VOTES)} if net.votes else {})
    heads = [layers.Dense(size, dtype="float32", name=name)(trunk.output) for name, size in sizes.items()]
    return keras.Model(trunk.inputs[0], heads, name=trunk.name)


def count_multiply_adds(model: keras.Model) -> int:
    """Multiplications with an addition for one face, in convolutions and dense layers."""
    views = 2 ** sum(layer.name in ("mirrored", "corners") for layer in model.layers)
    return sum(_multiply_adds(layer) * (1 if layer.name in model.output_names else views) for layer in model.layers)


def _multiply_adds(layer: keras.Layer) -> int:
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
        _, height, width, _ = layer.output.shape
        return int(height * width * _product(layer.kernel.shape))
    if isinstance(layer, layers.Dense):
        return int(_product(layer.kernel.shape))
    return 0


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
