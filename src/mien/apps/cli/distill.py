"""``mien distill``: write soft targets of teachers for the training of a student."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import ProgressBar, convert_output_errors, escape_controls, print_note, print_result
from mien.apps.cli.options import (
    DATA_OPTION,
    KERAS_OPTIONS,
    check_new_file,
    complete_models,
    convert_import_errors,
    load_recipe_faces,
    locate_models,
)
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.training.distillation import DistillationResult
    from mien.training.recipe import Recipe

EPILOG = """\b
Examples:
  mien distill base small.onnx --data faces --recipe student.toml
  mien distill base --data faces --recipe student.toml -o targets/base.npz --no-tta
  mien distill base --data faces --recipe small -o teachers.npz --no-tta
  mien distill runs/teacher-1 runs/teacher-2 --folds --data faces -o out-of-fold.npz

\b
The recipe of the student then has
  [distillation]
  targets = "targets/teachers.npz"
  weight = 0.7
and 'mien train' mixes the soft targets with the labels: 0.7 of the soft targets, 0.3 of the labels.

\b
Exit status: 0; 1 if a teacher, the recipe or the data cannot be used; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("teachers", nargs=-1, required=True, metavar="TEACHER...", shell_complete=complete_models)
@DATA_OPTION
@click.option("--recipe", metavar="RECIPE", help="The recipe of the student: a file, or the name of a built-in one.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="The .npz file. Default: that of RECIPE."
)
@click.option(
    "--temperature", default=1.0, show_default=True, type=click.FloatRange(0.1, 20), help="Above 1: softer targets."
)
@KERAS_OPTIONS
@click.option("--no-tta", is_flag=True, help="No test-time augmentation: one view of each face instead of ten.")
@click.option("--folds", is_flag=True, help="TEACHER are runs of all folds; each predicts the faces of its own fold.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts about the file as one line of JSON.")
@click.pass_context
def distill(
    context: click.Context,
    /,
    teachers: tuple[str, ...],
    data: str,
    recipe: str | None,
    out: Path | None,
    temperature: float,
    labels: str | None,
    scale: str | None,
    no_tta: bool,
    folds: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write soft targets of teachers for the training faces.

    TEACHER is a model from 'mien models', an .onnx or Keras file, or the folder of a training run. Each teacher
    predicts ten views of every face (mirrored and shifted); the means of all teachers are written to one small file.
    Only training faces of the student get soft targets; validation faces, PublicTest and PrivateTest never do.

    With --folds the teachers are runs whose recipes have data.folds, at least one for each fold. Each predicts only the
    faces that it was not trained on. 'mien evaluate --model FILE.npz' measures these out-of-fold predictions.
    """
    if folds:
        if recipe or labels or scale or temperature != 1:
            happened = "--folds predicts with runs, and fits their temperatures"
            raise click.UsageError(f"{happened}. Leave out --recipe, --labels, --scale and --temperature.", context)
        _distill_folds(context, [Path(teacher) for teacher in teachers], data, out, not no_tta, force, as_json)
        return
    with convert_import_errors():
        from mien.evaluation.report import write_file
        from mien.training import distillation
        from mien.training.recipe import Recipe, is_builtin, load_recipe

    student = load_recipe(recipe) if recipe else Recipe()
    builtin = recipe if recipe and is_builtin(recipe) else ""
    target = out
    if target is None and student.distillation.targets and not builtin:  # nothing is written beside built-in recipes
        target = student.resolve_path(student.distillation.targets)
    if target is None:
        raise click.UsageError("no output file: add -o FILE, or a --recipe that has distillation.targets.", context)
    check_new_file(target, force)
    paths = locate_models(context, teachers, labels, scale)
    faces = load_recipe_faces(student, data)
    with ProgressBar() as bar:
        result = distillation.distill(
            paths, faces, student, temperature=temperature, tta=not no_tta, progress=bar.update
        )
    with convert_output_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    content = result.soft_targets.to_bytes()
    write_file(target, content)
    facts = {"file": str(target), "bytes": len(content), **result.soft_targets.facts}
    print_result(as_json, facts, _summarize(target, len(content), result))
    print_note(escape_controls(_describe_use(target, student, builtin)))


def _distill_folds(
    context: click.Context, runs: list[Path], data: str, out: Path | None, tta: bool, force: bool, as_json: bool
) -> None:
    with convert_import_errors():
        from mien.evaluation.report import write_file
        from mien.training import checkpoint, out_of_fold

    if out is None:
        raise click.UsageError("no output file: add -o FILE.", context)
    check_new_file(out, force)
    faces = load_recipe_faces(checkpoint.read_recipe(runs[0]), data)
    with ProgressBar() as bar:
        soft_targets = out_of_fold.predict_folds(runs, faces, tta=tta, progress=bar.update)
    with convert_output_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    content = soft_targets.to_bytes()
    write_file(out, content)
    facts = {"file": str(out), "bytes": len(content), **soft_targets.facts}
    lines = [f"{escape_controls(str(out))}: {facts['faces']:,} faces, {len(content) / 1e6:.2f} MB"]
    for run in facts["runs"]:
        accuracy = f"accuracy {format_percent(run['accuracy'], 1)} on {run['faces']:,} faces"
        lines.append(f"fold {run['fold']}  {escape_controls(run['name'])}  {accuracy}")
    print_result(as_json, facts, "\n".join(lines))
    command = shlex.join(["mien", "evaluate", "--model", str(out), "--data", data, "-o", str(out.with_suffix(""))])
    print_note(escape_controls(f"Measure them with: {command}"))


def _describe_use(target: Path, student: Recipe, builtin: str) -> str:
    """How the student is trained with the file."""
    if builtin:
        setting = f"distillation.targets={shlex.quote(str(target))}"
        return f"Train the student with: mien train {builtin} --set {setting}"
    path = os.path.relpath(target, student.folder).replace(os.sep, "/")
    return f'In the recipe of the student: [distillation] targets = "{path}"'


def _summarize(target: Path, size: int, result: DistillationResult) -> str:
    facts = result.soft_targets.facts
    names = [each["name"] for each in facts["teachers"]]
    teachers = f"teacher{'' if len(names) == 1 else 's'} {escape_controls(', '.join(names))}"
    views = "one view" if facts["views"] == 1 else f"{facts['views']} views"
    lines = [
        f"{escape_controls(str(target))}: {len(result.soft_targets.hashes):,} faces, {size / 1e6:.2f} MB",
        f"{teachers}, {views} of each face",
    ]
    if result.ensemble:
        accuracy, faces = format_percent(result.ensemble["accuracy"], 1), result.ensemble["faces"]
        lines.append(f"ensemble accuracy {accuracy} on {faces:,} validation faces")
    return "\n".join(lines)
