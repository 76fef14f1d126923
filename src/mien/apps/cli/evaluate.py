"""``mien evaluate``: accuracy, calibration and mistakes of a model on labelled faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mien.apps.cli.console import ProgressBar, escape_controls, print_note, print_result
from mien.apps.cli.options import (
    DATA_OPTION,
    KERAS_OPTIONS,
    LABEL_MAP_OPTION,
    MODEL_OR_RUN_OPTION,
    OUT_FOLDER_OPTION,
    SPLIT_OPTION,
    locate_model,
    reject_keras_options,
)

if TYPE_CHECKING:
    from mien.evaluation.evaluate import Predictions

EPILOG = """\b
Examples:
  mien evaluate --model base --data faces -o evaluation
  mien evaluate --model base --data faces --target people -o people
  mien evaluate --model base --data faces --split private --no-tta --json -o private
  mien evaluate --model folds.npz --data faces -o folds

\b
Exit status: 0; 1 if the model or the data cannot be used or the folder cannot be written;
2 for wrong usage or an unknown model.
"""


@click.command(epilog=EPILOG)
@MODEL_OR_RUN_OPTION
@DATA_OPTION
@SPLIT_OPTION
@OUT_FOLDER_OPTION
@LABEL_MAP_OPTION
@KERAS_OPTIONS
@click.option(
    "--target",
    type=click.Choice(["both", "people", "label"]),
    default="both",
    show_default=True,
    help="The answers to print: what most annotators chose (people), FER2013's label, or both.",
)
@click.option("--no-tta", is_flag=True, help="No test-time augmentation: ten times faster.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json as one line.")
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    model: str,
    data: str,
    split: str,
    out: Path,
    label_map: dict[str, str],
    labels: str | None,
    scale: str | None,
    target: str,
    no_tta: bool,
    as_json: bool,
) -> None:
    """Evaluate a model on labelled faces.

    The folder receives metrics.json, report.txt, predictions.csv, the figures as PNG, and evaluation.html,
    a page with everything. They have both targets: people is what at least half of the annotators (FER+) chose,
    and label is FER2013's own label, which published accuracies are about. All metrics but those of test-time
    augmentation are of a single pass. The temperature of the calibrated error is fitted on validation faces,
    never on the faces that are reported.

    MODEL may be a file of out-of-fold predictions (mien distill --folds): then all Training faces are evaluated.

    A Keras file is converted to ONNX once, which needs the extra 'train'; Lambda layers are rejected.
    """
    from mien.evaluation.report import PAGE, format_evaluation, output_folder, write_evaluation

    if has_predictions(model):
        reject_keras_options(context, labels, scale)
        if context.get_parameter_source("split") is not ParameterSource.DEFAULT:
            raise click.UsageError(f"'{model}' has predictions of the Training faces. Leave out --split.", context)
        path = Path(model)
    else:
        path = locate_model(context, model, labels, scale)
    with output_folder(out):
        predictions, metrics = evaluate_model(path, data, split, label_map, tta=not no_tta)
        write_evaluation(out, predictions, metrics)
    print_result(as_json, metrics, format_evaluation(metrics, target))
    print_note(f"Report: {escape_controls(str(out / PAGE))}")


def has_predictions(model: str) -> bool:
    """Whether it is a file of out-of-fold predictions, not a model."""
    return Path(model).suffix == ".npz"


def evaluate_model(
    path: Path, data: str, split: str, label_map: dict[str, str], *, tta: bool
) -> tuple[Predictions, dict[str, Any]]:
    """The predictions and metrics of a model file on one split, with progress bars.

    Of a file of out-of-fold predictions they are those of all Training faces, whatever the split.
    """
    from mien.datasets.loading import combine_sources, load_evaluation_faces
    from mien.datasets.splits import SourceSettings
    from mien.evaluation.evaluate import evaluate_file
    from mien.models import ModelCard

    if has_predictions(str(path)):
        from mien.training.out_of_fold import evaluate_folds

        with ProgressBar() as bar:
            faces = combine_sources([SourceSettings(data, label_map)], progress=bar.update)
        return evaluate_folds(path, faces)
    with ProgressBar() as bar:
        faces = load_evaluation_faces(ModelCard.read(path), data, label_map, bar.update)
    with ProgressBar() as bar:
        return evaluate_file(path, faces, split, tta=tta, progress=bar.update)
