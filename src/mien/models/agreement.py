"""Does a graph do what its card says? Asked once, when a model is loaded, so that no reading is ever mislabelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import ArrayError, CardError
from mien.models.card import ModelCard

_MEND = "Export the model again with mien's lab, or write a card that fits with mien.models.write_card"

#: How far shares may be from 1 in all: an int8 graph rounds each of them.
_SLACK = 0.05


#: What shares may be told in; they come out as float32.
_NUMBERS = ("tensor(float)", "tensor(float16)", "tensor(double)")


class Session(Protocol):
    """What is asked of an ONNX Runtime session."""

    def get_inputs(self) -> Sequence[Any]: ...
    def get_outputs(self) -> Sequence[Any]: ...


def check_input(session: Session, card: ModelCard, name: str) -> None:
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


def check_heads(session: Session, card: ModelCard, name: str) -> None:
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


def check_answer(answer: NDArray[Any], faces: int, labels: tuple[str, ...], head: str, name: str) -> None:
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
        raise ArrayError(happened, wanted, "mien.faces.crop.as_input makes it from any crops")


def blank(card: ModelCard, faces: int) -> NDArray[np.uint8]:
    """So many black faces, to see how a model answers."""
    return np.zeros((faces, card.side, card.side, card.channels), np.uint8)


def _fits(shape: Sequence[Any], expected: Sequence[int]) -> bool:
    # Free dimensions are words or None; only a number can disagree.
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(not isinstance(has, int) or has == wants for has, wants in pairs)


def _shape(shape: Sequence[Any]) -> str:
    return f"({', '.join(str(each) if isinstance(each, int) else 'N' for each in shape)})"
