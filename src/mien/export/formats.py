"""The kinds of file a finished net can be written as, each read back and held against Keras before it is kept.

``.keras`` and ``.h5`` hold nothing of ours: they load in plain Keras without mien, take raw pixels and answer
probabilities. The card travels inside (``.keras``, ``.h5``, SavedModel) or beside (TFLite has no place for it).
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

#: How far a share may differ between Keras and a file that holds its numbers as they are.
TOLERANCE = 1e-4

Answers = list[NDArray[np.float32]]
Predict = Callable[[NDArray[np.float32]], Answers]


def to_plain_keras(model: keras.Model, temperatures: Mapping[str, float]) -> keras.Model:
    """The same net of stock layers in float32: raw pixels in, probabilities out, temperatures inside the heads."""

    def stock(layer: Any) -> Any:
        if not isinstance(layer, keras.Layer):
            return type(layer).from_config(layer.get_config())
        kind = next(base for base in type(layer).__mro__ if base.__module__.startswith("keras."))
        head = {"activation": "softmax"} if layer.name in model.output_names else {}
        return kind.from_config({**layer.get_config(), "dtype": "float32", **head})

    copy = keras.models.clone_model(model, clone_function=stock)
    copy.set_weights(model.get_weights())
    for name, temperature in temperatures.items():
        head = copy.get_layer(name)
        head.set_weights([weight / np.float32(temperature) for weight in head.get_weights()])
    return copy


def supports_h5(net: keras.Model) -> bool:
    """Is the net made of layers alone? An ``.h5`` has no place for the operations that make a mirror image."""
    return all(isinstance(each, keras.Layer) for each in net.operations)


def save_keras(net: keras.Model, card: ModelCard, target: Path) -> None:
    """A plain net as ``.keras`` or ``.h5``, by the suffix, whole or not at all, with its card inside."""
    if target.suffix.lower() == ".h5" and not supports_h5(net):
        happened = "This net looks at a face in several ways, and .h5 files have no place for that"
        raise ExperimentError(happened, "layers alone were expected", "Write a .keras file, or export it with --views 1")
    with tempfile.TemporaryDirectory() as folder, suppress_decoder_warnings():
        part = Path(folder, f"net{target.suffix.lower()}")
        net.save(part)
        _put_card(part, card)
        write_atomically(target, part.read_bytes(), sync=True)


def _put_card(path: Path, card: ModelCard) -> None:
    """Where readers that do not know of it never look."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{CARD_INSIDE}.json", card.to_json())
        return
    import h5py

    with h5py.File(path, "r+") as file:
        file.attrs[CARD_INSIDE] = card.to_json()


def write_format(net: keras.Model, card: ModelCard, kind: str, target: Path, faces: NDArray[np.uint8]) -> float:
    """Writes ``target``, a file or folder, unless it answers otherwise than ``net`` on these faces; the difference."""
    with tempfile.TemporaryDirectory() as folder, suppress_decoder_warnings():
        part = Path(folder, "net").with_suffix(SUFFIXES[kind])
        WRITERS[kind](net, card, part)
        worst = max_difference(predict_with_keras(net), READERS[kind](part), faces)
        check_difference(worst, kind)
        _moved(part, target)
    if kind == "tflite":
        write_atomically(target.with_name(target.name + ".json"), card.to_json(), sync=True)
    return worst


def max_difference(ours: Predict, theirs: Predict, faces: NDArray[np.uint8]) -> float:
    """The largest difference of any share on these faces, asked by ones and by threes."""
    worst = 0.0
    for size in (1, 3):
        for start in range(0, len(faces) - size + 1, size):
            few = faces[start : start + size, ..., None].astype(np.float32)
            pairs = zip(ours(few), theirs(few), strict=True)
            worst = max(worst, *(float(np.abs(one - other).max()) for one, other in pairs))
    return worst


def check_difference(worst: float, kind: str) -> None:
    if not worst <= TOLERANCE:
        happened = f"Keras and the {kind} file differ by {worst:.2e}"
        raise ExperimentError(happened, f"at most {TOLERANCE:.0e} was expected", "Nothing was written")


def predict_with_keras(net: keras.Model) -> Predict:
    """How a Keras net is asked: one array for each head."""
    return lambda faces: [_numbers(each) for each in keras.tree.flatten(net(faces, training=False))]


def _numbers(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float32)


def _write_saved_model(net: keras.Model, card: ModelCard, part: Path) -> None:
    _needs_tensorflow("SavedModel")
    net.export(str(part), format="tf_saved_model", verbose=False)
    extra = part / "assets.extra"
    extra.mkdir()
    (extra / f"{CARD_INSIDE}.json").write_text(card.to_json(), "utf-8")


def _write_tflite(net: keras.Model, card: ModelCard, part: Path) -> None:
    _needs_tensorflow("TFLite")
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        net.export(folder, format="tf_saved_model", verbose=False)
        part.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def _needs_tensorflow(kind: str) -> None:
    if (backend := keras.backend.backend()) != "tensorflow":
        happened = f"{kind} files are written by TensorFlow, and Keras runs on {backend}"
        raise MissingExtra(
            happened, f"TensorFlow comes with {install_command('train')}", "Set KERAS_BACKEND=tensorflow"
        )


def _load_keras(path: Path) -> Predict:
    return predict_with_keras(keras.models.load_model(path, compile=False, safe_mode=True))


def _load_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    served = tf.saved_model.load(str(path))
    return lambda faces: [np.asarray(each) for each in served.serve(faces)]


def _load_tflite(path: Path) -> Predict:
    import tensorflow as tf

    with suppress_decoder_warnings():  # it says that it will move to a package of its own
        signed = tf.lite.Interpreter(model_path=str(path)).get_signature_runner("serving_default")

    def ask(faces: NDArray[np.float32]) -> Answers:
        found = signed(faces=faces)
        return [found[name] for name in sorted(found)]

    return ask


def _moved(part: Path, target: Path) -> None:
    """Into its place, whole; a folder that was there goes first."""
    if part.is_file():
        write_atomically(target, part.read_bytes(), sync=True)
        return
    with _beside(target) as new:
        shutil.copytree(part, new)
        if target.exists():
            shutil.rmtree(target)
        new.replace(target)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A place on the same disk, gone when the block ends."""
    new = target.with_name(target.name + ".part")
    shutil.rmtree(new, ignore_errors=True)
    try:
        yield new
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
