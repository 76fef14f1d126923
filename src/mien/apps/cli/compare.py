"""``mien compare``: several models in one table, and whether the best is really better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.bar import Bar
from mien.apps.cli.choices import complete_models
from mien.apps.cli.evaluate import SPLIT
from mien.apps.cli.located import located
from mien.apps.cli.output import printable, remark, say

if TYPE_CHECKING:
    from mien.lab.compare import Entry
    from mien.lab.data import Faces

EPILOG = """\b
Examples:
  mien compare base small.onnx --data faces
  mien compare base small.onnx --data faces -o comparison

\b
Exit status: 0; 1 if a model, an evaluation or the data cannot be used; 2 for wrong usage.
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_models)
@click.option("--data", metavar="SRC", help="Faces with labels, for a RUN that was not evaluated yet.")
@SPLIT
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for table, figure and page.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one line of JSON.")
@click.pass_context
def compare(
    context: click.Context, /, runs: tuple[str, ...], data: str | None, split: str, out: Path | None, as_json: bool
) -> None:
    """Compare models on the same faces.

    RUN is a folder that 'mien evaluate' wrote, or with --data a model from 'mien models', an .onnx
    file or the folder of a training run. Runs of one recipe that differ in their seed become one row.
    McNemar's test says whether the best two really differ.
    """
    from contextlib import nullcontext

    from mien.lab import compare as lab
    from mien.lab import compare_report as told
    from mien.lab.sheet import place

    with place(out) if out else nullcontext():
        found = lab.compare(_entries(context, runs, data, split))
        page = told.write(out, found)[-1] if out else None
    say(json.dumps(told.figures(found), ensure_ascii=False) if as_json else told.text(found).rstrip())
    if page:
        remark(f"The whole comparison: {printable(str(page))}")


def _entries(context: click.Context, runs: tuple[str, ...], data: str | None, split: str) -> list[Entry]:
    """Everything evaluated is read before anything is evaluated, so that a mistyped word costs no time."""
    from mien.lab.compare import read

    evaluated = {run: read(Path(run)) for run in runs}
    models = {run: located(context, run) for run, entry in evaluated.items() if entry is None}
    if models and data is None:
        word = next(iter(models))
        raise click.UsageError(f"'{word}' was not evaluated yet. Add --data, the faces to evaluate it on.", context)
    faces = _faces(data) if models and data else None
    return [entry or _measured(models[run], faces, split) for run, entry in evaluated.items()]


def _faces(data: str) -> Faces:
    from mien.lab.sources import read

    with Bar() as bar:
        return read(data, progress=bar.update).faces


def _measured(path: Path, faces: Faces | None, split: str) -> Entry:
    from mien.lab.compare import measured
    from mien.lab.evaluate import examine

    assert faces is not None, "faces were asked for where a model is to be measured"
    with Bar() as bar:
        found, metrics = examine(path, faces, split, augmented=False, progress=bar.update)
    return measured(found, metrics, path)
