"""``mien audit``: can a model's evidence maps (saliency) be trusted?"""

from __future__ import annotations

from pathlib import Path

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_note, print_result
from mien.apps.cli.options import (
    DATA_OPTION,
    KERAS_OPTIONS,
    MODEL_OR_RUN_OPTION,
    OUT_FOLDER_OPTION,
    SPLIT_OPTION,
    convert_import_errors,
    load_with_progress,
    locate_model,
)

EPILOG = """\b
Examples:
  mien audit --model base --data faces --methods cam -n 40 -o audit
  mien audit --model base --data faces --methods cam,occlusion -n 5 --json -o audit

\b
Exit status: 0; 1 if the model or the data cannot be used or the folder cannot be written, and with
--strict if no map is trusted; 2 for wrong usage or an unknown model.
"""


@click.command(epilog=EPILOG)
@MODEL_OR_RUN_OPTION
@DATA_OPTION
@SPLIT_OPTION
@click.option(
    "-n",
    "--faces",
    "count",
    type=click.IntRange(2),
    default=500,
    show_default=True,
    help="Number of random faces.",
)
@click.option("--methods", metavar="NAMES", help="cam, occlusion, rise, separated by commas. Default: all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random choices.")
@OUT_FOLDER_OPTION
@KERAS_OPTIONS
@click.option("--strict", is_flag=True, help="Exit status 1 if no map is trusted.")
@click.option("--json", "as_json", is_flag=True, help="Print audit.json as one line.")
@click.pass_context
def audit(
    context: click.Context,
    /,
    model: str,
    data: str,
    split: str,
    count: int,
    methods: str | None,
    seed: int,
    out: Path,
    labels: str | None,
    scale: str | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Audit the evidence maps (saliency) of a model.

    The pixels that a map marks are removed from the face (deletion) and restored (insertion), and the score must
    follow. The map must be better than random values, a Gaussian in the middle and the edges of the image; it must
    change when the weights are randomized, and not with a little noise. The folder receives audit.json, figures, and
    audit.html with a verdict for each method: trusted, unsure, or not trusted.
    """
    with convert_import_errors():
        from mien.evaluation import map_audit
        from mien.evaluation.report import output_folder

    path = locate_model(context, model, labels, scale)
    own_methods = map_audit.engine_methods(methods) if methods else None
    with output_folder(out):
        pixels = map_audit.sample_faces(load_with_progress(data).faces, split, count, seed)
        with ProgressBar() as bar:
            result = map_audit.audit_maps(path, pixels, own_methods, split=split, seed=seed, progress=bar.update)
        page = map_audit.write_audit(out, result)[-1]
    values = result.values
    print_result(as_json, values, map_audit.format_audit(values))
    print_note(f"Report: {escape_controls(str(page))}")
    if strict and values["default"] is None:
        context.exit(1)
