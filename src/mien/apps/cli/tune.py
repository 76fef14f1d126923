"""``mien tune``: search for better settings of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_note, print_result, silence_stderr
from mien.apps.cli.options import convert_import_errors, load_recipe_faces
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.training.callbacks import Event
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
Ctrl-C and SIGTERM: the same command resumes the search.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe")
@click.option(
    "--space", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The search space, as TOML."
)
@click.option("--trials", default=20, show_default=True, type=click.IntRange(1), help="Number of trials.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Maximum time of the search.")
@click.option("--data", metavar="SRC", help="Labelled faces. Default: the sources of the recipe.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="Default: tuned/ and the name of the recipe."
)
@click.option("--json", "as_json", is_flag=True, help="Print the best trial as one line of JSON.")
def tune(
    recipe: str, space: Path, trials: int, hours: float | None, data: str | None, out: Path | None, as_json: bool
) -> None:
    """Search for better settings of RECIPE.

    RECIPE is a TOML file or the name of a built-in recipe. Each trial is a training with other settings; trials that
    are worse than the others are pruned. The folder receives the study (study.db), trials.csv, best.toml, and figures
    of the importance of the settings. After an interruption the same command resumes the search. The validation faces
    of the recipe are not used: trials are compared on other Training faces.
    """
    with convert_import_errors(), silence_stderr():
        from mien.evaluation.report import output_folder
        from mien.training import search
        from mien.training.recipe import load_recipe

        start, dimensions = load_recipe(recipe), search.read_space(space)
        folder = out or Path("tuned", start.name)
        with output_folder(folder):
            faces = load_recipe_faces(start, data)
            epochs = start.training.epochs
            with ProgressBar(trials * epochs, amount="{:,} epochs".format) as bar:
                progress = _SearchProgress(bar, epochs)
                result = search.search_settings(
                    start,
                    dimensions,
                    faces,
                    folder,
                    trials=trials,
                    hours=hours,
                    callback=progress.update_epoch,
                    trial_callback=progress.finish_trial,
                )
        _plot_result(folder, result)
    print_result(as_json, _to_table(result), _summarize(result))
    if result.best:
        print_note(f"Train it: mien train {escape_controls(str(folder / search.BEST))} --name best")


class _SearchProgress:
    """A progress bar over the epochs of all trials, and one line for each trial that ends."""

    def __init__(self, bar: ProgressBar, epochs: int) -> None:
        self._bar, self._epochs, self._trials = bar, epochs, 0

    def update_epoch(self, event: Event) -> None:
        from mien.training.callbacks import EpochEvent

        if isinstance(event, EpochEvent):
            self._bar.update(self._trials * self._epochs + len(event.history))

    def finish_trial(self, trial: Trial, result: SearchResult) -> None:
        self._trials += 1
        self._bar.clear()
        print_note(_format_trial(trial))


def _format_trial(trial: Trial) -> str:
    value = "" if trial.value is None else f"{format_percent(trial.value, 1)} "
    settings = ", ".join(f"{key} {_format_value(each)}" for key, each in trial.settings.items())
    return escape_controls(f"trial {trial.number}: {value}{trial.state} after {trial.epochs} epochs ({settings})")


def _format_value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plot_result(folder: Path, result: SearchResult) -> None:
    from mien import plots
    from mien.evaluation.report import write_file

    values = [trial.value for trial in result.trials]
    if any(value is not None for value in values):
        figure = plots.plot_trials(values, [trial.state == "finished" for trial in result.trials])
        write_file(folder / "trials.png", plots.render_png(figure))
    if result.importance:
        write_file(folder / "importance.png", plots.render_png(plots.plot_importance(result.importance)))


def _to_table(result: SearchResult) -> dict[str, Any]:
    best = result.best
    return {
        "trials": len(result.trials),
        "best": best and {"trial": best.number, "accuracy": best.value, "settings": dict(best.settings)},
        "importance": dict(result.importance),
    }


def _summarize(result: SearchResult) -> str:
    if result.best is None:
        return "No trial is finished yet; the same command resumes the search."
    lines = [f"best: {_format_trial(result.best)}"]
    ranked = sorted(result.importance.items(), key=lambda item: -item[1])
    lines += [f"  {key} explains {100 * fraction:.0f} % of the differences" for key, fraction in ranked]
    return "\n".join(lines)
