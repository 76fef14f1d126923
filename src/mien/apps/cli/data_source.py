"""What the data commands share: reading SRC with a bar, its label map, and a sentence where the lab is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mien.apps.cli.bar import Bar
from mien.errors import MissingExtra, OutputError, install_command

if TYPE_CHECKING:
    from mien.lab.sources import Source

Command = TypeVar("Command", bound=Callable[..., Any])

#: Packages of the extras, by the name they are imported under.
_PACKAGES = {"matplotlib": "lab", "sklearn": "lab", "pandas": "lab", "onnx": "lab"} | dict.fromkeys(
    ("keras", "tensorflow", "tf2onnx", "optuna"), "train"
)


def source_options(command: Command) -> Command:
    """SRC and how its words are to be understood."""
    command = click.option("--map", "mapped", multiple=True, metavar="WORD=LABEL", help=_MAP)(command)
    return click.argument("src")(command)


_MAP = "What a folder or number means here, as 1=surprise; WORD= leaves it out. May be given again."


def read(src: str, mapped: tuple[str, ...]) -> Source:
    """The faces at SRC, with a bar while it takes a while."""
    labels = dict(_pair(each) for each in mapped)
    with extras(), Bar() as bar:
        from mien.lab import sources

        return sources.read(src, labels=labels, progress=bar.update)


def _pair(word: str) -> tuple[str, str]:
    from mien.errors import nearest
    from mien.labels import EMOTIONS, canonical

    theirs, equals, ours = word.partition("=")
    if not equals:
        raise click.BadParameter(f"'{word}' has no '='; it should look like 1=surprise", param_hint="--map")
    if ours and canonical(ours) not in EMOTIONS:
        hint = nearest(canonical(ours), EMOTIONS) or f"There are {', '.join(EMOTIONS)}."
        raise click.BadParameter(f"no label '{ours}'. {hint}", param_hint="--map")
    return theirs, ours


@contextmanager
def extras() -> Iterator[None]:
    """Inside, a package of an extra that is missing becomes the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as missing:
        extra = _PACKAGES.get((missing.name or "").partition(".")[0])
        if extra is None:
            raise
        happened = f"{missing.name} is not installed"
        raise MissingExtra(happened, f"This needs the extra '{extra}'", install_command(extra)) from None


@contextmanager
def writing(place: Path) -> Iterator[None]:
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
