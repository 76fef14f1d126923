"""What is asked about a face: which expression, against which, and by which method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mien.errors import MienError, nearest

#: What can be asked for on any install; the first is what is shown when neither the caller nor the card says otherwise.
METHODS = ("cam", "occlusion", "rise")

#: Whichever the audit in the model's card found to be the first that holds.
AUTO = "auto"

#: Those that need gradients, and so Keras; they live in the laboratory.
GRADIENTS = ("grad-cam", "layer-cam", "integrated-gradients", "smoothgrad")


class Question(NamedTuple):
    """Evidence for the label at ``target``, against the one at ``versus`` (None: against all the others)."""

    target: int
    versus: int | None = None
    seed: int = 0


def question_of(labels: Sequence[str], target: str, versus: str | None, seed: int) -> Question:
    """The question in a model's own labels; words it does not know are refused."""
    goal = _place(target, labels)
    rival = None if versus is None else _place(versus, labels)
    if rival == goal:
        happened = f"'{versus}' was to be held against itself"
        raise MienError(happened, "Expected two different expressions", "Name another one to hold it against")
    return Question(goal, rival, seed)


def methods_of(methods: str | Sequence[str], default: str = METHODS[0]) -> tuple[str, ...]:
    """The methods by name, each once; in one string they stand with commas between. ``auto`` is the default."""
    given = [each.strip() for each in methods.split(",")] if isinstance(methods, str) else list(methods)
    named = [default if name == AUTO else name for name in given]
    for name in named:
        _refuse_unknown(name)
    return tuple(dict.fromkeys(named))


def _place(word: str, labels: Sequence[str]) -> int:
    if word not in labels:
        hint = nearest(word, labels) or "Choose one of these"
        happened = f"The model does not know the expression '{word}'"
        raise MienError(happened, f"It knows {', '.join(labels)}", hint)
    return list(labels).index(word)


def _refuse_unknown(name: str) -> None:
    known = f"There are {', '.join(METHODS)}"
    if name in GRADIENTS:
        happened = f"The method '{name}' needs gradients, which an ONNX file does not give"
        raise MienError(happened, known, "For Keras files mien.lab.gradients has it")
    if name not in METHODS:
        raise MienError(f"There is no method '{name}'", known, nearest(name, METHODS) or "Choose one of these")
