"""``mien distill``: ask large models once, so that small ones can learn from what they said."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_line, print_note
from mien.apps.cli.dataset_options import convert_import_errors, convert_output_errors
from mien.apps.cli.options import LABELS_OPTION, SCALE_OPTION, complete_models, locate_models
from mien.errors import OutputError

if TYPE_CHECKING:
    from mien.training.recipe import Recipe

EPILOG = """\b
Examples:
  mien distill base small.onnx --data faces --recipe student.toml
  mien distill base --data faces --recipe student.toml -o targets/base.npz --one-pass
  mien distill base --data faces --recipe small -o teachers.npz --one-pass

\b
The student's recipe then says
  [distillation]
  targets = "targets/teachers.npz"
  weight = 0.7
and 'mien train' mixes what the teachers said with the labels: 0.7 of theirs, 0.3 of the label's.

\b
Exit status: 0; 1 if a teacher, the recipe or the data cannot be used; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("teachers", nargs=-1, required=True, metavar="TEACHER...", shell_complete=complete_models)
@click.option("--data", required=True, metavar="SRC", help="Faces with labels: fer2013.csv, an .npz, or a folder.")
@click.option("--recipe", metavar="RECIPE", help="The student's, a file or a name: which faces it learns from.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="The .npz; else where RECIPE says.")
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(0.1, 20), help="Above 1: softer.")
@LABELS_OPTION
@SCALE_OPTION
@click.option("--one-pass", is_flag=True, help="One look at each face instead of ten.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one line.")
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
    one_pass: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write what teachers say of the training faces.

    TEACHER is a model from 'mien models', an .onnx or Keras file, or the folder of a training run. Each looks at every
    face ten times, mirrored and moved; the mean of what they say goes into one small file. Only faces the student
    learns from are asked about: those held out of training, PublicTest and PrivateTest never are.
    """
    with convert_import_errors():
        from mien.datasets.combined import load_training_faces
        from mien.evaluation.report import write_file
        from mien.training import distillation
        from mien.training import recipe as shelf
        from mien.training.recipe import Recipe

    student = shelf.load_recipe(recipe) if recipe else Recipe()
    named = bool(recipe) and shelf.is_builtin(str(recipe))  # beside a recipe of mien's own nothing is written
    target = out or (student.resolve_path(student.distillation.targets) if student.distillation.targets and not named else None)
    if target is None:
        raise click.UsageError("where to? Add -o FILE, or a --recipe that has distillation.targets.", context)
    if target.exists() and not force:
        raise OutputError(f"'{target}' is there already", "targets need a new file", "name another, or --force")
    paths = locate_models(context, teachers, labels, scale)
    with ProgressBar() as bar:
        faces = load_training_faces(student.data, student.place, data, bar.update)
    with ProgressBar() as bar:
        found = distillation.distill(
            paths, faces, student, temperature=temperature, many=not one_pass, progress=bar.update
        )
    with convert_output_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    content = found.taught.packed()
    write_file(target, content)
    facts = {"file": str(target), "bytes": len(content), **found.taught.facts}
    print_line(json.dumps(facts, ensure_ascii=False) if as_json else _told(target, len(content), found))
    print_note(escape_controls(_to_use(target, student, str(recipe) if named else "")))


def _to_use(target: Path, student: Recipe, name: str) -> str:
    """How the student hears of the targets: from its recipe, or where that is mien's own from the command line."""
    if name:
        return f"Train the student with: mien train {name} --set distillation.targets={shlex.quote(str(target))}"
    beside = os.path.relpath(target, student.place).replace(os.sep, "/")
    return f'The student\'s recipe says: [distillation] targets = "{beside}"'


def _told(target: Path, size: int, found: object) -> str:
    from mien.training.distillation import DistillationResult

    assert isinstance(found, DistillationResult)
    facts = found.taught.facts
    names = ", ".join(each["name"] for each in facts["teachers"])
    who, they = ("teacher", "it gets") if len(facts["teachers"]) == 1 else ("teachers", "together they get")
    looks = "one look" if facts["looks"] == 1 else f"{facts['looks']} looks"
    lines = [
        f"{escape_controls(str(target))}: {len(found.taught.keys):,} faces, {size / 1e6:.2f} MB",
        f"{who} {escape_controls(names)}, {looks} at each face",
    ]
    if found.together:
        right = f"{100 * found.together['accuracy']:.1f} %"
        lines += [f"{they} {right} of {found.together['faces']:,} held-out faces right"]
    return "\n".join(lines)
