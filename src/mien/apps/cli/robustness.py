"""``mien robustness``: accuracy of a model on corrupted faces, and by group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_note, print_result
from mien.apps.cli.options import (
    DATA_OPTION,
    KERAS_OPTIONS,
    OUT_FOLDER_OPTION,
    SPLIT_OPTION,
    complete_models,
    convert_import_errors,
    load_with_progress,
    locate_models,
)

if TYPE_CHECKING:
    from mien.evaluation.groups import GroupNames
    from mien.evaluation.robustness import ModelRobustness, RobustnessReport

EPILOG = """\b
Examples:
  mien robustness --model base --data faces -o robustness
  mien robustness --model base --model small.onnx --data faces --split private -o both
  mien robustness --model base --data faces --groups people.csv:age -o groups

\b
Exit status: 0; 1 if a model or the data cannot be used or the folder cannot be written; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--model",
    "models",
    multiple=True,
    default=["base"],
    metavar="NAME",
    shell_complete=complete_models,
    help="A model, file or run, as for 'mien evaluate'; repeat it to compare. Default: base.",
)
@DATA_OPTION
@SPLIT_OPTION
@click.option("--groups", "columns", multiple=True, metavar="COLUMN", help="Column of the data, or FILE.csv:COLUMN.")
@OUT_FOLDER_OPTION
@KERAS_OPTIONS
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
    """Measure a model on corrupted faces, and by group.

    Faces are cropped imprecisely, rotated, dark, blurred, small or partly covered, at increasing strengths, with the
    same pixels for every model. Metrics by group: brightness, contrast, sharpness and, with YuNet, head pose are
    estimated; --groups adds columns of the data or of a table with one row per face. The folder receives figures,
    robustness.json and a page with everything.
    """
    with convert_import_errors():
        from mien.evaluation import robustness
        from mien.evaluation.report import output_folder
        from mien.evaluation.robustness import compare_robustness
        from mien.models import load_classifier

    paths = locate_models(context, models, labels, scale)
    with output_folder(out):
        faces = load_with_progress(data).faces
        own_columns = {column: _load_column(data, column, len(faces)) for column in columns}
        with ProgressBar() as bar:
            results = compare_robustness([load_classifier(path) for path in paths], faces, split, bar.update)
        report = _make_report(models, results, own_columns)
        page = robustness.write_robustness(out, report)[-1]
    values = robustness.robustness_values(report)
    print_result(as_json, values, robustness.format_robustness(report))
    print_note(f"Report: {escape_controls(str(page))}")


def _load_column(data: str, column: str, count: int) -> GroupNames:
    """A column of the data, or of a table with one row per face."""
    from mien.datasets.loading import load_dataset
    from mien.evaluation.groups import group_values, read_column

    file, colon, name = column.rpartition(":")
    if colon and file.lower().endswith(".csv"):
        return group_values(read_column(Path(file), name, count))
    groups = load_dataset(data, group=column).faces.groups
    assert groups is not None, "the column was requested"
    return group_values(groups.tolist())


def _make_report(
    models: tuple[str, ...], results: list[ModelRobustness], own_columns: dict[str, GroupNames]
) -> RobustnessReport:
    from mien.evaluation.groups import estimate_groups, measure_groups
    from mien.evaluation.robustness import RobustnessReport, distinct_names

    first = results[0].predictions
    estimated, missing = estimate_groups(first.faces.pixels)
    columns = {name: values[first.indices] for name, values in own_columns.items()} | estimated
    groups = []
    for result in results:
        scores, threshold = result.predictions.scores, result.predictions.card.uncertain_below
        groups.append(
            tuple(
                measure_groups(name, values, scores, first.faces.labels, threshold) for name, values in columns.items()
            )
        )
    return RobustnessReport(distinct_names(models, results), tuple(results), tuple(groups), tuple(missing))
