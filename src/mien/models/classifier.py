"""The classifier: an ONNX model that computes scores and votes from face crops.

When a model is loaded, its graph is checked against its card and run once, so that no output is mislabelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import ArrayError, CardError, ModelError
from mien.models.card import ModelCard, extract_card
from mien.models.decision import PRIORS, assume_even_prior, check_prior, divide_by_prior
from mien.models.onnx_file import ModelSource, add_outputs, damaged_file_error, describe_source, read_model
from mien.onnx_session import OnnxSession, SessionError

#: The names of the outputs in model files.
SCORES_OUTPUT, VOTES_OUTPUT, LABEL_OUTPUT = "scores", "votes", "label"

#: Faces in one run of a session: larger batches were not faster in measurements, and memory does not grow.
MAX_BATCH = 16

#: Seconds after which the first run of a model is ended: a graph may have an endless loop.
FIRST_RUN_SECONDS = 30.0

#: The largest difference of a row's sum from 1: an int8 graph rounds each value.
_SUM_TOLERANCE = 0.05

#: The types of outputs; they are converted to float32.
_FLOAT_TYPES = ("tensor(float)", "tensor(float16)", "tensor(double)")

_REMEDY = "Export the model again with 'mien export', or write a card that fits with mien.models.write_card"


class Outputs(NamedTuple):
    """``scores`` are float32 ``(N, labels)``; ``votes`` float32 ``(N, vote labels)``, or None without that head.

    ``label_scores`` are the scores of the target ``label``, float32 ``(N, labels)``; None if the model has one target.
    """

    scores: NDArray[np.float32]
    votes: NDArray[np.float32] | None
    label_scores: NDArray[np.float32] | None = None

    def rows(self, start: int, end: int) -> Outputs:
        """The outputs of some of the faces."""
        votes, label_scores = (None if values is None else values[start:end] for values in self[1:])
        return Outputs(self.scores[start:end], votes, label_scores)

    def target_scores(self, target: str) -> NDArray[np.float32]:
        """The scores of the target ``people`` or ``label``."""
        return self.label_scores if target == "label" and self.label_scores is not None else self.scores


class Classifier(Protocol):
    """What the engine needs of a model. It may be called from several threads at once."""

    @property
    def card(self) -> ModelCard: ...

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        """Scores and votes of face crops ``(N, side, side, channels)`` uint8, as the card says; N may be 0."""
        ...


class OnnxClassifier:
    """A model that runs on the CPU with ONNX Runtime. It has no state; threads may share it.

    ``model`` are the bytes that it was loaded from: the file may have changed since.
    """

    def __init__(self, model: ModelSource, *, threads: int | None = None, prior: str = PRIORS[0]) -> None:
        self.model, self.threads, self._name = read_model(model), threads, describe_source(model)
        self.card = extract_card(self.model, self._name)
        if prior == "even":
            self.card = assume_even_prior(self.card)
        self._session = _open_session(self.model, self._name, threads)
        _check_input(self._session, self.card, self._name)
        _check_outputs(self._session, self.card, self._name)
        self._outputs = output_labels(self.card)
        # A graph that was exported for one face at a time works too, only more slowly.
        self._batch_size = 1 if self._session.inputs[0].shape[0] == 1 else MAX_BATCH
        # Two faces if possible: there are graphs that declare any number of faces and fail for two.
        count = min(self._batch_size, 2)
        black = np.zeros((count, self.card.side, self.card.side, self.card.channels), np.uint8)
        for values, (output, labels) in zip(
            self._run_batch(black, FIRST_RUN_SECONDS), self._outputs.items(), strict=True
        ):
            _check_values(values, count, labels, output, self._name)

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        """Scores and votes of face crops ``(N, side, side, channels)`` uint8 in batches; no face has empty outputs."""
        _check_faces(faces, self.card)
        size = self._batch_size
        batches = [self._run_batch(faces[start : start + size]) for start in range(0, len(faces), size)]
        empty = [np.zeros((0, len(labels)), np.float32) for labels in self._outputs.values()]
        values = dict(zip(self._outputs, map(np.concatenate, zip(empty, *batches, strict=True)), strict=True))
        return name_outputs(self.card, values)

    def _run_batch(self, faces: NDArray[np.uint8], time_limit: float | None = None) -> list[NDArray[np.float32]]:
        outputs = _run_session(self._session, tuple(self._outputs), faces, self._name, time_limit)
        return [output.astype(np.float32, copy=False) for output in outputs]


def output_labels(card: ModelCard) -> dict[str, tuple[str, ...]]:
    """The names of the outputs of a model with this card, and the labels of their columns."""
    label_target = card.labels if card.decision else ()
    columns = {SCORES_OUTPUT: card.labels, VOTES_OUTPUT: card.vote_labels, LABEL_OUTPUT: label_target}
    return {output: labels for output, labels in columns.items() if labels}


def name_outputs(card: ModelCard, values: Mapping[str, NDArray[np.float32]]) -> Outputs:
    """The outputs of the graph by their names as a value, with the prior of the card."""
    scores, label_scores = values[SCORES_OUTPUT], values.get(LABEL_OUTPUT)
    if card.decision.get("even"):
        scores = divide_by_prior(scores, card.labels, card.decision["prior"])
        if label_scores is not None:
            label_scores = divide_by_prior(label_scores, card.labels, card.decision["label_prior"])
    return Outputs(scores, values.get(VOTES_OUTPUT), label_scores)


class IntermediateOutputs:
    """A session whose outputs are tensors inside the graph; ``names`` are their names, each once.

    Use it beside the classifier: further outputs can prevent ONNX Runtime from fusing operations.
    """

    def __init__(self, model: ModelSource, tensors: Iterable[str], *, threads: int | None = None) -> None:
        raw, self._name = read_model(model), describe_source(model)
        self.card = extract_card(raw, self._name)
        self.names = tuple(dict.fromkeys(tensors))
        self._session = _open_session(add_outputs(raw, self.names), self._name, threads)

    def run(self, faces: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The tensors by name for one batch of face crops ``(N, side, side, channels)`` uint8."""
        _check_faces(faces, self.card)
        return dict(zip(self.names, _run_session(self._session, self.names, faces, self._name), strict=True))


