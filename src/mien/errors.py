"""The exceptions of mien, one family.

::

    MienError
    ├── SourceError          an image or video that cannot be read
    │   ├── SourceMissing    the file does not exist or may not be opened
    │   ├── SourceUnreadable the content is not an image that can be decoded (empty, damaged, another format)
    │   └── SourceTooLarge   more pixels than the limit
    ├── ArrayError           an array of the wrong shape, dtype or content
    ├── DetectorError        a face detector that is unknown, not installed or defective
    ├── ModelError           a model file that cannot be used
    │   ├── ModelMissing     no such model, or its file does not exist
    │   ├── ModelDamaged     truncated, changed, or not ONNX
    │   ├── CardError        an ONNX file without a card, or with a card that does not fit
    │   ├── HeadMissing      the model does not have the requested output
    │   └── PriorError       no such prior, or a model without the class frequencies that it needs
    ├── FetchError           a download that failed or was incomplete
    ├── OutputError          a result that could not be written
    ├── MissingExtra         an optional part of mien that is not installed
    └── ExperimentError      data, a recipe, a training run, an evaluation or an export that cannot continue

Every message has three parts: what happened, what was expected, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches

#: How mien is installed while it is not on the package index.
INSTALL = 'pip install "{what}"'
CHECKOUT = "."


def install_command(extra: str = "") -> str:
    """The command that installs mien, with an extra if one is named: ``pip install ".[train]"``."""
    return INSTALL.format(what=f"{CHECKOUT}[{extra}]" if extra else CHECKOUT)


class MienError(Exception):
    """Base class of mien's exceptions. ``str(error)`` is the whole message; its three parts are attributes."""

    def __init__(self, happened: str, expected: str = "", remedy: str = "") -> None:
        self.happened = happened
        self.expected = expected
        self.remedy = remedy
        super().__init__(happened, expected, remedy)

    def __str__(self) -> str:
        # ``happened`` may begin with a file name, whose case must not change.
        parts = (self.happened, _capitalize(self.expected), _capitalize(self.remedy))
        return " ".join(_end_sentence(part) for part in parts if part)


class SourceError(MienError):
    """An image or video that cannot be read."""


class SourceMissing(SourceError):
    """The file does not exist or may not be opened."""


class SourceUnreadable(SourceError):
    """The content is not an image that can be decoded."""


class SourceTooLarge(SourceError):
    """The image has more pixels than the limit; it was rejected before decoding."""


class ArrayError(MienError):
    """An array of the wrong shape, dtype or content."""


class DetectorError(MienError):
    """A face detector that is unknown, not installed or defective."""


class ModelError(MienError):
    """A model file that cannot be used."""


class ModelMissing(ModelError):
    """No such model, or its file does not exist."""


class ModelDamaged(ModelError):
    """The file is truncated, was changed, or is not ONNX."""


class CardError(ModelError):
    """The ONNX file has no card, or a card that does not fit the graph or this version."""


class HeadMissing(ModelError):
    """The model does not have the requested output."""


class PriorError(ModelError):
    """No such prior, or a model without the class frequencies that it needs."""


class FetchError(MienError):
    """A download that failed or was incomplete."""


class OutputError(MienError):
    """A result that could not be written."""


class MissingExtra(MienError):
    """An optional part of mien that is not installed."""


class ExperimentError(MienError):
    """Data, a recipe, a training run, an evaluation or an export that cannot continue."""


def suggest_name(name: str, names: Iterable[str]) -> str:
    """``Did you mean 'yunet'?`` for the most similar of ``names``; empty if none is similar."""
    matches = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"Did you mean '{matches[0]}'?" if matches else ""


def _capitalize(part: str) -> str:
    # Commands keep their case.
    return part if part.startswith(("mien ", "pip ")) else part[:1].upper() + part[1:]


def _end_sentence(part: str) -> str:
    part = part.strip()
    return part if part.endswith((".", "?", "!")) else part + "."
