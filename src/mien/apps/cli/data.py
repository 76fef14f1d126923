"""``mien data``: check, show and draw labelled faces for training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import (
    convert_output_errors,
    escape_controls,
    format_columns,
    is_terminal,
    print_line,
    print_note,
    print_result,
    silence_stderr,
)
from mien.apps.cli.options import (
    LABEL_MAP_OPTION,
    convert_import_errors,
    load_with_progress,
    make_png_option,
    write_png,
)
from mien.errors import OutputError
from mien.text import format_percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.datasets.checks import CheckResult, Finding

EPILOG = """\b
Examples:
  mien data sample images --faces 210
  mien data check faces
"""

CHECK_EPILOG = """\b
Examples:
  mien data check faces/synthetic.csv
  mien data check faces --json
  mien data check faces/train --label-map contempt=

\b
Exit status: 0 when the faces could be read, whatever the findings are; with --strict 1 when there are findings.
"""

REPORT_EPILOG = """\b
Examples:
  mien data report faces -o report
  mien data report faces/synthetic.csv -o other --label-map contempt=
"""

PREVIEW_EPILOG = """\b
Examples:
  mien data augment-preview -o augmented.png
  mien data augment-preview photo.jpg -o mine.png --seed 3 --recipe basic
"""

SAMPLE_EPILOG = """\b
Examples:
  mien data sample drawn
  mien data sample more --faces 700 --seed 7 --folders --npz
