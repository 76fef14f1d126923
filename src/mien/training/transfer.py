"""Transfer learning: the trunk starts from the weights of another network, the heads are trained from scratch.

The weights come from a run, a Keras file, an ``.npz`` file of arrays in order, for the Keras applications from
ImageNet, or for ``face_resnet`` from dlib's face recognition network in the format of TensorFlow.js. Every layer of the
trunk must have its weights there, or the run is refused.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import URLError

import keras
import numpy as np

from mien.errors import ExperimentError
from mien.training import checkpoint, networks
from mien.training.recipe import NetworkSettings, Recipe

HEADS = ("label", "votes")
IMAGENET = "imagenet"


#: The end of the name of the file that lists the weights of dlib's network for TensorFlow.js.
MANIFEST = "weights_manifest.json"

#: Faces whose statistics batch normalisation receives where the weights have none.
_STATISTICS_FACES = 2000


def load_initial_weights(model: keras.Model, recipe: Recipe, faces: np.ndarray) -> str:
    """Load ``net.weights`` into the trunk; a sentence about it.

    ``faces`` uint8 (N, 48, 48, 1) are training faces, for the batch statistics of weights that have none.
    """
    weights = recipe.net.weights
    if weights == IMAGENET:
        _load_by_name(model, _fetch_imagenet_network(recipe.net), "ImageNet")
    elif weights.endswith(MANIFEST):
        with _read_errors(Path(weights)):
            _load_face_recognition(model, _find_weights_file(recipe), faces[:_STATISTICS_FACES])
    else:
        _load_file(model, _find_weights_file(recipe), recipe.net)
    count = sum(layer.count_params() for layer in list_trunk_layers(model))
    return f"{count:,} parameters of the trunk start from the weights of {Path(weights).name}"


def list_trunk_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers with weights before the heads."""
    return [layer for layer in model.layers if layer.weights and layer.name not in HEADS]


@contextmanager
def freeze_trunk(model: keras.Model) -> Iterator[None]:
    """Inside, only the heads are trainable, and batch normalisation uses its moving statistics."""
    for layer in list_trunk_layers(model):
        layer.trainable = False
    try:
        yield
    finally:
        for layer in list_trunk_layers(model):
            layer.trainable = True


def _find_weights_file(recipe: Recipe) -> Path:
    """The file of weights, relative to the recipe or to the current folder; of a run its final weights."""
    for path in (recipe.resolve_path(recipe.net.weights), Path(recipe.net.weights)):
        if (path / checkpoint.WEIGHTS).exists():
            _check_same_fold(path, recipe)
            return path / checkpoint.WEIGHTS
        if path.is_file():
            if (path.parent / checkpoint.RECIPE).exists():
                _check_same_fold(path.parent, recipe)
            return path
    happened = f"net.weights is '{recipe.net.weights}', and there is no such file or finished run"
    expected = "imagenet, none, a run or a file was expected"
    raise ExperimentError(happened, expected, "Set net.weights=none to train from scratch")


def _check_same_fold(run: Path, recipe: Recipe) -> None:
    """With folds an ExperimentError where the run was trained on the validation faces of this recipe."""
    own = recipe.data
    if not own.folds:
        return
    other = checkpoint.read_recipe(run).data
    if (other.folds, other.fold, other.group) != (own.folds, own.fold, own.group):
        happened = f"The run '{run.name}' has seen the faces of fold {own.fold}, which this run is measured on"
        remedy = f"Name a run with data.folds={own.folds} and data.fold={own.fold}, or set net.weights=none"
        raise ExperimentError(happened, "a run of the same fold was expected", remedy)


def _load_file(model: keras.Model, path: Path, settings: NetworkSettings) -> None:
    with _read_errors(path):
        if path.suffix == ".npz":
            _load_in_order(model, checkpoint.read_arrays(path), path.name)
        elif path.suffix == ".h5" and not _has_architecture(path):
            _load_by_name(model, networks.load_application(settings, str(path)), path.name)
        else:
            _load_by_name(model, keras.models.load_model(path, compile=False, safe_mode=True), path.name)


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Explain what is wrong with a file of weights."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        happened = f"The weights in '{path.name}' cannot be read: {str(error).partition(chr(10))[0][:200]}"
        raise ExperimentError(happened, "a run, .npz, .keras or .h5 of the same trunk was expected") from None


def _has_architecture(path: Path) -> bool:
    """Whether an .h5 file has a network with its weights, not the weights alone."""
    import h5py

    with h5py.File(path, "r") as file:
        return "model_config" in file.attrs


def _load_in_order(model: keras.Model, arrays: Sequence[np.ndarray], name: str) -> None:
    """From arrays in the order of ``model.weights``, where those of the heads are the last."""
    trunk = {id(weight) for layer in list_trunk_layers(model) for weight in layer.weights}
    ordered = [weight for weight in model.weights if id(weight) in trunk]
    if len(arrays) < len(ordered):
        _refuse_weights(name, f"the file has {len(arrays)} arrays, and the trunk has {len(ordered)}")
    for weight, array in zip(ordered, arrays, strict=False):
        _assign(weight, array, name)


