"""``mien data check``: what is wrong with labelled faces, by kind, with places and reasons."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import escape_controls, is_terminal, print_line, print_note
from mien.apps.cli.dataset_options import convert_import_errors, load_with_progress, source_options, convert_output_errors
from mien.errors import OutputError
from mien.text import format_percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.datasets.checks import CheckResult, Finding


CHECK_EPILOG = """\b
Examples:
  mien data check faces/fer2013.csv
  mien data check faces --json
  mien data check faces/train --map contempt=

\b
Exit status: 0 when the faces could be read, whatever was found; with --strict 1 when anything was found.
"""

#: So many findings of a kind are shown; --all and --json have the rest.
SHOWN = 3
#: Faces from which on the five-class subset is compared with that of FER2013.
FER2013_OR_SO = 20_000


@click.command(epilog=CHECK_EPILOG)
@source_options
@click.option("--json", "as_json", is_flag=True, help="Counts and all findings as one line of JSON.")
@click.option("--all", "everything", is_flag=True, help="Show every finding, not the first few of each kind.")
@click.option("--strict", is_flag=True, help="Leave with 1 when anything was found.")
@click.pass_context
def check(
    context: click.Context, src: str, mapped: tuple[str, ...], as_json: bool, everything: bool, strict: bool
) -> None:
    """Find what is wrong with faces and labels, and name it.

    Rows and pictures that cannot be read, labels out of range, blank faces, the same or nearly the same picture twice
    and in two splits, one picture with two labels, labels numbered in another order, classes and splits without faces.
    """
    source = load_with_progress(src, mapped)
    with convert_import_errors():
        from mien.datasets.checks import check_dataset as look

        checked = look(source)
    lines = [json.dumps(checked.to_dict(), ensure_ascii=False)] if as_json else _told(checked, everything)
    for line in lines:
        print_line(line)
    context.exit(1 if strict and checked.findings else 0)


def _told(checked: CheckResult, everything: bool) -> Iterator[str]:
    source = checked.source
    yield escape_controls(f"{source.path}: {len(source):,} faces ({source.shape})")
    yield from ("", *_table(checked), "")
    yield from (escape_controls(remark) for remark in (*source.remarks, *_remarks(checked)))
    if not checked.findings:
        yield "Nothing wrong was found."
        return
    for kind, found in checked.kinds().items():
        yield from _kind(kind, found, len(found) if everything else SHOWN)


def _table(checked: CheckResult) -> list[str]:
    splits = checked.to_dict()["splits"]
    labels = list(next(iter(splits.values()), {}))
    rows = [["", *labels, "all"]]
    rows += [
        [usage, *(f"{row[label]:,}" for label in labels), f"{sum(row.values()):,}"] for usage, row in splits.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _remarks(checked: CheckResult) -> Iterator[str]:
    told = checked.to_dict()
    if told["voted"]:
        yield f"FER+ votes were found for {told['voted']:,} faces."
    for usage, count in told["learned_by_heart"].items():
        if count:
            every = sum(told["splits"][usage].values())
            part = format_percent(count / every)
            yield f"{count:,} of {every:,} {usage} faces ({part}) stand in Training too, pixel by pixel."
    if len(checked.source) > FER2013_OR_SO:
        yield from _five(told["five_classes"])


def _five(five: dict[str, Any]) -> Iterator[str]:
    here = f"{five['here']['training']:,} to train and {five['here']['test']:,} to test"
    yield f"Without disgust and fear there are {here}; the folders on Kaggle have 24,176 and 6,043:"
    yield f"  {five['because']}."


def _kind(kind: str, found: list[Finding], shown: int) -> Iterator[str]:
    yield f"\n{kind}: {len(found):,}"
    yield from (escape_controls(f"  {finding.where}: {finding.reason}") for finding in found[:shown])
    if len(found) > shown:
        yield f"  and {len(found) - shown:,} more (--all shows them)"


# ==== mien.apps.cli.data_preview
# ``mien data augment-preview``: one face under everything that training does to faces.

PREVIEW_EPILOG = """\b
Examples:
  mien data augment-preview -o augmented.png
  mien data augment-preview photo.jpg -o mine.png --seed 3 --recipe basic
