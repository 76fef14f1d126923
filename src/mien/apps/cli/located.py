"""The model that a word means: a name, an ONNX file, a run's folder, or a Keras file, which becomes ONNX first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mien.apps.cli.output import on_terminal, printable, remark
from mien.errors import ModelMissing

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
    from mien.lab.foreign import card_of

    return card_of(Path(model)) is not None


def readable(model: str, labels: str | None = None, scale: str | None = None) -> str:
    """The word itself, or the ONNX file made from a Keras file: once, checked, and kept in mien's cache folder."""
    if not is_keras(model):
        return model
    import sys

    from mien.apps.cli.data_source import extras

    words = [word.strip() for word in (labels or "").split(",") if word.strip()]
    with extras():
        from mien.lab.foreign import as_onnx

        if on_terminal(sys.stderr):
            remark(f"'{printable(model)}' is a Keras file: turning it into ONNX, once ...")
        return str(as_onnx(Path(model), labels=words, scale=scale or ""))


def is_keras(model: str) -> bool:
    return Path(model).suffix.lower() in KERAS


def _plain(context: click.Context, model: str, labels: str | None, scale: str | None) -> str:
    if labels or scale:
        raise click.UsageError("--labels and --scale are for Keras files; an .onnx file says both itself.", context)
    return model
