"""``mien export``: write the trained network of a run in another file format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import convert_output_errors, escape_controls, print_note, print_result, silence_stderr
from mien.apps.cli.options import check_new_file, convert_import_errors, load_recipe_faces
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.datasets.dataset import FaceDataset

#: Formats that are ONNX files with a card, and their precision.
_ONNX_PRECISIONS = {"onnx": "float32", "int8": "int8", "float16": "float16"}

#: The suffix of the default file name, by format.
SUFFIXES = {
    "onnx": ".onnx",
    "keras": ".keras",
    "h5": ".h5",
    "savedmodel": ".savedmodel",
    "tflite": ".tflite",
    "int8": ".int8.onnx",
    "float16": ".float16.onnx",
}

EPILOG = """\b
Examples:
  mien export runs/first --to onnx --data faces -o first.onnx
  mien export runs/first --to int8 --data faces
  mien export runs/first --to h5 --data faces
  mien export runs/first --to int8 --views 2 --data faces -o twice.onnx

\b
Exit status: 0; 1 if the run or the data cannot be used, or the file predicts otherwise than Keras;
2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "kind", required=True, type=click.Choice(list(SUFFIXES)), help="The file format.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="Default: the name of the run, with a suffix."
)
@click.option("--data", metavar="SRC", help="The training data of the run. Default: the sources of its recipe.")
@click.option("--name", default="", metavar="NAME", help="Name of the model in the card. Default: that of the recipe.")
@click.option(
    "--score-split",
    type=click.Choice(["validation", "public"]),
    default="validation",
    show_default=True,
    help="The split of the scores in the card; public (PublicTest) is an evaluation on test data.",
)
@click.option("--evaluations", type=click.IntRange(1), help="Number of evaluations on PublicTest, this one included.")
@click.option(
    "--views",
    type=click.Choice(["1", "2", "4"]),
    help="Mean over views: 2 adds the mirror image, 4 also two crops. Default: net.views of the recipe.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts about the file as one line of JSON.")
@click.pass_context
def export(
    context: click.Context,
    /,
    run: Path,
    kind: str,
    out: Path | None,
    data: str | None,
    name: str,
    score_split: str,
    evaluations: int | None,
    views: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a training run as a model file.

    \b
    onnx        for all applications of mien; with a card that has labels and scores
    int8        ONNX with 8-bit weights: a third of the size and of the time
    float16     ONNX with 16-bit weights: half of the size
    keras, h5   for plain Keras without mien
    savedmodel  a folder for TensorFlow Serving
    tflite      for phones

    Before anything is written the file must predict the same as the run on real faces, in batches of one and of three.
    The accuracy that int8 and float16 lose is measured on the validation faces and written into the card.
    """
    if evaluations and score_split != "public":
        raise click.UsageError("--evaluations counts those on PublicTest. Add --score-split public.", context)
    with convert_import_errors(), silence_stderr():
        from mien.training import checkpoint

        recipe = checkpoint.read_recipe(run)
        target = out or Path(recipe.name + SUFFIXES[kind])
        check_new_file(target, force)
        faces = load_recipe_faces(recipe, data)
        with convert_output_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        count = int(views) if views else None
        if kind in _ONNX_PRECISIONS:
            public_evaluations = (evaluations or 1) if score_split == "public" else None
            facts = _export_onnx(run, faces, kind, target, name, count, public_evaluations)
        else:
            facts = _export_keras(run, faces, kind, target, name, count)
    print_result(as_json, facts, _summarize(facts))
    if kind in _ONNX_PRECISIONS:
        print_note(f"Try it: mien predict photo.jpg --model {escape_controls(str(target))}")


def _export_onnx(
    run: Path, faces: FaceDataset, kind: str, target: Path, name: str, views: int | None, evaluations: int | None
) -> dict[str, Any]:
    """``evaluations`` is the number of those on PublicTest; None for scores on the validation faces."""
    from mien.datasets.dataset import PUBLIC
    from mien.export import onnx

    card = onnx.export_onnx(
        run,
        faces,
        target,
        name=name,
        precision=_ONNX_PRECISIONS[kind],
        notes={} if evaluations is None else {"evaluations": evaluations},
        split="" if evaluations is None else PUBLIC,
        views=views,
    )
    return _collect_facts(kind, target, card.metrics["keras_difference"], dict(card.metrics))


def _export_keras(
    run: Path, faces: FaceDataset, kind: str, target: Path, name: str, views: int | None
) -> dict[str, Any]:
    from mien.export import formats, onnx

    finished = onnx.load_finished_run(run, faces, name, views)
    plain = formats.to_plain_keras(finished.model, finished.temperatures)
    with convert_output_errors(target):
        difference = formats.write_format(plain, finished.card, kind, target, finished.test_pixels)
    return _collect_facts(kind, target, difference, {})


def _collect_facts(kind: str, target: Path, difference: float, scores: dict[str, Any]) -> dict[str, Any]:
    from mien.export.formats import TOLERANCE

    files = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    return {
        "file": str(target),
        "kind": kind,
        "allowed": TOLERANCE,
        "difference": difference,
        "bytes": sum(path.stat().st_size for path in files),
        "scores": scores,
    }


def _summarize(facts: dict[str, Any]) -> str:
    scores, precision = facts["scores"], facts["kind"] if facts["kind"] in ("int8", "float16") else ""
    before = f"before the conversion to {precision}, " if precision else ""
    difference = f"Keras and the file differ by at most {facts['difference']:.1e} (allowed: {facts['allowed']:.0e})"
    lines = [f"{escape_controls(facts['file'])}: {facts['bytes'] / 1e6:.2f} MB", before + difference]
    for split in ("validation", "training"):
        key = f"{split}_accuracy"
        if key in scores:
            lines.append(f"accuracy on {split} faces: {format_percent(scores[key], 1)}")
        if (after := scores.get(f"{key}_{precision}")) is not None:
            change = 100 * (after - scores[key])
            lines[-1] += f" in float32, {format_percent(after, 1)} in {precision} ({change:+.1f} points)"
    return "\n".join(lines)
