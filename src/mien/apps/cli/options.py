"""Options that several commands share, and names for the shell to complete; looked up only when it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import on_terminal, printable, remark
from mien.errors import MienError, ModelMissing

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def complete_detectors(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from mien.faces.detectors import detector_names

    return [CompletionItem(name) for name in detector_names() if name.startswith(begun)]


def complete_models(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from mien.models import available

    try:
        names = [CompletionItem(name) for name in available() if name.startswith(begun)]
    except MienError:  # nobody wants a sentence in the middle of a command line
        names = []
    # An .onnx file serves as well, so the shell's own files are offered where no name fits.
    return names or [CompletionItem(begun, type="file")]


#: Who finds the faces.
DETECTOR = click.option(
    "--detector",
    default="auto",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="haar, yunet, none (the picture is the face), or auto: yunet where it is installed, else haar.",
)


def _model(kinds: str) -> Callable[[Any], Any]:
    return click.option(
        "--model",
        default="base",
        metavar="NAME",
        shell_complete=complete_models,
        help=f"A model from 'mien models', {kinds}. Without it: base.",
    )


#: Who reads them.
MODEL = _model("or an .onnx file")

#: The same where what training leaves behind is welcome too.
MODEL_OR_RUN = _model("an .onnx, .keras or .h5 file, or the folder of a training run")


# ==== mien.apps.cli.located
# The model that a word means: a name, an ONNX file, a run's folder, or a Keras file, which becomes ONNX first.

#: What a Keras file ends with; the laboratory, which knows more of them, is only asked about these.
KERAS = (".keras", ".h5", ".hdf5")

#: Another's Keras file does not say these itself.
LABELS = click.option(
    "--labels", metavar="A,B,...", help="Of another's Keras file: its labels, in the order of its outputs."
)
SCALE = click.option(
    "--scale", type=click.Choice(["0-1", "0-255", "-1-1"]), help="Of another's Keras file: the pixels it takes."
)


def located(context: click.Context, model: str, labels: str | None = None, scale: str | None = None) -> Path:
    """The model's ONNX file, made first if it is a Keras file; a name that nobody knows is wrong usage."""
    from mien.models import locate

    try:
        return (
            Path(readable(model, labels, scale)) if is_keras(model) else locate(_plain(context, model, labels, scale))
        )
    except ModelMissing as error:
        raise click.UsageError(str(error), context) from error


def each_located(context: click.Context, models: Sequence[str], labels: str | None, scale: str | None) -> list[Path]:
    """The files of several; ``labels`` and ``scale`` are for the Keras files among them that do not say both."""
    if models and not any(map(is_keras, models)):
        _plain(context, models[0], labels, scale)
    words = [(None, None) if _says_itself(model) else (labels, scale) for model in models]
    return [located(context, model, *word) for model, word in zip(models, words, strict=True)]


def _says_itself(model: str) -> bool:
    if not is_keras(model):
        return True
    from mien.export.keras_import import card_of

    return card_of(Path(model)) is not None


def readable(model: str, labels: str | None = None, scale: str | None = None) -> str:
    """The word itself, or the ONNX file made from a Keras file: once, checked, and kept in mien's cache folder."""
    if not is_keras(model):
        return model
    import sys

    from mien.apps.cli.dataset_options import extras

    words = [word.strip() for word in (labels or "").split(",") if word.strip()]
    with extras():
        from mien.export.keras_import import as_onnx

        if on_terminal(sys.stderr):
            remark(f"'{printable(model)}' is a Keras file: turning it into ONNX, once ...")
        return str(as_onnx(Path(model), labels=words, scale=scale or ""))


def is_keras(model: str) -> bool:
    return Path(model).suffix.lower() in KERAS


def _plain(context: click.Context, model: str, labels: str | None, scale: str | None) -> str:
    if labels or scale:
        raise click.UsageError("--labels and --scale are for Keras files; an .onnx file says both itself.", context)
    return model
