"""Options that several commands share: which model and which detector, with shell completion; how both are loaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import escape_controls, is_terminal, print_line, print_note
from mien.errors import DetectorError, MienError, ModelMissing

if TYPE_CHECKING:  # the engine imports NumPy and ONNX Runtime, which `--help` does without
    from click.shell_completion import CompletionItem

    from mien.apps.session.engines import EngineLoader
    from mien.engine import Engine


def complete_detectors(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from mien.faces.detectors import detector_names

    return [CompletionItem(name) for name in detector_names() if name.startswith(incomplete)]


def complete_models(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the models; files where no name fits, because an .onnx file can be named too."""
    from click.shell_completion import CompletionItem

    from mien.models import available_models

    try:
        names = [CompletionItem(name) for name in available_models() if name.startswith(incomplete)]
    except MienError:  # an error message does not belong in the middle of a command line
        names = []
    return names or [CompletionItem(incomplete, type="file")]


DETECTOR_OPTION = click.option(
    "--detector",
    default="auto",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="haar, yunet, none (the whole image is one face), or auto: yunet if it is installed, else haar.",
)


def _make_model_option(kinds: str) -> Callable[[Any], Any]:
    return click.option(
        "--model",
        default="base",
        metavar="NAME",
        shell_complete=complete_models,
        help=f"A model from 'mien models', {kinds}. Default: base.",
    )


MODEL_OPTION = _make_model_option("or an .onnx file")

#: For the commands that also take what a training leaves behind.
MODEL_OR_RUN_OPTION = _make_model_option("an .onnx, .keras or .h5 file, or the folder of a training run")

#: For Keras files that mien did not write: they carry neither labels nor input scale.
LABELS_OPTION = click.option(
    "--labels", metavar="A,B,...", help="For a Keras file without a card: its labels, in the order of its outputs."
)
SCALE_OPTION = click.option(
    "--scale", type=click.Choice(["0-1", "0-255", "-1-1"]), help="For a Keras file without a card: its input range."
)

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


def is_keras_file(model: str) -> bool:
    return Path(model).suffix.lower() in KERAS_SUFFIXES


def load_engine(*, model: str, detector: str) -> Engine:
    """The engine for a model name or file; a Keras file is converted to ONNX first."""
    from mien.engine import Engine

    return Engine.load(model=convert_keras_model(model), detector=detector)


def open_engine(
    context: click.Context, model: str, detector: str, labels: str | None = None, scale: str | None = None
) -> Engine:
    """The engine that a command's options name; an unknown model or detector is a usage error."""
    load: EngineLoader = context.obj  # the loader of the command line; tests pass their own
    try:
        return load(model=convert_keras_model(model, labels, scale), detector=detector)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(escape_controls(str(error)), context) from error


def locate_model(context: click.Context, model: str, labels: str | None = None, scale: str | None = None) -> Path:
    """The model's ONNX file; a Keras file is converted first, and an unknown name is a usage error."""
    from mien.models import resolve_model

    if not is_keras_file(model):
        reject_keras_options(context, labels, scale)
    try:
        return resolve_model(convert_keras_model(model, labels, scale))
    except ModelMissing as error:
        raise click.UsageError(str(error), context) from error


def locate_models(context: click.Context, models: Sequence[str], labels: str | None, scale: str | None) -> list[Path]:
    """The ONNX files of several models; ``labels`` and ``scale`` apply to the Keras files without a card among them."""
    if models and not any(map(is_keras_file, models)):
        reject_keras_options(context, labels, scale)
    options = [(None, None) if _has_card(model) else (labels, scale) for model in models]
    return [locate_model(context, model, *option) for model, option in zip(models, options, strict=True)]


def _has_card(model: str) -> bool:
    if not is_keras_file(model):
        return True
    from mien.export.keras_import import read_card

    return read_card(Path(model)) is not None


def reject_keras_options(context: click.Context, labels: str | None, scale: str | None) -> None:
    if labels or scale:
        raise click.UsageError("--labels and --scale are for Keras files; an .onnx file contains both.", context)


def convert_keras_model(model: str, labels: str | None = None, scale: str | None = None) -> str:
    """The path of the ONNX file made from a Keras file, made once and stored in mien's cache; other models as named."""
    if not is_keras_file(model):
        return model
    from mien.apps.cli.dataset_options import convert_import_errors

    names = [name.strip() for name in (labels or "").split(",") if name.strip()]
    with convert_import_errors():
        from mien.export.keras_import import convert_to_onnx

        if is_terminal(sys.stderr):
            print_note(f"'{escape_controls(model)}' is a Keras file: converting it to ONNX, once ...")
        return str(convert_to_onnx(Path(model), labels=names, scale=scale or ""))


#: From this many seconds on, a run is one that YuNet would have made much shorter.
SLOW_RUN_SECONDS = 1.0


def suggest_yunet(seconds: float) -> None:
    """Recommend the faster detector after the first slow run; an empty file in mien's cache marks it as done."""
    from mien.models import cache_folder

    marker = cache_folder() / "hint-yunet"
    if seconds < SLOW_RUN_SECONDS or os.path.lexists(marker):
        return
    print_note("Faces were detected with haar. 'mien models pull yunet' downloads a faster and better detector, once.")
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError:
        pass  # a folder that is not writable costs a repeated hint and nothing else


def announce_server(url: str) -> None:
    """Print the address of a server that runs until it is stopped."""
    print_line(f"mien answers at {url}")
    if is_terminal(sys.stderr):
        print_note("Ctrl-C stops it.")
