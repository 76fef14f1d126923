"""``python -m mien.export.keras_import_process``: converts one Keras file to ONNX for :mod:`mien.export.keras_import`.

Files with a Lambda layer, which is a program, are refused before Keras loads them; the safe mode of Keras stays on.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from mien.errors import ExperimentError
from mien.images.decoder_warnings import suppress_decoder_warnings
from mien.models import ModelCard, load_classifier, write_card

#: The largest difference of a probability between Keras and ONNX Runtime.
TOLERANCE = 1e-4

#: Factor and offset that transform raw pixels to each scale.
_SCALES = {"0-255": (1.0, 0.0), "0-1": (1 / 255, 0.0), "-1-1": (2 / 255, -1.0)}

#: What Keras raises for a file that it cannot load; it checks little itself, so many exceptions of Python are among
#: them.
_LOAD_ERRORS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


def convert(
    path: Path, labels: Sequence[str], votes: Sequence[str], scale: str, decision: Mapping[str, Any] | None = None
) -> bytes:
    """The file as ONNX with a card, checked against Keras on a few images; ``decision`` is that of mien's own card."""
    with suppress_decoder_warnings():
        network = _load_network(path)
        faces = _make_images(_check_input_shape(network, path))
        model = _add_preprocessing_and_heads(network, labels, votes, scale, faces, path, bool(decision))
        card = ModelCard(
            name=path.stem,
            labels=tuple(labels),
            vote_labels=tuple(votes),
            side=faces.shape[1],
            color="gray" if faces.shape[3] == 1 else "rgb",
            decision=decision or {},
            parameters=int(network.count_params()),
            recipe=f"converted from {path.name}",
        )
        content = write_card(_export_model(model, faces.shape[1:]), card)
        _check_equal(model, content, faces, path)
    return content


def _load_network(path: Path) -> keras.Model:
    try:
        config = _read_config(path)
        if any(name == "Lambda" for name in _list_class_names(config)):
            happened = f"'{path}' has a Lambda layer, which is a program; mien never runs programs in model files"
            remedy = "Build the network again with plain layers such as Rescaling"
            raise ExperimentError(happened, "plain layers were expected", remedy)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except _LOAD_ERRORS as error:
        message = (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
        happened = f"Keras {keras.__version__} cannot load '{path}': {message}"
        expected = "a whole model, as model.save writes it, was expected; Keras 3 cannot load all files of Keras 2"
        remedy = "Save it again with Keras 3, or export it to ONNX with the version of Keras that wrote it"
        raise ExperimentError(happened, expected, remedy) from None


def _read_config(path: Path) -> Any:
    """The configuration of the network, read without building anything."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ValueError("it has weights, and no network for them")
        return json.loads(file.attrs["model_config"])


def _list_class_names(config: Any) -> Iterator[str]:
    """The class names in a configuration, at every depth."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"].rpartition(">")[2]
        config = list(config.values())
    if isinstance(config, list):
        for each in config:
            yield from _list_class_names(each)


def _check_input_shape(network: keras.Model, path: Path) -> tuple[int, int, int]:
    shape = tuple(network.inputs[0].shape[1:]) if len(network.inputs) == 1 else ()
    if len(shape) != 3 or shape[0] != shape[1] or not shape[0] or shape[2] not in (1, 3):
        happened = f"'{path}' takes {' and '.join(str(tuple(each.shape)) for each in network.inputs)}"
        raise ExperimentError(happened, "square faces (N, side, side, 1 or 3) were expected", "Name another model")
    return shape


def _make_images(shape: tuple[int, int, int], count: int = 6) -> np.ndarray:
    """Coarse noise from a fixed seed, uint8, on which two networks are compared."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 6, 6, shape[2]))
    indices = np.arange(shape[0]) * 6 // shape[0]
    return coarse[:, indices][:, :, indices].astype(np.uint8)


def _add_preprocessing_and_heads(
    network: keras.Model,
    labels: Sequence[str],
    votes: Sequence[str],
    scale: str,
    faces: np.ndarray,
    path: Path,
    decision: bool,
) -> keras.Model:
    """A model from raw pixels to probabilities, whatever the network itself takes and returns."""
    entry = keras.Input(faces.shape[1:], name="faces", dtype="float32")
    factor, offset = _SCALES[scale]
    outputs = keras.tree.flatten(network(keras.layers.Rescaling(factor, offset, name="scale")(entry)))
    heads = {"scores": labels} | ({"votes": votes} if votes else {}) | ({"label": labels} if decision else {})
    if len(outputs) < len(heads):
        raise ExperimentError(f"'{path}' has {len(outputs)} outputs", f"{' and '.join(heads)} were expected")
    arrays = keras.tree.flatten(network(faces.astype(np.float32) * factor + offset, training=False))
    probabilities = [
        _add_softmax(output, np.asarray(array), name, names, path)
        for (name, names), output, array in zip(heads.items(), outputs, arrays, strict=False)
    ]
    return keras.Model(entry, probabilities)


def _add_softmax(output: Any, array: np.ndarray, name: str, labels: Sequence[str], path: Path) -> Any:
    """Probabilities unchanged, logits through softmax; anything else is refused."""
    if array.shape[1:] != (len(labels),):
        happened = f"'{path}' returns arrays of shape {array.shape[1:]}"
        expected = f"one number for each of {len(labels)} labels was expected: {', '.join(labels)}"
        raise ExperimentError(happened, expected)
    if np.abs(array.sum(1) - 1).max() < 1e-3 and array.min() >= 0:
        return keras.layers.Identity(name=name)(output)
    if array.min() < 0 or array.max() > 1:
        return keras.layers.Softmax(name=name)(output)
    raise ExperimentError(f"'{path}' returns numbers that do not sum to 1", "probabilities or logits were expected")


def _export_model(model: keras.Model, shape: tuple[int, ...]) -> bytes:
    """The ONNX graph, its outputs named after the heads."""
    entry = tf.TensorSpec((None, *shape), tf.float32, name="faces")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        model.export(str(file), format="onnx", verbose=False, input_signature=[entry])
        proto = onnx.load(file)
    for output, name in zip(proto.graph.output, model.output_names, strict=True):
        proto.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name], name=f"{name}/answer"))
        output.name = name
    return bytes(proto.SerializeToString())


def _check_equal(model: keras.Model, content: bytes, faces: np.ndarray, path: Path) -> None:
    """In batches of one and of three."""
    classifier = load_classifier(content, threads=1)
    for batch in (faces[:1], faces[1:4]):
        heads = keras.tree.flatten(model(batch.astype(np.float32), training=False))
        pairs = zip(map(np.asarray, heads), classifier.run(batch), strict=False)
        worst = max(float(np.abs(keras_array - array).max()) for keras_array, array in pairs if array is not None)
        if not worst <= TOLERANCE:
            happened = f"The predictions of '{path}' in Keras and in ONNX differ by {worst:.1e}"
            raise ExperimentError(happened, f"at most {TOLERANCE:.0e} was expected", "Nothing was written")


def main(arguments: str) -> None:
    """``arguments`` are JSON: path, target, labels, votes, scale, decision. Null or the error is printed last."""
    path, target, labels, votes, scale, decision = json.loads(arguments)
    try:
        Path(target).write_bytes(convert(Path(path), labels, votes, scale, decision))
        error = None
    except ExperimentError as refused:
        error = refused.args
    sys.stdout.write(f"\n{json.dumps(error)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
