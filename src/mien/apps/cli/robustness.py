"""``mien robustness``: what is left of a model when faces are not as they are in the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import Bar, printable, remark, say
from mien.apps.cli.dataset_options import extras
from mien.apps.cli.evaluate import SPLIT
from mien.apps.cli.options import LABELS, SCALE, complete_models, each_located

if TYPE_CHECKING:
    from mien.evaluation.groups import Words
    from mien.evaluation.robustness import Held
    from mien.evaluation.robustness_report import Report

EPILOG = """\b
Examples:
  mien robustness --model base --data faces -o robustness
  mien robustness --model base --model small.onnx --data faces --split private -o both
  mien robustness --model base --data faces --groups people.csv:age -o groups

\b
Exit status: 0; 1 if a model or the data cannot be used or the folder not be written; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--model",
    "models",
    multiple=True,
    default=["base"],
    metavar="NAME",
    shell_complete=complete_models,
    help="A model, file or run as 'mien evaluate' takes; again to compare. Without it: base.",
)
@click.option("--data", required=True, metavar="SRC", help="Faces with labels: fer2013.csv, an .npz, or a folder.")
@SPLIT
@click.option("--groups", "columns", multiple=True, metavar="COLUMN", help="Of the data, or FILE.csv:COLUMN.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for it all.")
@LABELS
@SCALE
@click.option("--json", "as_json", is_flag=True, help="Print robustness.json as one line.")
@click.pass_context
def robustness(
    context: click.Context,
    /,
    models: tuple[str, ...],
    data: str,
    split: str,
    columns: tuple[str, ...],
    out: Path,
    labels: str | None,
    scale: str | None,
    as_json: bool,
) -> None:
    """Measure a model on spoilt faces, and by group.

    Faces are boxed badly, turned, dark, blurred, small or half hidden, at graded strengths, and every model sees the
    same pixels. Then the figures by group: light, contrast, detail and, with YuNet, the turn of the head are estimated;
    --groups adds columns of the user's own, from the data or from a table with a row for each face. The folder
    receives curves, robustness.json and one page.
    """
    with extras():
        from mien.datasets.loading import read
        from mien.evaluation import robustness_report
        from mien.evaluation.report import place
        from mien.evaluation.robustness import hold
        from mien.models import load_classifier

    paths = each_located(context, models, labels, scale)
    with place(out):
        with Bar() as bar:
            faces = read(data, progress=bar.update).faces
        own = {column: _column(data, column, len(faces)) for column in columns}
        with Bar() as bar:
            held = hold([load_classifier(path) for path in paths], faces, split, bar.update)
        report = _report(models, held, own)
        page = robustness_report.write(out, report)[-1]
    say(
        json.dumps(robustness_report.figures(report), ensure_ascii=False)
        if as_json
        else robustness_report.text(report).rstrip()
    )
    remark(f"Curves and groups: {printable(str(page))}")


def _column(data: str, column: str, count: int) -> Words:
    """A column of the data itself, or of a table with a row for each face."""
    from mien.datasets.loading import read
    from mien.evaluation.groups import of_column, table_column

    file, colon, name = column.rpartition(":")
    if colon and file.lower().endswith(".csv"):
        return of_column(table_column(Path(file), name, count))
    groups = read(data, group=column).groups
    assert groups is not None, "a source that was asked for groups has them"
    return of_column(groups.tolist())


def _report(models: tuple[str, ...], held: list[Held], own: dict[str, Words]) -> Report:
    from mien.evaluation.groups import by_group, estimated
    from mien.evaluation.robustness_report import Report, names_of

    first = held[0].answers
    seen, missing = estimated(first.faces.pixels)
    columns = {name: words[first.places] for name, words in own.items()} | seen
    splits = [
        tuple(
            by_group(name, words, each.answers.shares, first.faces.labels, each.answers.card.uncertain_below)
            for name, words in columns.items()
        )
        for each in held
    ]
    return Report(names_of(models, held), tuple(held), tuple(splits), tuple(missing))
