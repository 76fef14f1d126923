"""``mien data augment-preview``: one face under everything that training does to faces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.data_source import extras, writing
from mien.apps.cli.output import printable, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EPILOG = """\b
Examples:
  mien data augment-preview -o augmented.png
  mien data augment-preview photo.jpg -o mine.png --seed 3 --recipe basic
"""


@click.command("augment-preview", epilog=EPILOG)
@click.argument("face", required=False)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The sheet, a .png file."
)
@click.option("--recipe", metavar="RECIPE", help="A file or a name: its augmentation is shown, else the usual one.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Other seeds show other chances.")
def augment_preview(face: str | None, out: Path, recipe: str | None, seed: int) -> None:
    """Show what augmentation does to a face.

    Each transformation has a row, all of them together have the last. FACE is a picture; without it a face is drawn.
    Needs the extra 'train'.
    """
    if out.suffix.lower() != ".png":
        raise click.BadParameter(f"'{out}' does not end in .png", param_hint="--out")
    with extras():
        from mien import plots
        from mien.lab import shelf
        from mien.lab.recipe import Augment

        settings = shelf.recipe(recipe).augment if recipe else Augment()
        pixels = _given(face) if face else _drawn(seed)
        with _hushed():
            from mien.lab import preview

            shown = preview.rows(pixels, settings, seed)
    sheet = plots.png(preview.figure(pixels, shown))
    with writing(out):
        out.write_bytes(sheet)
    say(printable(str(out)))


@contextmanager
def _hushed() -> Iterator[None]:
    """TensorFlow's native code tells stderr what processor this is; nobody asked. Exceptions are heard as ever."""
    heard, nobody = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, 2)
    try:
        yield
    finally:
        os.dup2(heard, 2)
        os.close(heard)
        os.close(nobody)


def _given(face: str) -> NDArray[np.uint8]:
    """The largest face in a picture, gray (48, 48); the whole picture where none is found."""
    from mien import media
    from mien.faces import load_detector
    from mien.faces.crop import FRAMINGS, as_input, cut

    pixels = media.picture(face).pixels
    found = load_detector("haar").detect(pixels)
    crop = cut(pixels, found[0], FRAMINGS["haar"], 48) if found else pixels
    return as_input(crop[None], 48, "gray")[0, ..., 0]


def _drawn(seed: int) -> NDArray[np.uint8]:
    from mien.lab import drawn

    happy: NDArray[np.uint8] = drawn.faces(4, seed).pixels[3]
    return happy
