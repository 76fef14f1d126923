"""``mien robustness``: what is left of a model when faces are not as they are in the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_line, print_note
from mien.apps.cli.dataset_options import convert_import_errors
from mien.apps.cli.evaluate import SPLIT_OPTION
from mien.apps.cli.options import LABELS_OPTION, SCALE_OPTION, complete_models, locate_models

if TYPE_CHECKING:
    from mien.evaluation.groups import GroupNames
    from mien.evaluation.robustness import ModelRobustness
    from mien.evaluation.robustness_report import RobustnessReport

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
@SPLIT_OPTION
@click.option("--groups", "columns", multiple=True, metavar="COLUMN", help="Of the data, or FILE.csv:COLUMN.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for it all.")
@LABELS_OPTION
@SCALE_OPTION
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
    with convert_import_errors():
        from mien.datasets.loading import load_dataset
        from mien.evaluation import robustness_report
        from mien.evaluation.report import output_folder
        from mien.evaluation.robustness import compare_robustness
        from mien.models import load_classifier

    paths = locate_models(context, models, labels, scale)
    with output_folder(out):
        with ProgressBar() as bar:
            faces = load_dataset(data, progress=bar.update).faces
        own = {column: _column(data, column, len(faces)) for column in columns}
        with ProgressBar() as bar:
            held = compare_robustness([load_classifier(path) for path in paths], faces, split, bar.update)
        report = _report(models, held, own)
        page = robustness_report.write_robustness(out, report)[-1]
    print_line(
        json.dumps(robustness_report.robustness_values(report), ensure_ascii=False)
        if as_json
        else robustness_report.format_robustness(report).rstrip()
    )
    print_note(f"Curves and groups: {escape_controls(str(page))}")


def _column(data: str, column: str, count: int) -> GroupNames:
    """A column of the data itself, or of a table with a row for each face."""
    from mien.datasets.loading import load_dataset
    from mien.evaluation.groups import group_values, read_column

    file, colon, name = column.rpartition(":")
    if colon and file.lower().endswith(".csv"):
        return group_values(read_column(Path(file), name, count))
    groups = load_dataset(data, group=column).groups
    assert groups is not None, "a source that was asked for groups has them"
    return group_values(groups.tolist())


def _report(models: tuple[str, ...], held: list[ModelRobustness], own: dict[str, GroupNames]) -> RobustnessReport:
    from mien.evaluation.groups import estimate_groups, measure_groups
    from mien.evaluation.robustness_report import RobustnessReport, distinct_names

    first = held[0].answers
    seen, missing = estimate_groups(first.faces.pixels)
    columns = {name: words[first.places] for name, words in own.items()} | seen
    splits = [
        tuple(
            measure_groups(name, words, each.answers.shares, first.faces.labels, each.answers.card.uncertain_below)
            for name, words in columns.items()
        )
        for each in held
    ]
    return RobustnessReport(distinct_names(models, held), tuple(held), tuple(splits), tuple(missing))