def _load_by_name(model: keras.Model, source: keras.Model, name: str) -> None:
    """Layer by layer, each from the layer of the same name."""
    source_layers = {layer.name: layer for layer in _list_layers(source)}
    for layer in list_trunk_layers(model):
        if isinstance(layer, keras.layers.Normalization):
            continue  # the scaling of the pixels belongs to this network
        if layer.name not in source_layers:
            _refuse_weights(name, f"the file has no layer '{layer.name}'")
        arrays = source_layers[layer.name].weights
        if len(arrays) != len(layer.weights):
            _refuse_weights(name, f"its layer '{layer.name}' has {len(arrays)} arrays instead of {len(layer.weights)}")
        for weight, array in zip(layer.weights, arrays, strict=True):
            _assign(weight, np.asarray(array), name)


def _load_face_recognition(model: keras.Model, manifest: Path, faces: np.ndarray) -> None:
    """Load dlib's network, whose normalisation is a scale and an offset, into ``face_resnet``."""
    if model.name != "face_resnet":
        _refuse_weights(manifest.name, f"the network is {model.name}, and the weights are those of face_resnet")
    arrays = _read_tensorflowjs(manifest)
    names = ["conv32_down", *(f"conv32_{block}" for block in (1, 2, 3))]
    for width, blocks in networks.FACE_RESNET_STAGES[1:]:
        names += [f"conv{width}_down", *(f"conv{width}_{block}" for block in range(1, blocks))]
    layer_names = ["stem"]
    for stage, (_, blocks) in enumerate(networks.FACE_RESNET_STAGES, start=1):
        layer_names += [f"stage{stage}_block{block}" for block in range(1, blocks + 1)]
    norms = []
    for name, layer_name in zip(names, layer_names, strict=True):
        parts = {"": ""} if layer_name == "stem" else {"/conv1": "_1", "/conv2": "_2"}
        for part, number in parts.items():
            convolution, norm = (model.get_layer(f"{layer_name}{number}_{kind}") for kind in ("conv", "norm"))
            _assign(convolution.weights[0], arrays[f"{name}{part}/conv/filters"], manifest.name)
            scale = arrays[f"{name}{part}/scale/weights"]
            _assign(norm.gamma, scale * np.sqrt(1 + norm.epsilon), manifest.name)
            offset = arrays[f"{name}{part}/scale/biases"] + scale * arrays[f"{name}{part}/conv/bias"]
            _assign(norm.beta, offset, manifest.name)
            norms.append(norm)
    _set_batch_statistics(model, norms, faces)


def _read_tensorflowjs(manifest: Path) -> dict[str, np.ndarray]:
    """The arrays of a model in the format of TensorFlow.js, float32 or quantised to uint8, by name."""
    arrays = {}
    for group in json.loads(manifest.read_text("utf-8")):
        content = b"".join(manifest.with_name(name).read_bytes() for name in group["paths"])
        position = 0
        for entry in group["weights"]:
            quantization = entry.get("quantization")
            dtype = np.dtype(quantization["dtype"] if quantization else entry["dtype"])
            count = int(np.prod(entry["shape"], dtype=int))
            array = np.frombuffer(content, dtype, count, position).reshape(entry["shape"]).astype(np.float32)
            position += count * dtype.itemsize
            if quantization:
                array = array * quantization["scale"] + quantization["min"]
            arrays[entry["name"]] = array.astype(np.float32)
    return arrays


def _set_batch_statistics(model: keras.Model, norms: Sequence[keras.Layer], faces: np.ndarray) -> None:
    """Give each normalisation the mean and variance of its inputs on these faces; the network computes the same."""
    inputs = keras.Model(model.inputs[0], [norm.input for norm in norms])
    starts = range(0, len(faces), 100)
    batches = [inputs(faces[start : start + 100].astype(np.float32), training=False) for start in starts]
    for norm, *parts in zip(norms, *batches, strict=True):
        values = np.concatenate([keras.ops.convert_to_numpy(keras.ops.mean(part, (1, 2))) for part in parts])
        squares = np.concatenate([keras.ops.convert_to_numpy(keras.ops.mean(part**2, (1, 2))) for part in parts])
        mean, scale = values.mean(0), norm.gamma.numpy() / np.sqrt(1 + norm.epsilon)
        variance = np.maximum(squares.mean(0) - mean**2, 1e-6)
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        norm.gamma.assign(scale * np.sqrt(variance + norm.epsilon))
        norm.beta.assign(norm.beta.numpy() + scale * mean)


def _list_layers(model: Any) -> Iterator[keras.Layer]:
    """All layers, those of nested models too."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _list_layers(layer)


def _assign(weight: keras.Variable, array: np.ndarray, name: str) -> None:
    if tuple(weight.shape) != array.shape:
        shapes = f"the shape {array.shape} instead of {tuple(weight.shape)}"
        _refuse_weights(name, f"its {weight.path} has {shapes}")
    weight.assign(array)


def _refuse_weights(name: str, reason: str) -> NoReturn:
    happened = f"The weights of '{name}' do not fit this network: {reason}"
    remedy = "Set net.name, net.width and net.depth as in the network of the weights"
    raise ExperimentError(happened, "the same trunk was expected", remedy)


def _fetch_imagenet_network(settings: NetworkSettings) -> keras.Model:
    with _DownloadErrors(settings.name):
        return networks.load_application(settings, IMAGENET)


class _DownloadErrors:
    """Explains failed downloads: Keras raises a plain Exception, whose context distinguishes it from other failures."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, URLError | OSError) or isinstance(error and error.__context__, URLError | OSError):
            happened = f"The ImageNet weights of {self.name} cannot be downloaded from storage.googleapis.com"
            remedy = "Name a local file in net.weights, or train from scratch with net.weights=none"
            raise ExperimentError(happened, "a network connection was expected", remedy) from None
