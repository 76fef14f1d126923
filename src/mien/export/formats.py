"""Export to Keras, HDF5, SavedModel and TFLite files, each read again and compared with Keras before it is kept.

``.keras`` and ``.h5`` files load in plain Keras without mien; they take raw pixels and return probabilities. The card
is inside the file (``.keras``, ``.h5``, SavedModel) or beside it (TFLite).
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import ExperimentError, MissingExtra, install_command
from mien.export.keras_import import CARD_INSIDE
from mien.files import write_atomically
from mien.images.decoder_warnings import suppress_decoder_warnings
from mien.models import ModelCard

#: The largest difference of a probability between Keras and a file with the same weights.
TOLERANCE = 1e-4

Outputs = list[NDArray[np.float32]]
#: Faces float32 (N, 48, 48, 1) to the probabilities of each head.
Predict = Callable[[NDArray[np.float32]], Outputs]


def to_plain_keras(model: keras.Model, temperatures: Mapping[str, float]) -> keras.Model:
    """The same network of stock Keras layers in float32, from raw pixels to calibrated probabilities."""

    def convert_layer(layer: Any) -> Any:
        if not isinstance(layer, keras.Layer):
            return type(layer).from_config(layer.get_config())
        keras_class = next(base for base in type(layer).__mro__ if base.__module__.startswith("keras."))
        activation = {"activation": "softmax"} if layer.name in model.output_names else {}
        return keras_class.from_config({**layer.get_config(), "dtype": "float32", **activation})

    copy = keras.models.clone_model(model, clone_function=convert_layer)
    copy.set_weights(model.get_weights())
    for name, temperature in temperatures.items():
        head = copy.get_layer(name)
        head.set_weights([weight / np.float32(temperature) for weight in head.get_weights()])
    return copy


def supports_h5(net: keras.Model) -> bool:
    """Whether HDF5 supports the network: it has no format for operations, such as the mirror image of the views."""
    return all(isinstance(each, keras.Layer) for each in net.operations)


def save_keras(net: keras.Model, card: ModelCard, target: Path) -> None:
    """Write a plain network with its card as ``.keras`` or ``.h5``, by the suffix."""
    if target.suffix.lower() == ".h5" and not supports_h5(net):
        happened = "This network has several views, which .h5 files do not support"
        raise ExperimentError(
            happened, "a network with one view was expected", "Write a .keras file, or export it with --views 1"
        )
    with tempfile.TemporaryDirectory() as folder, suppress_decoder_warnings():
        path = Path(folder, f"net{target.suffix.lower()}")
        net.save(path)
        _add_card(path, card)
        write_atomically(target, path.read_bytes(), sync=True)


def _add_card(path: Path, card: ModelCard) -> None:
    """Add the card where Keras ignores it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{CARD_INSIDE}.json", card.to_json())
        return
    import h5py

    with h5py.File(path, "r+") as file:
        file.attrs[CARD_INSIDE] = card.to_json()


def write_format(net: keras.Model, card: ModelCard, kind: str, target: Path, faces: NDArray[np.uint8]) -> float:
    """Write ``target``, a file or folder, unless its predictions differ from Keras on these faces; the difference."""
    with tempfile.TemporaryDirectory() as folder, suppress_decoder_warnings():
        path = Path(folder, "net").with_suffix(SUFFIXES[kind])
        WRITERS[kind](net, card, path)
        worst = max_difference(predict_with_keras(net), READERS[kind](path), faces)
        check_difference(worst, kind)
        _replace_target(path, target)
    if kind == "tflite":
        write_atomically(target.with_name(target.name + ".json"), card.to_json(), sync=True)
    return worst


def max_difference(first: Predict, second: Predict, faces: NDArray[np.uint8]) -> float:
    """The largest difference of a probability on these faces, in batches of one and of three."""
    worst = 0.0
    for size in (1, 3):
        for start in range(0, len(faces) - size + 1, size):
            batch = faces[start : start + size, ..., None].astype(np.float32)
            pairs = zip(first(batch), second(batch), strict=True)
            worst = max(worst, *(float(np.abs(one - other).max()) for one, other in pairs))
    return worst


def check_difference(worst: float, kind: str) -> None:
    """Raise an ExperimentError where the difference is above TOLERANCE."""
    if not worst <= TOLERANCE:
        happened = f"Keras and the {kind} file differ by {worst:.2e}"
        raise ExperimentError(happened, f"at most {TOLERANCE:.0e} was expected", "Nothing was written")


def predict_with_keras(net: keras.Model) -> Predict:
    """The prediction function of a Keras network: one array for each head."""

    def predict(faces: NDArray[np.float32]) -> Outputs:
        heads = keras.tree.flatten(net(faces, training=False))
        return [np.asarray(keras.ops.convert_to_numpy(head), np.float32) for head in heads]

    return predict


def _write_saved_model(net: keras.Model, card: ModelCard, path: Path) -> None:
    _require_tensorflow("SavedModel")
    net.export(str(path), format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / f"{CARD_INSIDE}.json").write_text(card.to_json(), "utf-8")


def _write_tflite(net: keras.Model, card: ModelCard, path: Path) -> None:
    _require_tensorflow("TFLite")
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        net.export(folder, format="tf_saved_model", verbose=False)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def _require_tensorflow(kind: str) -> None:
    if (backend := keras.backend.backend()) != "tensorflow":
        happened = f"{kind} files are written by TensorFlow, and Keras uses {backend}"
        raise MissingExtra(
            happened, f"TensorFlow comes with {install_command('train')}", "Set KERAS_BACKEND=tensorflow"
        )


def _load_keras(path: Path) -> Predict:
    return predict_with_keras(keras.models.load_model(path, compile=False, safe_mode=True))


def _load_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda faces: [np.asarray(each) for each in model.serve(faces)]


def _load_tflite(path: Path) -> Predict:
    import tensorflow as tf

    with suppress_decoder_warnings():  # a note that it will move to another package
        runner = tf.lite.Interpreter(model_path=str(path)).get_signature_runner("serving_default")

    def predict(faces: NDArray[np.float32]) -> Outputs:
        outputs = runner(faces=faces)
        return [outputs[name] for name in sorted(outputs)]

    return predict


def _replace_target(path: Path, target: Path) -> None:
    """Replace the target by the file or folder; a folder is copied completely before the previous one is removed."""
    if path.is_file():
        write_atomically(target, path.read_bytes(), sync=True)
        return
    new = target.with_name(target.name + ".part")  # on the same disk
    shutil.rmtree(new, ignore_errors=True)
    try:
        shutil.copytree(path, new)
        if target.exists():
            shutil.rmtree(target)
        new.replace(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


Write = Callable[[keras.Model, ModelCard, Path], None]

SUFFIXES = {"keras": ".keras", "h5": ".h5", "savedmodel": "", "tflite": ".tflite"}
WRITERS: dict[str, Write] = {
    "keras": save_keras,
    "h5": save_keras,
    "savedmodel": _write_saved_model,
    "tflite": _write_tflite,
}
READERS: dict[str, Callable[[Path], Predict]] = {
    "keras": _load_keras,
    "h5": _load_keras,
    "savedmodel": _load_saved_model,
    "tflite": _load_tflite,
}
FORMATS: Sequence[str] = tuple(WRITERS)
