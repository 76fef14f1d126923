"""What each setting of a recipe may be: numbers between two ends, words out of a few, lists of some length.

What is checked here is refused before any data is read. Whether a network, a file or a class is there is known later,
to whoever looks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mien.errors import LabError, nearest

_LEAVE_OUT = "Leave it out for the usual one"


class Ends(NamedTuple):
    """The least and the most a number may be, both inside; where ``above``, the least itself is outside."""

    low: float
    high: float
    above: bool = False

    def __str__(self) -> str:
        low, high = (f"{end:,.10g}" for end in self[:2])
        return f"above {low}, up to {high}" if self.above else f"from {low} to {high}"

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and (self.low < value or (self.low == value and not self.above))
            and value <= self.high
        )


_SHARE, _STEPS = Ends(0, 1), Ends(0, 100_000)

#: Every number of a recipe, by its dotted name; of a list each of its numbers.
NUMBERS = {
    "data.held_out": Ends(0, 10_000_000),
    "data.folds": Ends(0, 1000),
    "data.fold": Ends(1, 1000),
    "net.width": Ends(1, 1024),
    "net.depth": Ends(1, 50),
    "net.dropout": Ends(0, 0.99),
    "net.views": Ends(1, 4),
    "net.side": Ends(32, 1024),  # below, the well-known networks pool to nothing
    "augment.rotation": Ends(0, 180),
    "augment.scale": Ends(0, 3),
    "augment.shift": Ends(0, 48),
    "augment.contrast": _SHARE,
    "augment.brightness": _SHARE,
    "augment.erase_part": _SHARE,
    "augment.jpeg_part": _SHARE,
    "augment.blur_part": _SHARE,
    "augment.small_part": _SHARE,
    "augment.dark_part": _SHARE,
    "augment.mixup": Ends(0, 100),
    "augment.cutmix": Ends(0, 100),
    "augment.mixup_until": _SHARE,
    "augment.nothing_part": Ends(0, 0.5),
    "loss.smoothing": Ends(0, 0.99),
    "loss.votes": Ends(0, 1000),
    "loss.focal": Ends(0, 20),
    "loss.soft": _SHARE,
    "teach.weight": _SHARE,
    "teach.temperature": Ends(0, 100, above=True),
    "fit.epochs": Ends(1, 100_000),
    "fit.batch": Ends(1, 65_536),
    "fit.rate": Ends(0, 100, above=True),
    "fit.momentum": Ends(0, 0.9999),
    "fit.warmup": _STEPS,
    "fit.patience": Ends(1, 100_000),
    "fit.stop_after": _STEPS,
    "fit.decay": _SHARE,
    "fit.clip": Ends(0, 1_000_000),
    "fit.average": _SHARE,
    "fit.frozen": _STEPS,
    "fit.fine": Ends(0, 100, above=True),
    "fit.devices": Ends(0, 1024),
    "fit.seed": Ends(0, 2**32 - 1),  # what NumPy and Keras take
}

#: Every word that is one of a few.
WORDS = {
    "net.order": ("norm-pool", "pool-norm"),
    "net.color": ("auto", "gray", "rgb"),
    "fit.optimizer": ("sgd", "adam", "adamw"),
    "fit.schedule": ("cosine", "steps", "plateau", "constant"),
    "fit.keep": ("last", "best"),
    "fit.sampling": ("all", "balanced"),
    "fit.precision": ("auto", "float32", "mixed_bfloat16"),
}

#: How long a list may be. A stage of ``net.depth`` halves the picture, and after five of them 44 pixels are one.
LENGTHS = {"net.depth": Ends(1, 5), "data.classes": Ends(1, 100)}
#: Lists of which each entry counts once.
_DISTINCT = ("data.classes",)


def checked(key: str, value: Any) -> Any:
    """The value of that setting; a LabError where it cannot be."""
    if key in NUMBERS and value not in NUMBERS[key]:
        raise LabError(f"The recipe's {key} is {value!r}", f"a number {NUMBERS[key]} was expected", _LEAVE_OUT)
    if key in WORDS and value not in WORDS[key]:
        remedy = nearest(value, WORDS[key]) or _LEAVE_OUT
        raise LabError(f"The recipe's {key} is '{value}'", f"known are {', '.join(WORDS[key])}", remedy)
    return value


def checked_list(key: str, values: Sequence[Any]) -> Sequence[Any]:
    """The values of a setting that is a list, each of them checked already."""
    if key in LENGTHS and len(values) not in LENGTHS[key]:
        happened = f"The recipe's {key} has {len(values)} entries"
        raise LabError(happened, f"a number of them {LENGTHS[key]} was expected", _LEAVE_OUT)
    twice = [value for place, value in enumerate(values) if value in values[:place]]
    if key in _DISTINCT and twice:
        raise LabError(f"The recipe's {key} names '{twice[0]}' twice", "each of them once was expected", "")
    return values


def refuse_misfits(section: str, settings: Any) -> None:
    """A LabError where settings of one section, each of which may be, cannot be together."""
    if section in _TOGETHER:
        _TOGETHER[section](settings)


def _folds(data: Any) -> None:
    if data.folds == 1:
        happened = "The recipe's data.folds is 1, which leaves nothing to learn from"
        raise LabError(happened, "2 or more were expected, or 0 for none", "")
    if data.folds and data.fold > data.folds:
        happened = f"The recipe's data.fold is {data.fold}, and data.folds is {data.folds}"
        raise LabError(happened, f"1 to {data.folds} was expected", "Folds count from 1")


def _parts(augment: Any) -> None:
    total = augment.jpeg_part + augment.blur_part + augment.small_part
    if total > 1 + 1e-9:
        happened = f"The recipe's augment.jpeg_part, blur_part and small_part come to {total:.3g} of each batch"
        raise LabError(happened, "no more than 1 together was expected", "Make one of them smaller")


_TOGETHER: dict[str, Callable[[Any], None]] = {"data": _folds, "augment": _parts}
