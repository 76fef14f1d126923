"""What can be expected to fail, as one small family.

::

    MienError
    ├── SourceError          a picture that cannot be read
    │   ├── SourceMissing    nothing there, or not ours to open
    │   ├── SourceUnreadable there, but no picture (empty, damaged, another format)
    │   └── SourceTooLarge   more pixels than the limit allows
    ├── ArrayError           an array of the wrong shape, kind or content
    ├── DetectorError        a face detector that is unknown, missing or broken
    ├── ModelError           a model file
    │   ├── ModelMissing     no such model, or its file is gone
    │   ├── ModelDamaged     cut off, swapped, or not ONNX
    │   ├── CardError        an ONNX file without a card, or with one we cannot follow
    │   └── HeadMissing      the model has no such output
    ├── FetchError           a download that did not arrive whole
    ├── OutputError          a result that could not be written
    ├── MissingExtra         a part of mien that is not installed
    └── LabError             data, recipe or training that cannot go on

Every one of them says three things: what happened, what was expected, and what to do about it.
"""

from collections.abc import Iterable
from difflib import get_close_matches

#: How mien is installed until its name is on the package index; the one place that changes when it is.
INSTALL = 'pip install "{what}"'
CHECKOUT = "."


def install_command(extra: str = "") -> str:
    """The command that installs mien, with an extra if one is named: ``pip install ".[train]"``."""
    return INSTALL.format(what=f"{CHECKOUT}[{extra}]" if extra else CHECKOUT)


class MienError(Exception):
    """A failure that was foreseen. ``str(error)`` is the whole message; its three beats are kept apart beside it."""

    def __init__(self, happened: str, expected: str = "", remedy: str = "") -> None:
        self.happened = happened
        self.expected = expected
        self.remedy = remedy
        super().__init__(happened, expected, remedy)

    def __str__(self) -> str:
        # What happened may begin with the name of a file, which keeps its letters; so does a command.
        beats = (self.happened, _capital(self.expected), _capital(self.remedy))
        return " ".join(_sentence(beat) for beat in beats if beat)


class SourceError(MienError):
    """A picture that cannot be read."""


class SourceMissing(SourceError):
    """Nothing is there, or it may not be opened."""


class SourceUnreadable(SourceError):
    """Something is there, but it is no picture we can decode."""


class SourceTooLarge(SourceError):
    """The picture has more pixels than the limit; it was refused before decoding."""


class ArrayError(MienError):
    """An array of the wrong shape, kind or content."""


class DetectorError(MienError):
    """A face detector that is unknown, missing or broken."""


class ModelError(MienError):
    """Something about a model file."""


class ModelMissing(ModelError):
    """No model of that name, or its file is gone."""


class ModelDamaged(ModelError):
    """The file is cut off, was swapped, or is not ONNX."""


class CardError(ModelError):
    """The ONNX file carries no card, or one this version cannot follow."""


class HeadMissing(ModelError):
    """The model has no such output."""


class FetchError(MienError):
    """A download that did not arrive whole."""


class OutputError(MienError):
    """A result that could not be written."""


class MissingExtra(MienError):
    """A part of mien that is not installed."""


class ExperimentError(MienError):
    """Data, a recipe or a training run that cannot go on."""


def suggest_name(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'yunet'?``, or nothing when no known word is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""


def _capital(beat: str) -> str:
    return beat if beat.startswith(("mien ", "pip ")) else beat[:1].upper() + beat[1:]


def _sentence(beat: str) -> str:
    beat = beat.strip()
    return beat if beat.endswith((".", "?", "!")) else beat + "."
