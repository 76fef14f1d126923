"""``mien compare``: several models in one table, and whether the difference of the best two is significant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from mien.apps.cli.console import escape_controls, print_note, print_result
from mien.apps.cli.evaluate import evaluate_model, has_predictions
from mien.apps.cli.options import (
    KERAS_OPTIONS,
    LABEL_MAP_OPTION,
    SPLIT_OPTION,
    complete_models,
    locate_models,
)

if TYPE_CHECKING:
    from mien.evaluation.compare import EvaluatedModel

EPILOG = """\b
Examples:
  mien compare base small.onnx --data faces
  mien compare base small.onnx --data faces -o comparison
  mien compare folds.npz others.npz --data faces

\b
Exit status: 0; 1 if a model, an evaluation or the data cannot be used; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_models)
@click.option("--data", metavar="SRC", help="Labelled faces: every model among RUN... is evaluated on them.")
@SPLIT_OPTION
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for table, figure and page.")
@LABEL_MAP_OPTION
@KERAS_OPTIONS
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one line of JSON.")
@click.pass_context
def compare(
    context: click.Context,
    /,
    runs: tuple[str, ...],
    data: str | None,
    split: str,
    out: Path | None,
    label_map: dict[str, str],
    labels: str | None,
    scale: str | None,
    as_json: bool,
) -> None:
    """Compare models on the same faces.

    RUN is a folder written by 'mien evaluate', the folder of a finished training run, or with --data any
    model: from 'mien models', an .onnx or Keras file, or out-of-fold predictions (mien distill --folds).
    Runs of one recipe with different seeds become one row. McNemar's test says whether the difference of the
    best two is significant.
    """
    from contextlib import nullcontext

    from mien.evaluation import compare
    from mien.evaluation.report import output_folder

    with output_folder(out) if out else nullcontext():
        models = _collect_evaluations(context, runs, data, split, label_map, (labels, scale))
        comparison = compare.compare_models(models)
        page = compare.write_comparison(out, comparison)[-1] if out else None
    values = compare.comparison_values(comparison)
    print_result(as_json, values, compare.format_comparison(comparison))
    if page:
        print_note(f"Report: {escape_controls(str(page))}")


def _collect_evaluations(
    context: click.Context,
    runs: tuple[str, ...],
    data: str | None,
    split: str,
    label_map: dict[str, str],
    keras_options: tuple[str | None, str | None],
) -> list[EvaluatedModel]:
    """All evaluations are read before a model is evaluated, so that a wrong argument fails at once."""
    from mien.evaluation.compare import check_split, evaluated_model, has_model, read_evaluation

    unique = list(dict.fromkeys(runs))
    stored = {run: model for run in unique if (model := read_evaluation(Path(run)))}
    pending = [run for run in unique if run not in stored or (data is not None and has_model(Path(run)))]
    models = [run for run in pending if not has_predictions(run)]
    if (data is not None and models) or context.get_parameter_source("split") is not ParameterSource.DEFAULT:
        for run in stored.keys() - pending:
            check_split(run, stored[run], split)
    paths = {run: Path(run) for run in pending}
    paths |= dict(zip(models, locate_models(context, models, *keras_options), strict=True))
    if pending and data is None:
        raise click.UsageError(f"'{pending[0]}' has no evaluation. Add --data, the faces to evaluate it on.", context)
    if data is not None and not pending:
        raise click.UsageError("these are evaluations, without a model to evaluate. Leave out --data.", context)
    evaluated = {
        run: evaluated_model(*evaluate_model(path, str(data), split, label_map, tta=False), path)
        for run, path in paths.items()
    }
    return [(stored | evaluated)[run] for run in unique]
