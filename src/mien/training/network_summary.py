"""The networks as a list and layer by layer: what each is, how large, and what one face costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers
from matplotlib.figure import Figure

from mien import plots
from mien.errors import ExperimentError, suggest_name
from mien.training import networks
from mien.training import recipe as shelf
from mien.training.recipe import Recipe, apply_settings


@dataclass(frozen=True)
class NetworkSummary:
    """A network as its usual recipe builds it; ``multiply_adds`` for one face."""

    name: str
    about: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class LayerSummary:
    """One layer: what it gives, and how large it is; ``shape`` without the batch."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


def summarize_networks(settings: Iterable[str] = ()) -> Iterator[NetworkSummary]:
    """Every network, one after the other as it is built, its recipe changed by these settings."""
    return (summarize_network(name, build_network(network_recipe(name, settings))) for name in networks.NETWORKS)


def summarize_network(name: str, built: keras.Model) -> NetworkSummary:
    return NetworkSummary(name, describe_network(name), int(built.count_params()), networks.count_multiply_adds(built))


def describe_network(name: str) -> str:
    """One line."""
    if name in networks.APPLICATIONS:
        return networks.APPLICATIONS[name].about
    return str(networks.NETWORKS[name].__doc__).partition("\n")[0]


def network_recipe(name: str, settings: Iterable[str] = ()) -> Recipe:
    """The usual recipe of a network, with these settings; without a file of its own, the settings every recipe has."""
    if name not in networks.NETWORKS:
        raise ExperimentError(
            f"There is no net '{name}'", f"known are {', '.join(networks.NETWORKS)}", suggest_name(name, networks.NETWORKS)
        )
    usual = shelf.load_network_recipe(name) if name in shelf.builtin_names() else Recipe()
    return apply_settings(replace(usual, net=replace(usual.net, name=name)), settings)


def build_network(recipe: Recipe) -> keras.Model:
    """The recipe's net with fresh weights, in float32, as it reads."""
    return networks.build_recipe_network(recipe, "float32", finished=True)


def list_layers(built: keras.Model) -> Iterator[LayerSummary]:
    """Its layers from the faces to the heads."""
    for layer in built.layers:
        shape = tuple(int(length) for length in _output(layer).shape[1:])
        yield LayerSummary(layer.name, type(layer).__name__, shape, int(layer.count_params()))


def _output(layer: Any) -> Any:
    return layer.output[0] if isinstance(layer.output, list) else layer.output


# ==== mien.lab.diagram
# A Keras net as a figure: its layers gathered by the size of what they give.

#: What a layer is called in the figure; the first kind that fits.
_WORDS: dict[type, str] = {
    layers.DepthwiseConv2D: "depthwise {size}",
    layers.SeparableConv2D: "separable {size}",
    layers.Conv2D: "conv {size}",
    layers.BatchNormalization: "norm",
    layers.MaxPooling2D: "max pool",
    layers.AveragePooling2D: "mean pool",
    layers.GlobalAveragePooling2D: "mean of each",
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
    layers.Average: "mean of all views",
    layers.Add: "add shortcut",
    layers.Multiply: "scale channels",
}

#: Layers that are not what others of their kind are.
_BY_NAME = {"mirrored": "and its mirror image", "corners": "from two corners"}

#: Layers that a reader of the figure does not miss.
_SILENT = (layers.InputLayer, layers.Identity, layers.Reshape)


def diagram_png(model: keras.Model) -> bytes:
    """``draw`` as a file."""
    return plots.render_png(draw_diagram(model))


def draw_diagram(model: keras.Model) -> Figure:
    """The net from its faces on the left to its answers on the right."""
    told = (
        f"{model.count_params():,} parameters, {networks.count_multiply_adds(model) / 1e6:,.1f} million multiply-adds a face"
    )
    return plots.plot_network(list(group_by_size(model)), model.name, told)


def group_by_size(model: keras.Model) -> Iterator[plots.NetworkStage]:
    """What happens at each size, in order; the heads come last, one each."""
    heads = [model.get_layer(name) for name in model.output_names]
    before = [layer for layer in model.layers if layer not in heads]
    for (side, count), gathered in _by_size(before).items():
        deepest = max(_size(layer)[1] for layer in gathered)
        yield plots.NetworkStage(side, deepest if side else count, _lines(gathered))
    for head in heads:
        yield plots.NetworkStage(0, head.output.shape[-1], (head.name,), True)


def _by_size(every: Sequence[Any]) -> dict[tuple[int, int], list[Any]]:
    """Layers of one size together, by side and 0, or for rows of numbers by 0 and how many they are.

    What squeezes a picture to a number and opens it again stays where it is, and so does a rim around a picture.
    """
    pictures = [place for place, layer in enumerate(every) if _size(layer)[0] > 1]
    last = max(pictures, default=-1)
    found: dict[tuple[int, int], list[Any]] = {}
    here = (0, 0)
    for place, layer in enumerate(every):
        side, count = _size(layer)
        if (place > last or side > 1) and not isinstance(layer, layers.ZeroPadding2D):
            here = (side, 0 if side else count)
        found.setdefault(here, []).append(layer)
    return found


def _size(layer: Any) -> tuple[int, int]:
    """Side and number of what a layer gives; side 0 for a row of numbers."""
    shape = tuple(layer.output.shape[1:])
    return (int(shape[0]), int(shape[-1])) if len(shape) == 3 else (0, int(shape[-1]))


def _lines(gathered: Sequence[Any]) -> tuple[str, ...]:
    counts = Counter(word for layer in gathered for word in _word(layer))
    if not counts:
        return ("faces",) if isinstance(gathered[0], layers.InputLayer) else ()
    return tuple(f"{count} × {word}" if count > 1 else word for word, count in counts.items())


def _word(layer: Any) -> list[str]:
    if isinstance(layer, _SILENT):
        return []
    word = _BY_NAME.get(layer.name) or next((word for kind, word in _WORDS.items() if isinstance(layer, kind)), "")
    size = getattr(layer, "kernel_size", None)
    words = [word.format(size="×".join(map(str, size)) if size else "")] if word else [_named(layer)]
    activation = getattr(layer, "activation", None)
    name = getattr(activation, "__name__", "linear")
    return words if name == "linear" or isinstance(layer, layers.Activation) else [*words, name]


def _named(layer: Any) -> str:
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", None) or type(layer).__name__.lower()
