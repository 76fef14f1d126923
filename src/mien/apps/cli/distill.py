"""``mien distill``: ask large models once, so that small ones can learn from what they said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from mien.apps.cli.bar import Bar
from mien.apps.cli.choices import complete_models
from mien.apps.cli.data_source import extras, writing
from mien.apps.cli.located import located
from mien.apps.cli.output import printable, remark, say
from mien.errors import OutputError

EPILOG = """\b
Examples:
  mien distill base small.onnx --data faces --recipe student.toml
  mien distill base --data faces --recipe student.toml -o targets/base.npz --one-pass

\b
The student's recipe then says
  [teach]
  targets = "targets/teachers.npz"
  weight = 0.7
and 'mien train' mixes what the teachers said with the labels: 0.7 of theirs, 0.3 of the label's.

\b
Exit status: 0; 1 if a teacher, the recipe or the data cannot be used; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("teachers", nargs=-1, required=True, metavar="TEACHER...", shell_complete=complete_models)
@click.option("--data", required=True, metavar="SRC", help="Faces with labels: fer2013.csv, an .npz, or a folder.")
@click.option("--recipe", type=click.Path(path_type=Path), help="The student's: which faces it learns from.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="The .npz; else where RECIPE says.")
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(0.1, 20), help="Above 1: softer.")
@click.option("--one-pass", is_flag=True, help="One look at each face instead of ten.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one line.")
@click.pass_context
def distill(
    context: click.Context,
    /,
    teachers: tuple[str, ...],
    data: str,
    recipe: Path | None,
    out: Path | None,
    temperature: float,
    one_pass: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write what teachers say of the training faces.

    TEACHER is a model from 'mien models', an .onnx file or the folder of a training run. Each looks at every face ten
    times, mirrored and moved; the mean of what they say goes into one small file. Only faces the student learns from
    are asked about: those held out of training, PublicTest and PrivateTest never are.
    """
    with extras():
        from mien.lab import distill as lab
        from mien.lab.recipe import Recipe
        from mien.lab.sheet import written
        from mien.lab.sources import read

    student = Recipe.read(recipe) if recipe else Recipe()
    target = out or (student.beside(student.teach.targets) if student.teach.targets else None)
    if target is None:
        raise click.UsageError("where to? Add -o FILE, or a --recipe that has teach.targets.", context)
    if target.exists() and not force:
        raise OutputError(f"'{target}' is there already", "targets need a new file", "name another, or --force")
    paths = [located(context, word) for word in teachers]
    with Bar() as bar:
        faces = read(data, progress=bar.update).faces
    with Bar() as bar:
        found = lab.distill(paths, faces, student, temperature=temperature, many=not one_pass, progress=bar.update)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    content = found.taught.packed()
    written(target, content)
    facts = {"file": str(target), "bytes": len(content), **found.taught.facts}
    say(json.dumps(facts, ensure_ascii=False) if as_json else _told(target, len(content), found))
    beside = os.path.relpath(target, student.place).replace(os.sep, "/")
    remark(f'The student\'s recipe says: [teach] targets = "{printable(beside)}"')


def _told(target: Path, size: int, found: object) -> str:
    from mien.lab.distill import Distilled

    assert isinstance(found, Distilled)
    facts = found.taught.facts
    names = ", ".join(each["name"] for each in facts["teachers"])
    lines = [
        f"{printable(str(target))}: {len(found.taught.keys):,} faces, {size / 1e6:.2f} MB",
        f"teachers {printable(names)}, {facts['looks']} looks at each face",
    ]
    if found.together:
        right = f"{100 * found.together['accuracy']:.1f} %"
        lines += [f"together they get {right} of {found.together['faces']:,} held-out faces right"]
    return "\n".join(lines)
