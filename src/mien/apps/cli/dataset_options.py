"""Options and errors that the commands on data sets share: SRC, --label-map, missing extras, unwritable output."""

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
_PACKAGES = {
    "matplotlib": "lab",
    "sklearn": "lab",
    "pandas": "lab",
    "onnx": "lab",
    "filelock": "lab",
    "tomli_w": "lab",
} | dict.fromkeys(("keras", "tensorflow", "tf2onnx", "optuna"), "train")
#: The backends of Keras; mien.training, which knows more of them, needs Keras itself.
BACKENDS = ("tensorflow", "torch", "jax")


def source_options(command: Command) -> Command:
    """The argument SRC and the option --label-map."""
    return click.argument("src")(label_map_option(command))


def label_map_option(command: Command) -> Command:
    """The option --label-map."""
    return click.option(
        "--label-map",
        multiple=True,
        metavar="NAME=LABEL",
        help="Label of a folder name or number, as 1=surprise; NAME= excludes it. May be repeated.",
    )(command)


def load_with_progress(src: str, label_map: tuple[str, ...]) -> LoadedDataset:
    """The faces at SRC, with a progress bar."""
    labels = parse_label_map(label_map)
    with convert_import_errors(), ProgressBar() as bar:
        from mien.datasets import loading

        return loading.load_dataset(src, labels=labels, progress=bar.update)


def parse_label_map(label_map: tuple[str, ...]) -> dict[str, str]:
    """The values of ``--label-map`` as a dictionary."""
    return dict(_parse_pair(each) for each in label_map)


def _parse_pair(text: str) -> tuple[str, str]:
    from mien.errors import suggest_name
    from mien.labels import EMOTIONS, normalize_label

    theirs, equals, ours = text.partition("=")
    if not equals:
        raise click.BadParameter(f"'{text}' has no '='; it should look like 1=surprise", param_hint="--label-map")
    if ours and normalize_label(ours) not in EMOTIONS:
        hint = suggest_name(normalize_label(ours), EMOTIONS) or f"There are {', '.join(EMOTIONS)}."
        raise click.BadParameter(f"no label '{ours}'. {hint}", param_hint="--label-map")
    return theirs, ours


@contextmanager
def convert_import_errors() -> Iterator[None]:
    """Convert the import error of a missing extra or Keras backend into an error that names the install command."""
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name in (*BACKENDS[1:], "openvino"):
            raise _missing_backend(os.environ.get("KERAS_BACKEND") or name) from None
        if name not in _PACKAGES:
            raise
        extra = _PACKAGES[name]
        happened = f"{missing.name} is not installed"
        raise MissingExtra(happened, f"This needs the extra '{extra}'", install_command(extra)) from None
    except ValueError as error:
        message, _, backend = str(error).partition(" : ")
        if message != "Unable to import backend":  # Keras's own message
            raise
        raise _missing_backend(backend) from None


def _missing_backend(backend: str) -> ExperimentError:
    """The error for a Keras backend that is unknown or not installed."""
    expected = f"training runs on {', '.join(BACKENDS)}"
    if backend in BACKENDS:
        remedy = f"{INSTALL.format(what=backend)}, or set KERAS_BACKEND={BACKENDS[0]}"
        return ExperimentError(f"Keras is to run on {backend}, which is not installed", expected, remedy)
    remedy = suggest_name(backend, BACKENDS) or f"Set KERAS_BACKEND={BACKENDS[0]}"
    return ExperimentError(f"Keras is to run on '{backend}'", expected, remedy)


@contextmanager
def convert_output_errors(path: Path) -> Iterator[None]:
    """Convert an OSError into an OutputError that names the folder or file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"'{path}' could not be written: {reason}",
            "a writable path with enough space was expected",
            "Free some space, or name another path",
        ) from error
