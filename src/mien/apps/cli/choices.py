"""Options that several commands share, and names for the shell to complete; looked up only when it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mien.errors import MienError

if TYPE_CHECKING:  # for the shell alone, and slow enough to be felt in --help
    from click.shell_completion import CompletionItem


def complete_detectors(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from mien.faces import detector_names

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
