"""Summaries and diagrams of the networks: their layers, parameters and multiply-adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers

from mien import plots
from mien.errors import ExperimentError, suggest_name
from mien.training import networks
from mien.training.recipe import Recipe, builtin_names, load_network_recipe


@dataclass(frozen=True)
class NetworkSummary:
    """A network as its built-in recipe builds it; ``multiply_adds`` are those of one face."""

    name: str
    description: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class LayerSummary:
    """One layer and its output ``shape`` without the batch."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


def summarize_networks(settings: Iterable[str] = ()) -> Iterator[NetworkSummary]:
    """All networks, each built with its recipe and these settings."""
    return (summarize_network(name, build_network(network_recipe(name, settings))) for name in networks.NETWORKS)


def summarize_network(name: str, built: keras.Model) -> NetworkSummary:
    return NetworkSummary(name, describe_network(name), int(built.count_params()), networks.count_multiply_adds(built))


def describe_network(name: str) -> str:
    """One line about the network."""
    if name in networks.APPLICATIONS:
        return networks.APPLICATIONS[name].description
    return str(networks.NETWORKS[name].__doc__).partition("\n")[0]


def network_recipe(name: str, settings: Iterable[str] = ()) -> Recipe:
    """The built-in recipe of a network, or the default recipe, with these settings."""
    if name not in networks.NETWORKS:
        raise ExperimentError(
            f"There is no network '{name}'",
            f"one of {', '.join(networks.NETWORKS)} was expected",
            suggest_name(name, networks.NETWORKS),
        )
    recipe = load_network_recipe(name) if name in builtin_names() else Recipe()
    return replace(recipe, net=replace(recipe.net, name=name)).with_settings(settings)


def build_network(recipe: Recipe) -> keras.Model:
    """The network of a recipe with random weights, in float32, with all its views."""
    return networks.build_recipe_network(recipe, "float32", finished=True)


def list_layers(built: keras.Model) -> Iterator[LayerSummary]:
    """The layers from the input to the heads."""
    for layer in built.layers:
        output = layer.output[0] if isinstance(layer.output, list) else layer.output
        shape = tuple(int(length) for length in output.shape[1:])
        yield LayerSummary(layer.name, type(layer).__name__, shape, int(layer.count_params()))


#: The label of each kind of layer in the diagram; the first kind that matches is used.
_LABELS: dict[type, str] = {
    layers.DepthwiseConv2D: "depthwise {size}",
    layers.SeparableConv2D: "separable {size}",
    layers.Conv2D: "conv {size}",
    layers.BatchNormalization: "norm",
    layers.MaxPooling2D: "max pool",
    layers.AveragePooling2D: "average pool",
    layers.GlobalAveragePooling2D: "global average pool",
    layers.Dense: "dense",
    layers.Dropout: "dropout",
    layers.Flatten: "flatten",
    layers.ReLU: "relu",
    layers.Rescaling: "rescale",
    layers.Normalization: "rescale",
    layers.Resizing: "resize",
    layers.Cropping2D: "crop",
    layers.ZeroPadding2D: "pad",
    layers.Concatenate: "gray to colour",
    layers.Average: "mean over views",
    layers.Add: "add shortcut",
    layers.Multiply: "scale channels",
}

#: Labels of layers that have another purpose than others of their kind.
_LABELS_BY_NAME = {"mirrored": "add mirror image", "corners": "two crops"}

#: Layers that are not in the diagram.
_OMITTED = (layers.InputLayer, layers.Identity, layers.Reshape)


def diagram_png(model: keras.Model) -> bytes:
    """A diagram of the network from the input on the left to the heads on the right, as a PNG file."""
    multiply_adds = f"{networks.count_multiply_adds(model) / 1e6:,.1f} million multiply-adds per face"
    summary = f"{model.count_params():,} parameters, {multiply_adds}"
    return plots.render_png(plots.plot_network(list(group_by_size(model)), model.name, summary))


def group_by_size(model: keras.Model) -> Iterator[plots.NetworkStage]:
    """One stage for each size of the feature maps, in order, then one for each head."""
    heads = [model.get_layer(name) for name in model.output_names]
    trunk = [layer for layer in model.layers if layer not in heads]
    for (side, count), group in _group_layers(trunk).items():
        channels = max(_output_size(layer)[1] for layer in group)
        yield plots.NetworkStage(side, channels if side else count, _describe_layers(group))
    for head in heads:
        yield plots.NetworkStage(0, head.output.shape[-1], (head.name,), True)


def _group_layers(trunk: Sequence[Any]) -> dict[tuple[int, int], list[Any]]:
    """Layers by the size of their output: (side, 0) for feature maps, (0, length) for vectors.

    Squeeze-and-excite layers and padding belong to the size of the feature maps around them.
    """
    last_maps = max((index for index, layer in enumerate(trunk) if _output_size(layer)[0] > 1), default=-1)
    groups: dict[tuple[int, int], list[Any]] = {}
    size = (0, 0)
    for index, layer in enumerate(trunk):
        side, count = _output_size(layer)
        if (index > last_maps or side > 1) and not isinstance(layer, layers.ZeroPadding2D):
            size = (side, 0 if side else count)
        groups.setdefault(size, []).append(layer)
    return groups


def _output_size(layer: Any) -> tuple[int, int]:
    """Side and channels of the output; side 0 and the length for a vector."""
    shape = tuple(layer.output.shape[1:])
    return (int(shape[0]), int(shape[-1])) if len(shape) == 3 else (0, int(shape[-1]))


def _describe_layers(group: Sequence[Any]) -> tuple[str, ...]:
    counts = Counter(label for layer in group for label in _label_layer(layer))
    if not counts:
        return ("faces",) if isinstance(group[0], layers.InputLayer) else ()
    return tuple(f"{count} × {label}" if count > 1 else label for label, count in counts.items())


def _label_layer(layer: Any) -> list[str]:
    """The label of a layer and that of its activation; empty for omitted layers."""
    if isinstance(layer, _OMITTED):
        return []
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    template = _LABELS_BY_NAME.get(layer.name)
    template = template or next((each for kind, each in _LABELS.items() if isinstance(layer, kind)), "")
    if not template:
        label = activation or type(layer).__name__.lower()
    else:
        label = template.format(size="×".join(map(str, getattr(layer, "kernel_size", ()))))
    if activation in ("", "linear") or isinstance(layer, layers.Activation):
        return [label]
    return [label, activation]
