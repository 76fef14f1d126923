"""``mien export``: write a finished training run as the kind of file that somebody else loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_line, print_note, silence_stderr
from mien.apps.cli.dataset_options import convert_import_errors, convert_output_errors
from mien.errors import OutputError

if TYPE_CHECKING:
    from mien.datasets.dataset import FaceDataset
    from mien.training.recipe import Recipe

#: Kinds that are ONNX files with a card.
_ONNX = ("onnx", "int8", "float16")

#: What is appended to the run's name where no file is named.
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
Exit status: 0; 1 if the run or the data cannot be used, or the file answers otherwise than Keras does;
2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "kind", required=True, type=click.Choice(list(SUFFIXES)), help="The kind of file.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="Else NAME with the kind's suffix.")
@click.option("--data", metavar="SRC", help="The faces the run learned from. Without it: those its recipe names.")
@click.option("--name", metavar="NAME", help="What the card calls the model. Without it: as the recipe does.")
@click.option(
    "--scores",
    type=click.Choice(["validation", "public"]),
    default="validation",
    show_default=True,
    help="Faces the card's figures are of: those held out, or PublicTest, which is a look at the test.",
)
@click.option("--looks", type=click.IntRange(1), help="How often PublicTest was looked at, this time counted.")
@click.option(
    "--views",
    type=click.Choice(["1", "2", "4"]),
    help="Views of a face to answer from: 2 has its mirror image, 4 both from two corners. Else: as the recipe says.",
)
@click.option("--force", is_flag=True, help="Write over what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one line.")
@click.pass_context
def export(context: click.Context, /, run: Path, kind: str, out: Path | None, force: bool, **how: Any) -> None:
    """Write a training run as a model file.

    \b
    onnx        every window of mien loads it; the card with labels and scores is inside
    int8        the same in eight bits: a third of the size and of the time
    float16     the same with weights of half the size
    keras, h5   plain Keras loads them without mien
    savedmodel  a folder for TensorFlow Serving
    tflite      for phones

    Before anything is written the file is read back and asked about real faces, one and three at a time: it has to say
    what the run says. What eight bits cost is measured on the faces that were held out, and told in the card.
    """
    if how["looks"] and how["scores"] != "public":
        raise click.UsageError("--looks counts looks at PublicTest. Add --scores public.", context)
    with convert_import_errors(), silence_stderr():
        from mien.training import checkpoint

        recipe = checkpoint.read_recipe(run)
        target = out or Path(recipe.name + SUFFIXES[kind])
        if target.exists() and not force:
            raise OutputError(f"'{target}' is there already", "an export needs a new file", "name another, or --force")
        faces = _faces(recipe, how["data"])
        with convert_output_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        facts = _written(run, faces, kind, target, how)
    print_line(json.dumps(facts, ensure_ascii=False) if how["as_json"] else _told(facts))
    if kind in _ONNX:
        print_note(f"Try it: mien predict photo.jpg --model {escape_controls(str(target))}")


def _faces(recipe: Recipe, data: str | None) -> FaceDataset:
    from mien.datasets.combined import load_training_faces

    with ProgressBar() as bar:
        return load_training_faces(recipe.data, recipe.folder, data, bar.update)


def _written(run: Path, faces: FaceDataset, kind: str, target: Path, how: dict[str, Any]) -> dict[str, Any]:
    from mien.datasets.dataset import PUBLIC
    from mien.export import formats, onnx

    facts = {"file": str(target), "kind": kind, "allowed": formats.TOLERANCE}
    if kind in _ONNX:
        split = PUBLIC if how["scores"] == "public" else ""
        notes = {"looks": how["looks"] or 1} if split else {}
        card = onnx.export_onnx(
            run,
            faces,
            target,
            name=how["name"] or "",
            eight_bit=kind == "int8",
            sixteen_bit=kind == "float16",
            notes=notes,
            split=split,
            views=_views(how),
        )
        return facts | {"difference": card.scores["keras_difference"], "bytes": _size(target), "scores": card.scores}
    done = onnx.load_finished_run(run, faces, how["name"] or "", _views(how))
    net = formats.to_plain_keras(done.model, done.fitted.temperatures)
    with convert_output_errors(target):
        worst = formats.write_format(net, done.card, kind, target, done.real)
    return facts | {"difference": worst, "bytes": _size(target), "scores": {}}


def _views(how: dict[str, Any]) -> int | None:
    return int(how["views"]) if how["views"] else None


def _size(target: Path) -> int:
    files = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def _told(facts: dict[str, Any]) -> str:
    scores, small = facts["scores"], facts["kind"] if facts["kind"] in ("int8", "float16") else ""
    before = f"before it became {small}, " if small else ""
    lines = [
        f"{escape_controls(facts['file'])}: {facts['bytes'] / 1e6:.2f} MB",
        f"{before}Keras and the file differ by {facts['difference']:.1e} at most (allowed: {facts['allowed']:.0e})",
    ]
    for key, faces in {"held_out_accuracy": "the held-out faces", "learned_accuracy": "faces it learned from"}.items():
        if key in scores:
            lines.append(f"{100 * scores[key]:.1f} % of {faces} are right")
        if (after := scores.get(f"{key}_{small}")) is not None:
            change = 100 * (after - scores[key])
            lines[-1] += f" in float32, {100 * after:.1f} % in {small} ({change:+.1f} points)"
    return "\n".join(lines)
