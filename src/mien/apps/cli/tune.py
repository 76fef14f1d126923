"""``mien tune``: try settings of a recipe, and keep the best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_line, print_note, silence_stderr
from mien.apps.cli.dataset_options import convert_import_errors

if TYPE_CHECKING:
    from mien.datasets.dataset import FaceDataset
    from mien.training.callbacks import Event
    from mien.training.recipe import Recipe
    from mien.training.search import SearchResult, Trial

EPILOG = """\b
Examples:
  mien tune tiny.toml --space space.toml --trials 2 --data faces -o tuned

\b
SPACE has a section for each setting that is tried:
  [training.learning_rate]
  low = 0.01
  high = 0.3
  log = true
  [net.width]
  choices = [24, 32, 48]

\b
Exit status: 0; 1 if recipe, space or data cannot be used; 2 for wrong usage; 130 and 143 after
Ctrl-C and SIGTERM: the same command goes on.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe")
@click.option("--space", required=True, type=click.Path(path_type=Path), metavar="FILE", help="What to try, as TOML.")
@click.option("--trials", default=20, show_default=True, type=click.IntRange(1), help="Until so many were tried.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Or until so much time is over.")
@click.option("--data", metavar="SRC", help="Faces with labels. Without it: those the recipe names.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="Else tuned/ and the recipe's name.")
@click.option("--json", "as_json", is_flag=True, help="Print the best trial as one line.")
def tune(
    recipe: str, space: Path, trials: int, hours: float | None, data: str | None, out: Path | None, as_json: bool
) -> None:
    """Search for better settings of RECIPE.

    RECIPE is a TOML file, or the name of one that comes with mien. Each trial is a training with other settings; those
    that lie behind are ended early. The folder receives the study (study.db), trials.csv, best.toml, and figures of
    which settings made the difference. Killed at any moment, the same command goes on. What the recipe holds out stays
    untouched: settings are chosen on other Training faces.
    """
    with convert_import_errors(), silence_stderr():
        from mien.evaluation.report import output_folder
        from mien.training import recipe as shelf
        from mien.training import search

        start, tried = shelf.load_recipe(recipe), search.read_space(space)
        folder = out or Path("tuned", start.name)
        with output_folder(folder):
            faces = _faces(start, data)
            with ProgressBar(trials * start.training.epochs, amount="{:,} epochs".format) as bar:
                view = _View(bar, start.training.epochs)
                found = search.search_settings(
                    start, tried, faces, folder, trials=trials, hours=hours, watch=view.watch, tell=view.tell
                )
        _draw(folder, found)
    print_line(json.dumps(_plain(found), ensure_ascii=False) if as_json else _told(found))
    if found.best:
        print_note(f"Train it: mien train {escape_controls(str(folder / search.BEST))} --name best")


def _faces(recipe: Recipe, data: str | None) -> FaceDataset:
    from mien.datasets.combined import load_training_faces

    with ProgressBar() as bar:
        return load_training_faces(recipe.data, recipe.folder, data, bar.update)


class _View:
    """A bar over all epochs that may come, and a line for each trial that ended."""

    def __init__(self, bar: ProgressBar, epochs: int) -> None:
        self._bar, self._epochs, self._trials, self._inside = bar, epochs, 0, 0

    def watch(self, event: Event) -> None:
        from mien.training.callbacks import EpochEvent

        if isinstance(event, EpochEvent):
            self._inside = len(event.history)
            self._bar.update(self._trials * self._epochs + self._inside)

    def tell(self, trial: Trial, found: SearchResult) -> None:
        self._trials += 1
        self._bar.wipe()
        print_note(_line(trial))


def _line(trial: Trial) -> str:
    value = "" if trial.value is None else f"{100 * trial.value:.1f} % "
    settings = ", ".join(f"{key} {_short(each)}" for key, each in trial.settings.items())
    return escape_controls(f"trial {trial.number}: {value}{trial.state} after {trial.epochs} epochs ({settings})")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw(folder: Path, found: SearchResult) -> None:
    from mien import plots
    from mien.evaluation.report import write_file

    values, whole = [each.value for each in found.trials], [each.state == "finished" for each in found.trials]
    if any(value is not None for value in values):
        write_file(folder / "trials.png", plots.render_png(plots.plot_trials(values, whole)))
    if found.importance:
        write_file(folder / "importance.png", plots.render_png(plots.plot_importance(found.importance)))


def _plain(found: SearchResult) -> dict[str, Any]:
    best = found.best
    return {
        "trials": len(found.trials),
        "best": best and {"trial": best.number, "accuracy": best.value, "settings": dict(best.settings)},
        "importance": dict(found.importance),
    }


def _told(found: SearchResult) -> str:
    if found.best is None:
        return "No trial was finished yet; the same command goes on."
    lines = [f"best: {_line(found.best)}"]
    ranked = sorted(found.importance.items(), key=lambda part: -part[1])
    lines += [f"  {100 * part:3.0f} % of the differences come from {key}" for key, part in ranked]
    return "\n".join(lines)
