"""Does a graph do what its card says? Asked once, when a model is loaded, so that no reading is ever mislabelled."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from mien.errors import ArrayError, CardError, ModelDamaged, ModelError
from mien.models.card import ModelCard, extract_card
from mien.models.onnx_file import ModelSource, add_outputs, damaged_file_error, describe_source, read_model

_MEND = "Export the model again with mien's lab, or write a card that fits with mien.models.write_card"

#: How far shares may be from 1 in all: an int8 graph rounds each of them.
_SLACK = 0.05


#: What shares may be told in; they come out as float32.
_NUMBERS = ("tensor(float)", "tensor(float16)", "tensor(double)")


class OnnxSession(Protocol):
    """What is asked of an ONNX Runtime session."""

    def get_inputs(self) -> Sequence[Any]: ...
    def get_outputs(self) -> Sequence[Any]: ...


def check_input(session: OnnxSession, card: ModelCard, name: str) -> None:
    """One input, uint8 or float32, that takes any number of faces (or one) of the card's side and colour."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in ("tensor(float)", "tensor(uint8)"):
        told = ", ".join(f"{each.name} {each.type}" for each in inputs) or "no input"
        raise CardError(f"{name} takes {told}", "Expected one input of raw pixels, float32 or uint8", _MEND)
    expected = (1, card.side, card.side, card.channels)
    if not _fits(inputs[0].shape, expected):
        told = f"faces of shape {_shape(inputs[0].shape)}"
        said = f"(N, {', '.join(map(str, expected[1:]))}), as its card says: {card.side} pixels, {card.color}"
        raise CardError(f"{name} takes {told}", f"Expected {said}", _MEND)


def check_heads(session: OnnxSession, card: ModelCard, name: str) -> None:
    """An output ``shares``, and ``votes`` if and only if the card has labels for it; both of numbers."""
    kinds = {each.name: each.type for each in session.get_outputs()}
    found = list(kinds)
    if "shares" not in found:
        raise CardError(f"{name} has the outputs {', '.join(found)}", "Expected one that is named shares", _MEND)
    if ("votes" in found) != bool(card.vote_labels):
        told = "an output votes, but no labels for it" if "votes" in found else "labels for votes, but no such output"
        raise CardError(f"{name} has {told}", "Expected both or neither", _MEND)
    for head in {"shares", "votes"} & set(found):
        if kinds[head] not in _NUMBERS:
            raise CardError(f"{name} answers {head} as {kinds[head]}", "Expected a tensor of floats", _MEND)


def check_output(answer: NDArray[Any], faces: int, labels: tuple[str, ...], head: str, name: str) -> None:
    """For each face a row of shares as wide as the labels: between 0 and 1, and 1 in all."""
    wide = (faces, len(labels))
    if answer.shape != wide:
        told = f"{faces} face{'s' * (faces > 1)} gave {head} of shape {_shape(answer.shape)}"
        raise CardError(f"In {name} {told}", f"Expected {wide}: the card has {len(labels)} labels", _MEND)
    if not (np.all(answer > -_SLACK) and np.all(abs(answer.sum(axis=1) - 1) < _SLACK)):
        expected = "Expected numbers from 0 to 1 that make 1 in all: the softmax belongs inside the graph"
        raise CardError(f"{name} answers {head} that are no shares", expected, _MEND)


def check_faces(faces: NDArray[np.uint8], card: ModelCard) -> None:
    """uint8 faces of the card's side and colour."""
    expected = (card.side, card.side, card.channels)
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1:] != expected:
        happened = f"The model was given {faces.dtype} of shape {_shape(faces.shape)}"
        wanted = f"Expected uint8 of shape (N, {', '.join(map(str, expected))}), raw pixels from 0 to 255"
        raise ArrayError(happened, wanted, "mien.faces.crop.to_model_input makes it from any crops")


def make_blank_faces(card: ModelCard, faces: int) -> NDArray[np.uint8]:
    """So many black faces, to see how a model answers."""
    return np.zeros((faces, card.side, card.side, card.channels), np.uint8)


def _fits(shape: Sequence[Any], expected: Sequence[int]) -> bool:
    # Free dimensions are words or None; only a number can disagree.
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(not isinstance(has, int) or has == wants for has, wants in pairs)


def _shape(shape: Sequence[Any]) -> str:
    return f"({', '.join(str(each) if isinstance(each, int) else 'N' for each in shape)})"


# ==== mien.models.session
# Opening and running ONNX Runtime sessions; its own exceptions end here and become ours.

#: What a session raises; these classes have no common parent but Exception. Python's own come from its binding.
RUNTIME_ERRORS = (
    state.EPFail,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NoSuchFile,
    state.NotImplemented,
    state.RuntimeException,
    RuntimeError,
    ValueError,
)

#: Small networks gain nothing from more, and the detectors want cores too.
_MOST_THREADS = 4

_SILENT = 4

#: Before its sentence ONNX Runtime puts its own name, a number and a constant.
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")


def open_session(model: bytes, name: str, threads: int | None = None) -> Any:
    """A session on the CPU that may be run from several threads; ``threads`` is how many cores one run takes."""
    options = _options(_default_threads() if threads is None else threads)
    try:
        # Falling back would try the same provider again, and print about it.
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except RUNTIME_ERRORS as error:
        raise _refused(name, error) from error


