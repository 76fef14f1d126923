"""Beginning from what another net has learnt: its trunk is taken over, the heads are made anew.

Weights come from a run of ours, a Keras file, an ``.npz`` of arrays in order, or, for the well-known networks, from
ImageNet. Nothing is taken over by halves: every layer of the trunk finds its own, or the run is refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import keras
import numpy as np

from mien.errors import ExperimentError
from mien.training import checkpoint, networks
from mien.training.recipe import Recipe

HEADS = ("shares", "votes")
IMAGENET = "imagenet"


def load_initial_weights(model: keras.Model, recipe: Recipe) -> str:
    """Fills the trunk from ``net.weights``; a sentence that says with what."""
    given = recipe.net.weights
    if given == IMAGENET:
        _by_name(model, _imagenet(recipe), "ImageNet")
    else:
        _from_file(model, _found(recipe), recipe)
    count = sum(layer.count_params() for layer in list_trunk_layers(model))
    return f"{count:,} parameters of the trunk begin with the weights of {Path(given).name}"


def list_trunk_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers with weights below the heads."""
    return [layer for layer in model.layers if layer.weights and layer.name not in HEADS]


@contextmanager
def freeze_trunk(model: keras.Model) -> Iterator[None]:
    """While inside, only the heads learn, and normalisation keeps to the means it has."""
    for layer in list_trunk_layers(model):
        layer.trainable = False
    try:
        yield
    finally:
        for layer in list_trunk_layers(model):
            layer.trainable = True


def _found(recipe: Recipe) -> Path:
    """The file of weights: beside the recipe, or where the command was typed; of a run, the averaged ones."""
    for path in (recipe.resolve_path(recipe.net.weights), Path(recipe.net.weights)):
        if (path / checkpoint.WEIGHTS).exists():
            return path / checkpoint.WEIGHTS
        if path.is_file():
            return path
    happened = f"net.weights is '{recipe.net.weights}', and no such file or finished run is there"
    raise ExperimentError(
        happened, "imagenet, none, a run or a file was expected", "Set net.weights=none to begin from nothing"
    )


def _from_file(model: keras.Model, path: Path, recipe: Recipe) -> None:
    try:
        if path.suffix == ".npz":
            _in_order(model, checkpoint.read_arrays(path), path.name)
        elif path.suffix == ".h5" and not _whole(path):
            _by_name(model, networks.load_application(recipe.net, str(path)), path.name)
        else:
            _by_name(model, keras.models.load_model(path, compile=False, safe_mode=True), path.name)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        happened = f"The weights in '{path.name}' cannot be read: {str(error).partition(chr(10))[0][:200]}"
        raise ExperimentError(happened, "a run, .npz, .keras or .h5 of the same trunk was expected", "") from None


def _whole(path: Path) -> bool:
    """Whether an .h5 holds a net with its weights, and not the weights alone."""
    import h5py

    with h5py.File(path, "r") as file:
        return "model_config" in file.attrs


def _in_order(model: keras.Model, arrays: Sequence[np.ndarray], name: str) -> None:
    """From arrays in the order of ``model.weights``; the heads stand at their end."""
    wanted = [weight for layer in list_trunk_layers(model) for weight in layer.weights]
    ordered = [weight for weight in model.weights if any(weight is one for one in wanted)]
    if len(arrays) < len(ordered):
        _refuse(name, f"it holds {len(arrays)} arrays, and the trunk has {len(ordered)}")
    for weight, array in zip(ordered, arrays, strict=False):
        _assign(weight, array, name)


def _by_name(model: keras.Model, source: keras.Model, name: str) -> None:
    """Layer by layer, each from the one of its name."""
    there = {layer.name: layer for layer in _layers(source)}
    for layer in list_trunk_layers(model):
        if isinstance(layer, keras.layers.Normalization):
            continue  # how pixels are scaled is this net's own affair
        if layer.name not in there:
            _refuse(name, f"it has no layer '{layer.name}'")
        theirs = there[layer.name].weights
        if len(theirs) != len(layer.weights):
            _refuse(name, f"its layer '{layer.name}' has {len(theirs)} arrays instead of {len(layer.weights)}")
        for mine, other in zip(layer.weights, theirs, strict=True):
            _assign(mine, np.asarray(other), name)


def _layers(model: Any) -> Iterator[keras.Layer]:
    """All layers, those inside of others too."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _assign(weight: keras.Variable, array: np.ndarray, name: str) -> None:
    if tuple(weight.shape) != array.shape:
        _refuse(name, f"its {weight.path} has the shape {array.shape} instead of {tuple(weight.shape)}")
    weight.assign(array)


def _refuse(name: str, because: str) -> None:
    happened = f"The weights of '{name}' do not fit this net: {because}"
    raise ExperimentError(happened, "the same trunk was expected", "Set net.name, net.width and net.depth as they were there")


def _imagenet(recipe: Recipe) -> keras.Model:
    with _Fetching(recipe.net.name):
        return networks.load_application(recipe.net, IMAGENET)


class _Fetching:
    """Keras raises a bare Exception over a download that fails; what is behind it tells it from all others."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, URLError | OSError) or isinstance(error and error.__context__, URLError | OSError):
            happened = f"The ImageNet weights of {self.name} cannot be fetched from storage.googleapis.com"
            remedy = "Name a local file in net.weights, or begin from nothing with net.weights=none"
            raise ExperimentError(happened, "a way to the network was expected", remedy) from None
