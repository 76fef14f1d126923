"""What the data commands share: reading SRC with a bar, its label map, and a sentence where the lab is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mien.apps.cli.console import ProgressBar
from mien.errors import INSTALL, ExperimentError, MissingExtra, OutputError, install_command, suggest_name

if TYPE_CHECKING:
    from mien.datasets.dataset import LoadedDataset

Command = TypeVar("Command", bound=Callable[..., Any])

#: Packages of the extras, by the name they are imported under.
_PACKAGES = {"matplotlib": "lab", "sklearn": "lab", "pandas": "lab", "onnx": "lab", "filelock": "lab"} | dict.fromkeys(
    ("keras", "tensorflow", "tf2onnx", "optuna"), "train"
)
#: What Keras may run on here; the laboratory, which knows more of them, is only there where Keras is.
BACKENDS = ("tensorflow", "torch", "jax")


def source_options(command: Command) -> Command:
    """SRC and how its words are to be understood."""
    return click.argument("src")(label_map_option(command))


def label_map_option(command: Command) -> Command:
    """Other people's words for the expressions."""
    return click.option("--map", "mapped", multiple=True, metavar="WORD=LABEL", help=_MAP)(command)


_MAP = "What a folder or number means here, as 1=surprise; WORD= leaves it out. May be given again."


def load_with_progress(src: str, mapped: tuple[str, ...]) -> LoadedDataset:
    """The faces at SRC, with a bar while it takes a while."""
    labels = parse_label_map(mapped)
    with convert_import_errors(), ProgressBar() as bar:
        from mien.datasets import loading

        return loading.load_dataset(src, labels=labels, progress=bar.update)


def parse_label_map(mapped: tuple[str, ...]) -> dict[str, str]:
    """What ``--map`` says: their word to ours."""
    return dict(_pair(each) for each in mapped)


def _pair(word: str) -> tuple[str, str]:
    from mien.errors import suggest_name
    from mien.labels import EMOTIONS, normalize_label

    theirs, equals, ours = word.partition("=")
    if not equals:
        raise click.BadParameter(f"'{word}' has no '='; it should look like 1=surprise", param_hint="--map")
    if ours and normalize_label(ours) not in EMOTIONS:
        hint = suggest_name(normalize_label(ours), EMOTIONS) or f"There are {', '.join(EMOTIONS)}."
        raise click.BadParameter(f"no label '{ours}'. {hint}", param_hint="--map")
    return theirs, ours


@contextmanager
def convert_import_errors() -> Iterator[None]:
    """Inside, a package of an extra that is missing becomes the command that installs it, as does Keras's backend."""
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name in (*BACKENDS[1:], "openvino"):
            raise _without(os.environ.get("KERAS_BACKEND") or name) from None
        if name not in _PACKAGES:
            raise
        extra = _PACKAGES[name]
        happened = f"{missing.name} is not installed"
        raise MissingExtra(happened, f"This needs the extra '{extra}'", install_command(extra)) from None
    except ValueError as error:
        words, _, backend = str(error).partition(" : ")
        if words != "Unable to import backend":  # Keras's own
            raise
        raise _without(backend) from None


def _without(backend: str) -> ExperimentError:
    """Why Keras cannot begin on this backend."""
    there = f"training runs on {', '.join(BACKENDS)}"
    if backend in BACKENDS:
        remedy = f"{INSTALL.format(what=backend)}, or set KERAS_BACKEND={BACKENDS[0]}"
        return ExperimentError(f"Keras is to run on {backend}, which is not installed", there, remedy)
    remedy = suggest_name(backend, BACKENDS) or f"Set KERAS_BACKEND={BACKENDS[0]}"
    return ExperimentError(f"Keras is to run on '{backend}'", there, remedy)


@contextmanager
def convert_output_errors(place: Path) -> Iterator[None]:
    """Inside, a folder or file that cannot be written is said to be that."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"'{place}' could not be written: {reason}",
            "a place with room that may be written to was expected",
            "Make room, or name another place",
        ) from error