def run_session(session: Any, outputs: Sequence[str], faces: NDArray[np.uint8], name: str) -> list[NDArray[Any]]:
    """The named outputs for a batch of raw faces; the graph takes them as uint8 or as float32."""
    entry = session.get_inputs()[0]
    feed = faces if entry.type == "tensor(uint8)" else faces.astype(np.float32)
    try:
        found: list[NDArray[Any]] = session.run(list(outputs), {entry.name: feed})
    except RUNTIME_ERRORS as error:
        happened = f"{name} stopped while running: {_first_line(error)}"
        raise ModelError(happened, "Expected a graph that runs on the CPU", "Export the model again") from error
    return found


def _options(threads: int) -> Any:
    if threads < 1:
        raise ModelError(f"The model got {threads} threads to run on", "Expected 1 or more", "Leave the number out")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Waiting threads would otherwise spin, and take the cores from the detector and from other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Failures are raised; a library writes nothing to the terminal.
    options.log_severity_level = _SILENT
    return options


def _default_threads() -> int:
    # Containers and taskset give a process fewer cores than the machine has.
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(mine or 1, _MOST_THREADS)


def _refused(name: str, error: Exception) -> ModelDamaged:
    return damaged_file_error(name, f"ONNX Runtime says: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    told = str(error).strip().partition("\n")[0]
    return _PREFIX.sub("", told)[:300] or type(error).__name__


# ==== mien.models.onnx
# A model that runs: raw faces in, shares and votes out.

#: Faces in one run of a session: more were no faster in measurement, and memory stays flat for any number.
MAX_BATCH = 16


class Outputs(NamedTuple):
    """``shares`` is float32 ``(N, labels)``; ``votes`` float32 ``(N, vote labels)``, or None without that head."""

    scores: NDArray[np.float32]
    votes: NDArray[np.float32] | None


class Classifier(Protocol):
    """What the engine asks of a model."""

    @property
    def card(self) -> ModelCard: ...

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        """Raw faces ``(N, side, side, channels)``, 0 to 255, as the card says; N may be 0."""
        ...


class OnnxClassifier:
    """A model on the CPU. It has no memory: threads may share it.

    ``model`` are the bytes it was loaded from, for those who look inside: the file may be another by then.
    """

    def __init__(self, model: ModelSource, *, threads: int | None = None) -> None:
        raw, self._name = read_model(model), describe_source(model)
        self.model, self.threads = raw, threads
        self.card = extract_card(raw, self._name)
        self._session = open_session(raw, self._name, threads)
        check_input(self._session, self.card, self._name)
        check_heads(self._session, self.card, self._name)
        heads = {"shares": self.card.labels, "votes": self.card.vote_labels}
        self._heads = {head: labels for head, labels in heads.items() if labels}
        # A graph exported for one face at a time still works, only slower.
        self._chunk = 1 if self._session.get_inputs()[0].shape[0] == 1 else MAX_BATCH
        # Two at a time where it may be: graphs that say they take any number and stop at the second do exist.
        faces = min(self._chunk, 2)
        for answer, (head, labels) in zip(
            self._run(make_blank_faces(self.card, faces)), self._heads.items(), strict=True
        ):
            check_output(answer, faces, labels, head, self._name)

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        """Raw faces ``(N, side, side, channels)`` uint8: any number in flat memory; none gives empty outputs."""
        check_faces(faces, self.card)
        chunks = [self._run(faces[start : start + self._chunk]) for start in range(0, len(faces), self._chunk)]
        none = [np.zeros((0, len(labels)), np.float32) for labels in self._heads.values()]
        shares, *votes = (np.concatenate(parts) for parts in zip(none, *chunks, strict=True))
        return Outputs(shares, votes[0] if votes else None)

    def _run(self, faces: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        found = run_session(self._session, tuple(self._heads), faces, self._name)
        return [each.astype(np.float32, copy=False) for each in found]


class IntermediateOutputs:
    """A model opened for looking inside; ``names`` are the tensors it shows."""

    def __init__(self, model: ModelSource, tensors: Iterable[str], *, threads: int | None = None) -> None:
        raw, self._name = read_model(model), describe_source(model)
        self.card = extract_card(raw, self._name)
        self.names = tuple(dict.fromkeys(tensors))
        self._session = open_session(add_outputs(raw, self.names), self._name, threads)

    def run(self, faces: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Every tapped tensor by name, for one batch of raw faces ``(N, side, side, channels)`` uint8."""
        check_faces(faces, self.card)
        return dict(zip(self.names, run_session(self._session, self.names, faces, self._name), strict=True))


def load_classifier(model: ModelSource, *, threads: int | None = None) -> OnnxClassifier:
    """A model by path or bytes, held against its card and run once; ModelError says what does not fit."""
    return OnnxClassifier(model, threads=threads)


def open_intermediate_outputs(
    model: ModelSource, tensors: Iterable[str], *, threads: int | None = None
) -> IntermediateOutputs:
    """A second session with inner tensors as outputs; the reading session has none, for they can block fusion."""
    return IntermediateOutputs(model, tensors, threads=threads)
