"""``mien train``: from a recipe and faces to a run's folder, killed and taken up again as often as it takes."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.bar import Bar
from mien.apps.cli.data_source import extras
from mien.apps.cli.output import alone_on_stderr, printable, remark, say

if TYPE_CHECKING:
    from mien.apps.cli.train_view import View
    from mien.lab.data import Faces
    from mien.lab.events import Stopped
    from mien.lab.recipe import Recipe

EPILOG = """\b
Examples:
  mien train --net basic --data faces --epochs 1 --name mine
  mien train --net basic --data faces --epochs 1 --name two --classes happy,sad --set fit.rate=0.0005

\b
The same command goes on where a run was stopped or killed. --set takes every setting of a recipe:
net.width=48, net.depth=2,2,2, fit.rate=0.001, augment.mixup=0.2, loss.balanced=true, ...

\b
Exit status: 0; 1 if recipe or data cannot be used, or the training cannot go on; 2 for wrong usage;
130 and 143 after Ctrl-C and SIGTERM, which save first.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe", required=False)
@click.option("--net", metavar="NAME", help="A network's name, in its usual recipe or in RECIPE.")
@click.option("--data", multiple=True, metavar="SRC", help="Faces with labels: a .csv, .npz or folder. Again: more.")
@click.option("--epochs", type=click.IntRange(1), help="How often every face is seen.")
@click.option("--name", metavar="NAME", help="What the run is called. Without it: as the recipe.")
@click.option("--classes", metavar="A,B,...", help="Only these expressions, in this order.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="One setting of the recipe. Again: more.")
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True, help="Where runs are.")
@click.option("--resume", is_flag=True, help="Go on with a run, and never begin one. To go on needs no option.")
@click.option("--force", is_flag=True, help="Begin anew where a run is already.")
def train(
    recipe: str | None,
    net: str | None,
    data: tuple[str, ...],
    epochs: int | None,
    name: str | None,
    classes: str | None,
    settings: tuple[str, ...],
    runs: Path,
    resume: bool,
    force: bool,
) -> None:
    """Train a network.

    RECIPE is a TOML file, or the name of one that comes with mien. The run's folder receives the recipe
    as it was resolved, its history and curves, the model for mien (model.onnx), for plain Keras
    (emotion_model.keras, and emotion_model.h5 where such a file has a place for the net), and the figures
    that came out (metrics.json).
    """
    from mien.apps.cli.train_view import View
    from mien.lab import checkpoint, run_folder

    if not recipe and not net:
        raise click.UsageError("a RECIPE or --net is needed, say: mien train --net basic --data fer2013.csv")
    if resume and force:
        raise click.UsageError("--resume goes on, --force begins anew: one of them")
    chosen = _chosen(recipe, net, data, epochs, name, classes, settings)
    folder = runs / _word(chosen.name)
    if resume and not checkpoint.has_state(folder):
        raise click.UsageError(f"there is no run in '{folder}' to go on with")
    run_folder.refuse_others(folder, force)
    faces = _faces(chosen)
    with extras(), alone_on_stderr(), View(chosen.fit.batch) as view:
        metrics = _trained(chosen, faces, folder, force, view)
    say(_summary(metrics, folder))


def _word(name: str) -> str:
    """A name that is one folder."""
    if not name.strip() or name == os.pardir or Path(name).name != name:
        raise click.BadParameter(f"'{name}' is no name for a folder; --runs says where runs are", param_hint="--name")
    return name


def _chosen(
    recipe: str | None,
    net: str | None,
    data: tuple[str, ...],
    epochs: int | None,
    name: str | None,
    classes: str | None,
    settings: tuple[str, ...],
) -> Recipe:
    """The recipe with everything on the command line in it; options go before --set, which may say all of them."""
    from dataclasses import replace

    from mien.lab import shelf
    from mien.lab.recipe import Source
    from mien.lab.settings import with_settings

    found = shelf.recipe(recipe) if recipe else shelf.of_net(net or "")
    options = {"net.name": net, "fit.epochs": epochs, "name": name, "data.classes": classes}
    found = with_settings(found, [f"{key}={value}" for key, value in options.items() if value is not None])
    if data:
        sources = tuple(Source(os.path.abspath(path)) for path in data)  # noqa: PTH100 (a path that need not exist)
        found = replace(found, data=replace(found.data, sources=sources))
    return with_settings(found, settings)


def _faces(recipe: Recipe) -> Faces:
    with extras(), Bar() as bar:
        from mien.lab.sources.several import of_recipe

        return of_recipe(recipe, bar.update)


def _trained(recipe: Recipe, faces: Faces, folder: Path, force: bool, view: View) -> dict[str, Any]:
    """The run, stopped by a signal at its next step, after which the command says how to go on."""
    from mien.apps.cli.stopping import Signals
    from mien.lab.events import Stopped

    # What TensorFlow tells about itself, and that HDF5 is old, is for those who build them.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)
    from mien.lab.training import train

    with Signals() as signals:
        try:
            return train(
                recipe, faces, folder, command=_command(), force=force, watch=view, stop=lambda: bool(signals.came)
            )
        except Stopped as stopped:
            view.close()
            remark(_how_to_go_on(stopped, folder))
            raise signals.error() from None


def _command(*but: str) -> str:
    return shlex.join(["mien", *(word for word in sys.argv[1:] if word not in but)])


def _how_to_go_on(stopped: Stopped, folder: Path) -> str:
    where = f"in epoch {stopped.epochs + 1}, after step {stopped.steps:,}"
    return f"mien: stopped {where}; all of it is saved in {printable(str(folder))}. To go on: {_command('--force')}"


def _summary(metrics: dict[str, Any], folder: Path) -> str:
    from mien.lab.run_folder import ONNX

    low, high = metrics["ci95"]
    split = {"public": "PublicTest", "validation": "the faces held out"}[metrics["split"]]
    scored = f"{100 * metrics['accuracy']:.1f} % right on {split} ({100 * low:.1f} to {100 * high:.1f})"
    place = printable(str(folder))
    return f"{scored}, {metrics['training']['epochs']} epochs. Read faces with: --model {place} ({ONNX} in it)"
