"""``mien data sample``: draw faces in FER2013's shapes, to try everything without FER2013."""

from __future__ import annotations

from pathlib import Path

import click

from mien.apps.cli.data_source import extras, writing
from mien.apps.cli.output import printable, say
from mien.errors import OutputError

EPILOG = """\b
Examples:
  mien data sample drawn
  mien data sample more --faces 700 --seed 7 --folders --npz
"""


@click.command(epilog=EPILOG)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--faces", default=7000, show_default=True, type=click.IntRange(7, 1_000_000), help="How many to draw.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Other seeds draw other faces.")
@click.option("--folders", is_flag=True, help="Also as pictures: train/angry/..., validation/..., test/...")
@click.option("--npz", is_flag=True, help="Also as arrays: fer2013.npz.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def sample(out: Path, faces: int, seed: int, folders: bool, npz: bool, force: bool) -> None:
    """Draw faces to try training on.

    They go into the folder OUT, as fer2013.csv with the votes of FER+ beside it. Nobody is in them: brows, eyes and
    mouths follow the expression, everything else is chance. A small network learns to read them within a minute, and
    learns nothing about real faces.
    """
    with extras():
        from mien.lab import pencil
    taken = [path for path in pencil.files(out, folders=folders, npz=npz) if path.exists()]
    if taken and not force:
        raise OutputError(f"'{taken[0]}' is there already", "drawn faces need a new folder", "name another, or --force")
    with writing(out):
        written = pencil.write(out, faces, seed, folders=folders, npz=npz)
    say(printable(f"{faces:,} faces drawn in {out}: {', '.join(path.name for path in written)}"))