def load_classifier(model: ModelSource, *, threads: int | None = None, prior: str = PRIORS[0]) -> OnnxClassifier:
    """Load a model by path or bytes, check it against its card and run it once; ModelError if it does not fit.

    ``threads`` is the number of cores that one run uses; ``prior`` is one of PRIORS.
    """
    return OnnxClassifier(model, threads=threads, prior=check_prior(prior))


# Sessions of ONNX Runtime


def _open_session(model: bytes, name: str, threads: int | None) -> OnnxSession:
    """A session on the CPU that several threads may run at once."""
    if threads is not None and threads < 1:
        raise ModelError(f"The number of threads is {threads}", "Expected 1 or more", "Leave the number out")
    try:
        return OnnxSession(model, threads)
    except SessionError as error:
        raise damaged_file_error(name, f"ONNX Runtime says: {error}") from error


def _run_session(
    session: OnnxSession, outputs: Sequence[str], faces: NDArray[np.uint8], name: str, time_limit: float | None = None
) -> list[NDArray[Any]]:
    """The outputs for a batch of face crops; the input of the graph is uint8 or float32."""
    feed = faces if session.inputs[0].type == "tensor(uint8)" else faces.astype(np.float32)
    try:
        return session.run(outputs, feed, time_limit=time_limit)
    except SessionError as error:
        happened = f"{name} failed while running: {error}"
        raise ModelError(happened, "Expected a graph that runs on the CPU", "Export the model again") from error


# Checks of the graph against the card