"""


@click.command("augment-preview", epilog=PREVIEW_EPILOG)
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
    with convert_import_errors():
        from mien import plots
        from mien.training import recipe as shelf
        from mien.training.recipe import AugmentationSettings

        settings = shelf.load_recipe(recipe).augment if recipe else AugmentationSettings()
        pixels = _given(face) if face else _drawn(seed)
        with _hushed():
            from mien.training import augmentation_preview

            shown = augmentation_preview.preview_rows(pixels, settings, seed)
    sheet = plots.render_png(augmentation_preview.plot_preview(pixels, shown))
    with convert_output_errors(out):
        out.write_bytes(sheet)
    print_line(escape_controls(str(out)))


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
    from mien import images
    from mien.faces.crop import FRAMINGS, crop_face, to_model_input
    from mien.faces.detectors import load_detector

    pixels = images.load_image(face).pixels
    found = load_detector("haar").detect(pixels)
    crop = crop_face(pixels, found[0], FRAMINGS["haar"], 48) if found else pixels
    return to_model_input(crop[None], 48, "gray")[0, ..., 0]


def _drawn(seed: int) -> NDArray[np.uint8]:
    from mien.datasets import synthetic

    happy: NDArray[np.uint8] = synthetic.draw_faces(4, seed).pixels[3]
    return happy


# ==== mien.apps.cli.data_report
# ``mien data report``: what is in a set of faces, as a page to show, figures and numbers.

REPORT_EPILOG = """\b
Examples:
  mien data report faces -o report
  mien data report faces/fer2013.csv -o other --map contempt=
"""


@click.command(epilog=REPORT_EPILOG)
@source_options
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder for it.")
def report(src: str, mapped: tuple[str, ...], out: Path) -> None:
    """Show what is in a set of faces.

    One page, report.html, holds classes and weights, samples, mean faces, light, copies, what ten people said, a map of
    the faces, and what a check finds. The same figures are written as PNG, all numbers as report.json.
    """
    import sys

    source = load_with_progress(src, mapped)
    tell = print_note if is_terminal(sys.stderr) else _nothing
    with convert_import_errors(), convert_output_errors(out):
        from mien.datasets import report as eda

        # Before half a minute is spent on what could not be written.
        out.mkdir(parents=True, exist_ok=True)
        written = eda.write_report(eda.analyze_dataset(source, tell), out, tell)
    print_line(escape_controls(str(written[0])))


def _nothing(_: str) -> None:
    """Nobody looks."""


# ==== mien.apps.cli.data_sample
# ``mien data sample``: draw faces in FER2013's shapes, to try everything without FER2013.

SAMPLE_EPILOG = """\b
Examples:
  mien data sample drawn
  mien data sample more --faces 700 --seed 7 --folders --npz
"""


@click.command(epilog=SAMPLE_EPILOG)
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
    with convert_import_errors():
        from mien.datasets import synthetic
    taken = [path for path in synthetic.list_outputs(out, folders=folders, npz=npz) if path.exists()]
    if taken and not force:
        raise OutputError(f"'{taken[0]}' is there already", "drawn faces need a new folder", "name another, or --force")
    with convert_output_errors(out):
        written = synthetic.write_synthetic(out, faces, seed, folders=folders, npz=npz)
    print_line(escape_controls(f"{faces:,} faces drawn in {out}: {', '.join(path.name for path in written)}"))


# ==== mien.apps.cli.data
# ``mien data``: look at faces with labels before a network learns from them, or draw some.

EPILOG = """\b
Examples:
  mien data sample pictures --faces 210
  mien data check faces
"""

#: The commands in the order of the help, and where each lives.
COMMANDS = {
    "check": "mien.apps.cli.data",
    "report": "mien.apps.cli.data",
    "augment-preview": "mien.apps.cli.data",
    "sample": "mien.apps.cli.data",
}


class DataGroup(click.Group):
    """Its commands are imported when they are called, as those of ``mien`` itself."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[name]), name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command


@click.group(cls=DataGroup, epilog=EPILOG)
def data() -> None:
    """Check, show and draw faces to train on.

    SRC is fer2013.csv, icml_face_data.csv, an .npz, or a folder with one of them or with pictures in folders named by
    expression (train/angry/1.png). FER+'s votes are used where fer2013new.csv lies beside the faces.
    """
