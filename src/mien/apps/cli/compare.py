"""``mien compare``: several models in one table, and whether the best is really better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from mien.apps.cli.console import ProgressBar, escape_controls, print_line, print_note
from mien.apps.cli.dataset_options import parse_label_map, label_map_option
from mien.apps.cli.evaluate import SPLIT_OPTION
from mien.apps.cli.options import LABELS_OPTION, SCALE_OPTION, complete_models, locate_models

if TYPE_CHECKING:
    from mien.evaluation.compare import EvaluatedModel

EPILOG = """\b
Examples:
  mien compare base small.onnx --data faces
  mien compare base small.onnx --data faces -o comparison

\b
Exit status: 0; 1 if a model, an evaluation or the data cannot be used; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_models)
@click.option("--data", metavar="SRC", help="Faces with labels: every model among RUN... is evaluated on them anew.")
@SPLIT_OPTION
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for table, figure and page.")
@label_map_option
@LABELS_OPTION
@SCALE_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one line of JSON.")
@click.pass_context
def compare(
    context: click.Context,
    /,
    runs: tuple[str, ...],
    data: str | None,
    split: str,
    out: Path | None,
    mapped: tuple[str, ...],
    labels: str | None,
    scale: str | None,
    as_json: bool,
) -> None:
    """Compare models on the same faces.

    RUN is a folder that 'mien evaluate' wrote, the folder of a finished training run, or with --data any
    model: from 'mien models', an .onnx or Keras file. Runs of one recipe that differ in their seed become
    one row. McNemar's test says whether the best two really differ.
    """
    from contextlib import nullcontext

    from mien.evaluation import compare as lab
    from mien.evaluation import comparison_report
    from mien.evaluation.report import output_folder

    with output_folder(out) if out else nullcontext():
        found = lab.compare_models(_collect_evaluations(context, runs, data, split, parse_label_map(mapped), (labels, scale)))
        page = comparison_report.write_comparison(out, found)[-1] if out else None
    print_line(
        json.dumps(comparison_report.comparison_values(found), ensure_ascii=False)
        if as_json
        else comparison_report.format_comparison(found).rstrip()
    )
    if page:
        print_note(f"The whole comparison: {escape_controls(str(page))}")


def _collect_evaluations(
    context: click.Context,
    runs: tuple[str, ...],
    data: str | None,
    split: str,
    means: dict[str, str],
    words: tuple[str | None, str | None],
) -> list[EvaluatedModel]:
    """Everything evaluated is read before anything is evaluated, so that a mistyped word costs no time."""
    from mien.evaluation.compare import check_split, has_model, read_evaluation

    once = list(dict.fromkeys(runs))
    kept = {run: entry for run in once if (entry := read_evaluation(Path(run)))}
    anew = [run for run in once if run not in kept or (data is not None and has_model(Path(run)))]
    if data is not None or context.get_parameter_source("split") is not ParameterSource.DEFAULT:
        for run in kept.keys() - anew:
            check_split(run, kept[run], split)
    paths = locate_models(context, anew, *words)
    if anew and data is None:
        happened = f"'{anew[0]}' was not evaluated yet. Add --data, the faces to evaluate it on."
        raise click.UsageError(happened, context)
    if data is not None and not anew:
        raise click.UsageError(
            "these are evaluations, with no model among them to evaluate. Leave --data out.", context
        )
    measured = {run: _evaluate_model(path, str(data), split, means) for run, path in zip(anew, paths, strict=True)}
    return [(kept | measured)[run] for run in once]


def _evaluate_model(path: Path, data: str, split: str, means: dict[str, str]) -> EvaluatedModel:
    from mien.datasets.combined import load_evaluation_faces
    from mien.evaluation.compare import evaluated_model
    from mien.evaluation.evaluate import evaluate_file
    from mien.models import ModelCard

    with ProgressBar() as bar:
        faces = load_evaluation_faces(ModelCard.read(path), data, means, bar.update)
    with ProgressBar() as bar:
        found, metrics = evaluate_file(path, faces, split, augmented=False, progress=bar.update)
    return evaluated_model(found, metrics, path)
