"""``mien evaluate``: how right a model is on faces with labels, how sure, and where it goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_line, print_note
from mien.apps.cli.dataset_options import parse_label_map, label_map_option
from mien.apps.cli.options import LABELS_OPTION, MODEL_OR_RUN_OPTION, SCALE_OPTION, locate_model

EPILOG = """\b
Examples:
  mien evaluate --model base --data faces -o evaluation
  mien evaluate --model base --data faces --split private --one-pass --json -o private

\b
Exit status: 0; 1 if the model or the data cannot be used or the folder not be written;
2 for wrong usage or an unknown model.
"""


SPLIT_OPTION = click.option(
    "--split",
    type=click.Choice(["public", "private", "validation"]),
    default="public",
    show_default=True,
    help="PublicTest, PrivateTest, or the Training faces that training held out.",
)


@click.command(epilog=EPILOG)
@MODEL_OR_RUN_OPTION
@click.option("--data", required=True, metavar="SRC", help="Faces with labels: fer2013.csv, an .npz, or a folder.")
@SPLIT_OPTION
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the files."
)
@label_map_option
@LABELS_OPTION
@SCALE_OPTION
@click.option("--one-pass", is_flag=True, help="No test-time augmentation: ten times quicker.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json as one line.")
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    model: str,
    data: str,
    split: str,
    out: Path,
    mapped: tuple[str, ...],
    labels: str | None,
    scale: str | None,
    one_pass: bool,
    as_json: bool,
) -> None:
    """Measure a model on faces with labels.

    The folder receives metrics.json, report.txt, answers.csv, every figure as PNG, and evaluation.html,
    one page that holds it all. Every figure but those named so is of a single pass. The temperature
    behind the calibrated error is fitted on Training faces held out, never on the faces reported.

    A Keras file is turned into ONNX once, which needs the extra 'train'; Lambda layers are refused.
    """
    from mien.datasets.combined import load_evaluation_faces
    from mien.evaluation.evaluate import evaluate_file
    from mien.evaluation.report import PAGE, format_evaluation, output_folder, write_evaluation
    from mien.models import ModelCard

    words = parse_label_map(mapped)
    path = locate_model(context, model, labels, scale)
    with output_folder(out):
        with ProgressBar() as bar:
            faces = load_evaluation_faces(ModelCard.read(path), data, words, bar.update)
        with ProgressBar() as bar:
            found, metrics = evaluate_file(path, faces, split, augmented=not one_pass, progress=bar.update)
        write_evaluation(out, found, metrics)
    print_line(json.dumps(metrics, ensure_ascii=False) if as_json else format_evaluation(metrics).rstrip())
    print_note(f"The whole evaluation: {escape_controls(str(out / PAGE))}")
