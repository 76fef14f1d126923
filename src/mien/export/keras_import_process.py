"""``python -m mien.export.keras_import_process``: one Keras file into ONNX, for :mod:`mien.export.keras_import`, which starts it.

Safe mode stays on: a Lambda layer is a program inside a file, and is refused before Keras sees it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from mien.errors import ExperimentError
from mien.images.decoder_warnings import suppress_decoder_warnings
from mien.models import ModelCard, load_classifier, write_card

#: How far a share may differ between Keras and ONNX Runtime.
TOLERANCE = 1e-4

#: What raw pixels are multiplied with, and what is added then.
_SCALES = {"0-255": (1.0, 0.0), "0-1": (1 / 255, 0.0), "-1-1": (2 / 255, -1.0)}

#: What Keras raises over a file it cannot follow: it checks little itself, so most of Python's own are among them.
_REFUSALS = (
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


def convert(path: Path, labels: Sequence[str], votes: Sequence[str], scale: str) -> bytes:
    """The file as ONNX with a card, checked against Keras on a few pictures; an ExperimentError where it cannot be."""
    with suppress_decoder_warnings():
        net = _loaded(path)
        faces = _pictures(_input_shape(net, path))
        whole = _whole(net, labels, votes, scale, faces, path)
        card = ModelCard(
            name=path.stem,
            labels=tuple(labels),
            vote_labels=tuple(votes),
            side=faces.shape[1],
            color="gray" if faces.shape[3] == 1 else "rgb",
            parameters=int(net.count_params()),
            recipe=f"turned from {path.name}",
        )
        model = write_card(_exported(whole, faces.shape[1:]), card)
        _refuse_unless_equal(whole, model, faces, path)
    return model


def _loaded(path: Path) -> keras.Model:
    try:
        config = _config(path)
        if any(name == "Lambda" for name in _kinds(config)):
            happened = f"'{path}' has a Lambda layer, a program inside a file, which mien never runs"
            raise ExperimentError(happened, "plain layers were expected", "Build it again with plain layers such as Rescaling")
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except _REFUSALS as error:
        happened = f"Keras {keras.__version__} cannot load '{path}': {_first_line(error)}"
        expected = (
            "a whole model, as model.save writes it, was expected; files of Keras 2 do not always load in Keras 3"
        )
        raise ExperimentError(
            happened, expected, "Save it again with Keras 3, or export it to ONNX where it was made"
        ) from None


def _config(path: Path) -> Any:
    """The net's own description, read without building anything."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds weights, and no network to put them in")
        return json.loads(file.attrs["model_config"])


def _kinds(config: Any) -> Iterator[str]:
    """The class names of everything in a description, however deep."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"].rpartition(">")[2]
        config = list(config.values())
    if isinstance(config, list):
        for each in config:
            yield from _kinds(each)


def _input_shape(net: keras.Model, path: Path) -> tuple[int, int, int]:
    shape = tuple(net.inputs[0].shape[1:]) if len(net.inputs) == 1 else ()
    if len(shape) != 3 or shape[0] != shape[1] or not shape[0] or shape[2] not in (1, 3):
        happened = f"'{path}' takes {' and '.join(str(tuple(each.shape)) for each in net.inputs)}"
        raise ExperimentError(happened, "square faces (N, side, side, 1 or 3) were expected", "Name another model")
    return shape


def _pictures(shape: tuple[int, int, int], count: int = 6) -> np.ndarray:
    """Blots of light from a fixed seed, uint8: enough to see whether two nets are the same."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 6, 6, shape[2]))
    places = np.arange(shape[0]) * 6 // shape[0]
    return coarse[:, places][:, :, places].astype(np.uint8)


def _whole(
    net: keras.Model, labels: Sequence[str], votes: Sequence[str], scale: str, faces: np.ndarray, path: Path
) -> keras.Model:
    """Raw pixels in, shares (and votes) out, whatever the net itself takes and gives."""
    entry = keras.Input(faces.shape[1:], name="faces", dtype="float32")
    factor, offset = _SCALES[scale]
    answers = keras.tree.flatten(net(keras.layers.Rescaling(factor, offset, name="scale")(entry)))
    heads = {"shares": labels} | ({"votes": votes} if votes else {})
    if len(answers) < len(heads):
        raise ExperimentError(f"'{path}' has {len(answers)} outputs", f"{' and '.join(heads)} were expected")
    tried = keras.tree.flatten(net(faces.astype(np.float32) * factor + offset, training=False))
    ends = [
        _head(answer, np.asarray(seen), name, words, path)
        for (name, words), answer, seen in zip(heads.items(), answers, tried, strict=False)
    ]
    return keras.Model(entry, ends)


def _head(answer: Any, seen: np.ndarray, name: str, words: Sequence[str], path: Path) -> Any:
    """Probabilities as they are; logits through softmax; anything else refused."""
    if seen.shape[1:] != (len(words),):
        happened = f"'{path}' answers arrays of shape {seen.shape[1:]}"
        raise ExperimentError(happened, f"one number for each of {len(words)} labels was expected: {', '.join(words)}")
    if np.abs(seen.sum(1) - 1).max() < 1e-3 and seen.min() >= 0:
        return keras.layers.Identity(name=name)(answer)
    if seen.min() < 0 or seen.max() > 1:
        return keras.layers.Softmax(name=name)(answer)
    raise ExperimentError(f"'{path}' answers numbers that are no shares", "a softmax, or logits, were expected", "")


def _exported(whole: keras.Model, shape: tuple[int, ...]) -> bytes:
    """The ONNX graph, its outputs named after the heads."""
    entry = tf.TensorSpec((None, *shape), tf.float32, name="faces")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "net.onnx")
        whole.export(str(file), format="onnx", verbose=False, input_signature=[entry])
        proto = onnx.load(file)
    for output, name in zip(proto.graph.output, whole.output_names, strict=True):
        proto.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name], name=f"{name}/answer"))
        output.name = name
    return bytes(proto.SerializeToString())


def _refuse_unless_equal(whole: keras.Model, model: bytes, faces: np.ndarray, path: Path) -> None:
    """By ones and by threes, as readings come."""
    classifier = load_classifier(model, threads=1)
    for few in (faces[:1], faces[1:4]):
        wanted = [np.asarray(head) for head in keras.tree.flatten(whole(few.astype(np.float32), training=False))]
        pairs = zip(wanted, classifier.run(few), strict=False)
        worst = max(float(np.abs(goal - found).max()) for goal, found in pairs if found is not None)
        if not worst <= TOLERANCE:
            happened = f"'{path}' answers otherwise as ONNX: shares differ by {worst:.1e}"
            raise ExperimentError(happened, f"at most {TOLERANCE:.0e} was expected", "Nothing was kept")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]


def main(words: str) -> None:
    """``words`` is JSON: path, target, labels, votes, scale. The last line of stdout is null, or what went wrong."""
    path, target, labels, votes, scale = json.loads(words)
    try:
        Path(target).write_bytes(convert(Path(path), labels, votes, scale))
        answer = None
    except ExperimentError as error:
        answer = error.args
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