"""

#: Findings of each kind that are printed without --all.
MAX_FINDINGS = 3
#: From this many faces on the counts are compared with those of FER2013 and of its five-class subset.
MIN_FER2013_FACES = 20_000


@click.group(epilog=EPILOG)
def data() -> None:
    """Check, show and draw faces for training.

    SRC is fer2013.csv, icml_face_data.csv, an .npz, or a folder with one of them or with images in folders named by
    expression (train/angry/1.png). FER+ votes are used where fer2013new.csv is beside the faces.
    """


@data.command(epilog=CHECK_EPILOG)
@click.argument("src")
@LABEL_MAP_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print counts and all findings as one line of JSON.")
@click.option("--all", "show_all", is_flag=True, help="Print every finding, not only the first of each kind.")
@click.option("--strict", is_flag=True, help="Exit status 1 when there are findings.")
@click.pass_context
def check(
    context: click.Context, src: str, label_map: dict[str, str], as_json: bool, show_all: bool, strict: bool
) -> None:
    """Find errors in faces and labels.

    Rows and images that cannot be read, labels out of range, blank faces, duplicates and near-duplicates in one split
    and across splits, one image with two labels, labels in another order, classes and splits without faces.
    """
    loaded = load_with_progress(src, label_map)
    with convert_import_errors():
        from mien.datasets.checks import check_dataset

        checked = check_dataset(loaded)
    print_result(as_json, checked.to_dict(), "\n".join(_format_check(checked, show_all)))
    context.exit(1 if strict and checked.findings else 0)


def _format_check(checked: CheckResult, show_all: bool) -> Iterator[str]:
    loaded, values = checked.loaded, checked.to_dict()
    word = "synthetic faces" if loaded.faces.synthetic else "faces"
    yield escape_controls(f"{loaded.path}: {len(loaded):,} {word} ({loaded.kind})")
    yield from ("", _format_counts(values["splits"]), "")
    if len(loaded) > MIN_FER2013_FACES:
        yield from _compare_with_fer2013(values["splits"], values["fer2013"])
    yield from (escape_controls(remark) for remark in loaded.remarks)
    if values["faces_with_votes"]:
        yield f"FER+ votes are available for {values['faces_with_votes']:,} faces."
    for usage, count in values["duplicates_in_training"].items():
        if count:
            total = sum(values["splits"][usage].values())
            part = format_percent(count / total)
            yield f"{count:,} of {total:,} {usage} faces ({part}) are pixel-identical to a Training face."
    if len(loaded) > MIN_FER2013_FACES:
        five = values["five_classes"]
        here = f"{five['here']['training']:,} training and {five['here']['test']:,} test faces"
        yield f"Without disgust and fear there are {here}; the folders on Kaggle have 24,176 and 6,043:"
        yield f"  {five['because']}."
    if not checked.findings:
        yield "No problem was found."
    for kind, findings in checked.by_kind().items():
        yield from _format_findings(kind, findings, len(findings) if show_all else MAX_FINDINGS)


def _compare_with_fer2013(splits: dict[str, dict[str, int]], complete: dict[str, bool]) -> Iterator[str]:
    from mien.datasets.fer2013 import CLASS_COUNTS

    if equal := [usage for usage, is_complete in complete.items() if is_complete]:
        yield f"{', '.join(equal)}: as many faces of each class as in FER2013."
    for usage, is_complete in complete.items():
        if not is_complete:
            count, complete_count = sum(splits[usage].values()), sum(CLASS_COUNTS[usage])
            yield f"{usage}: {count:,} faces; the complete FER2013 has {complete_count:,}."


def _format_counts(splits: dict[str, dict[str, int]]) -> str:
    """A table of the faces by split and label."""
    labels = list(next(iter(splits.values()), {}))
    rows = [["", *labels, "all"]]
    rows += [
        [usage, *(f"{row[label]:,}" for label in labels), f"{sum(row.values()):,}"] for usage, row in splits.items()
    ]
    return format_columns(rows, right=range(len(labels) + 2))


def _format_findings(kind: str, findings: list[Finding], count: int) -> Iterator[str]:
    yield f"\n{kind}: {len(findings):,}"
    yield from (escape_controls(f"  {finding.where}: {finding.reason}") for finding in findings[:count])
    if len(findings) > count:
        yield f"  and {len(findings) - count:,} more (--all shows them)"


@data.command(epilog=REPORT_EPILOG)
@click.argument("src")
@LABEL_MAP_OPTION
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Output folder.")
def report(src: str, label_map: dict[str, str], out: Path) -> None:
    """Write a report of a data set.

    The page report.html shows classes and weights, samples, mean faces, brightness and contrast, duplicates, annotator
    votes (FER+), principal components, and the findings of 'mien data check'. The figures are also written as PNG, all
    numbers as report.json.
    """
    loaded = load_with_progress(src, label_map)

    def notify(text: str) -> None:
        if is_terminal(sys.stderr):
            print_note(text)

    with convert_import_errors(), convert_output_errors(out):
        from mien.datasets.report import analyze_dataset, write_report

        out.mkdir(parents=True, exist_ok=True)  # fails before half a minute of work
        page, *_ = write_report(analyze_dataset(loaded, notify), out, notify)
    print_line(escape_controls(str(page)))


@data.command("augment-preview", epilog=PREVIEW_EPILOG)
@click.argument("face", required=False)
@make_png_option("Output image, a .png file.")
@click.option("--recipe", metavar="RECIPE", help="File or name of the recipe with the augmentation. Default: built-in.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the random parameters.")
def augment_preview(face: str | None, out: Path, recipe: str | None, seed: int) -> None:
    """Show the training augmentation of a face.

    One row for each transformation and one for all of them together. FACE is an image; by default a face is drawn.
    Needs the extra 'train'.
    """
    with convert_import_errors():
        from mien import plots
        from mien.training.recipe import AugmentationSettings, load_recipe

        settings = load_recipe(recipe).augment if recipe else AugmentationSettings()
        pixels = _load_face(face) if face else _draw_face(seed)
        with silence_stderr():
            from mien.training import augmentation_preview

            rows = augmentation_preview.preview_rows(pixels, settings, seed)
    write_png(out, plots.render_png(augmentation_preview.plot_preview(pixels, rows)))


def _load_face(face: str) -> NDArray[np.uint8]:
    """The largest face in an image, gray (48, 48); the whole image where no face is detected."""
    from mien import images
    from mien.datasets.dataset import SIDE
    from mien.faces.crop import FRAMINGS, crop_face, to_model_input
    from mien.faces.detectors import load_detector

    pixels = images.load_image(face).pixels
    faces = load_detector("haar").detect(pixels)
    crop = crop_face(pixels, faces[0], FRAMINGS["haar"], SIDE) if faces else pixels
    return to_model_input(crop[None], SIDE, "gray")[0, ..., 0]


def _draw_face(seed: int) -> NDArray[np.uint8]:
    """A drawn face that looks happy."""
    from mien.datasets import synthetic

    pixels: NDArray[np.uint8] = synthetic.draw_faces(4, seed).pixels[3]
    return pixels


@data.command(epilog=SAMPLE_EPILOG)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--faces", default=7000, show_default=True, type=click.IntRange(7, 1_000_000), help="Number of faces.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the random faces.")
@click.option("--folders", is_flag=True, help="Also as images: train/angry/..., validation/..., test/...")
@click.option("--npz", is_flag=True, help="Also as arrays: synthetic.npz.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def sample(out: Path, faces: int, seed: int, folders: bool, npz: bool, force: bool) -> None:
    """Draw synthetic faces to try training.

    They are written into the folder OUT as synthetic.csv, with votes in synthetic_votes.csv, in the formats of FER2013
    and FER+. They show no real person: brows, eyes and mouths follow the expression, everything else is random. A small
    network learns to read them within a minute from 7,000 faces, and learns nothing about real faces.
    """
    with convert_import_errors():
        from mien.datasets import synthetic
    existing = [path for path in synthetic.list_outputs(out, folders=folders, npz=npz) if path.exists()]
    if existing and not force:
        expected = "a new folder was expected for the drawn faces"
        raise OutputError(f"'{existing[0]}' exists already", expected, "Name another, or add --force")
    with convert_output_errors(out):
        files = synthetic.write_synthetic(out, faces, seed, folders=folders, npz=npz)
    print_line(escape_controls(f"{faces:,} synthetic faces in {out}: {', '.join(path.name for path in files)}"))