def _check_input(session: Any, card: ModelCard, name: str) -> None:
    """One input, uint8 or float32, for any number of faces (or one) of the card's side and colour."""
    inputs = session.inputs
    if len(inputs) != 1 or inputs[0].type not in ("tensor(float)", "tensor(uint8)"):
        actual = ", ".join(f"{tensor.name} {tensor.type}" for tensor in inputs) or "no input"
        raise CardError(f"{name} has {actual}", "Expected one input of raw pixels, float32 or uint8", _REMEDY)
    shape, expected = inputs[0].shape, (1, card.side, card.side, card.channels)
    # Free dimensions are text or None; only numbers can differ.
    fits = len(shape) == len(expected) and all(
        not isinstance(size, int) or size == expected_size for size, expected_size in zip(shape, expected, strict=True)
    )
    if not fits:
        happened = f"{name} takes faces of shape {_format_shape(shape)}"
        sides = ", ".join(map(str, expected[1:]))
        raise CardError(happened, f"Expected (N, {sides}), as its card has {card.side} pixels, {card.color}", _REMEDY)


def _check_outputs(session: Any, card: ModelCard, name: str) -> None:
    """An output for the scores, and one for the votes if and only if the card has labels for them; both with floats."""
    types = {tensor.name: tensor.type for tensor in session.outputs}
    if SCORES_OUTPUT not in types:
        expected = f"Expected an output named {SCORES_OUTPUT}"
        raise CardError(f"{name} has the outputs {', '.join(types)}", expected, _REMEDY)
    if (VOTES_OUTPUT in types) != bool(card.vote_labels):
        has_output = VOTES_OUTPUT in types
        actual = "an output votes, but no labels for it" if has_output else "labels for votes, but no such output"
        raise CardError(f"{name} has {actual}", "Expected both or neither", _REMEDY)
    if (LABEL_OUTPUT in types) != bool(card.decision):
        has_output = LABEL_OUTPUT in types
        actual = "an output label, but no decision" if has_output else "a decision, but no output label"
        raise CardError(f"{name} has {actual}", "Expected both or neither", _REMEDY)
    for output in {SCORES_OUTPUT, VOTES_OUTPUT, LABEL_OUTPUT} & set(types):
        if types[output] not in _FLOAT_TYPES:
            raise CardError(f"The output {output} of {name} is {types[output]}", "Expected a tensor of floats", _REMEDY)


def _check_values(values: NDArray[Any], count: int, labels: tuple[str, ...], output: str, name: str) -> None:
    """For each face a row of probabilities as wide as the labels: between 0 and 1, with the sum 1."""
    expected = (count, len(labels))
    if values.shape != expected:
        faces = "1 face" if count == 1 else f"{count} faces"
        happened = f"The output {output} of {name} has shape {_format_shape(values.shape)} for {faces}"
        raise CardError(happened, f"Expected {expected}: the card has {len(labels)} labels", _REMEDY)
    if not (np.all(values > -_SUM_TOLERANCE) and np.all(abs(values.sum(axis=1) - 1) < _SUM_TOLERANCE)):
        bounds = "Expected numbers from 0 to 1 with the sum 1: the softmax belongs inside the graph"
        raise CardError(f"The output {output} of {name} has no probabilities", bounds, _REMEDY)


def _check_faces(faces: NDArray[np.uint8], card: ModelCard) -> None:
    """uint8 face crops of the card's side and colour."""
    sides = (card.side, card.side, card.channels)
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1:] != sides:
        happened = f"The model received {faces.dtype} of shape {_format_shape(faces.shape)}"
        expected = f"Expected uint8 of shape (N, {', '.join(map(str, sides))}), raw pixels from 0 to 255"
        raise ArrayError(happened, expected, "mien.faces.crop.to_model_input converts crops")


def _format_shape(shape: Sequence[Any]) -> str:
    return f"({', '.join(str(size) if isinstance(size, int) else 'N' for size in shape)})"
