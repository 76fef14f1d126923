"""``mien runs``: list training runs, show and plot them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import escape_controls, format_columns, format_elapsed, print_note, print_result
from mien.apps.cli.options import convert_import_errors, make_png_option, write_png
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.training.run_folder import TrainingRun

EPILOG = """\b
Examples:
  mien runs
  mien runs --json
  mien runs show earlier
  mien runs plot earlier -o curves.png
"""

SHOW_EPILOG = """\b
Examples:
  mien runs show earlier
  mien runs show earlier --json
"""

PLOT_EPILOG = """\b
Examples:
  mien runs plot earlier -o curves.png
  mien runs plot earlier another -o both.png
"""

RUNS_OPTION = click.option(
    "--runs", "folder", type=click.Path(path_type=Path), default="runs", show_default=True, help="Folder of all runs."
)


@click.group(invoke_without_command=True, epilog=EPILOG)
@RUNS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the list as one JSON array.")
@click.pass_context
def runs(context: click.Context, folder: Path, as_json: bool) -> None:
    """List training runs, show and plot them."""
    if context.invoked_subcommand is not None:
        return
    from mien.training.run_folder import list_runs

    entries = list(list_runs(folder))
    if as_json or entries:
        titles = ("NAME", "NET", "EPOCHS", "BEST VALIDATION", "ACCURACY", "STARTED", "STATE")
        table = format_columns([titles, *map(_format_cells, entries)])
        print_result(as_json, [summarize_run(run) for run in entries], table)
    else:
        print_note(f"There are no runs in '{escape_controls(str(folder))}' yet. 'mien train' starts one.")


@runs.command(epilog=SHOW_EPILOG)
@click.argument("name")
@RUNS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print everything as one line of JSON.")
def show(name: str, folder: Path, as_json: bool) -> None:
    """Show one run: its state, its scores, and the settings that are not the default."""
    from mien.training.run_folder import find_run

    run = find_run(name, folder)
    values = {
        **summarize_run(run),
        "recipe": run.recipe.to_table() if run.recipe else None,
        "history": run.history,
        "metrics": run.metrics,
        "environment": run.environment,
    }
    print_result(as_json, values, format_columns(_describe_run(run)))


@runs.command(epilog=PLOT_EPILOG)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@RUNS_OPTION
@make_png_option("The .png file.")
def plot(names: tuple[str, ...], folder: Path, out: Path) -> None:
    """Plot the curves of one run, or of several runs for comparison."""
    from mien.errors import ExperimentError
    from mien.training.run_folder import find_run

    entries = [find_run(name, folder) for name in names]
    if early := [run.name for run in entries if not run.history]:
        raise ExperimentError(
            f"'{early[0]}' has no completed epoch yet", "a run with a history was expected", "Wait for its first epoch"
        )
    with convert_import_errors():
        from mien import plots
    figure = plots.plot_runs({run.name: run.history for run in entries})
    write_png(out, plots.render_png(figure, synthetic=any(run.synthetic for run in entries)))


def summarize_run(run: TrainingRun) -> dict[str, Any]:
    """A run as plain values."""
    return {
        "name": run.name,
        "folder": str(run.folder),
        "state": run.state,
        "net": run.recipe.net.name if run.recipe else None,
        "epochs": run.epochs,
        "planned": run.recipe.training.epochs if run.recipe else None,
        "best_validation_accuracy": run.best[0] if run.best else None,
        "best_epoch": run.best[1] if run.best else None,
        "split": run.metrics.get("split"),
        "accuracy": run.metrics.get("accuracy"),
        "started": run.environment.get("started"),
        "seconds": run.seconds,
    }


def _format_cells(run: TrainingRun) -> tuple[str, ...]:
    facts = summarize_run(run)
    return (
        run.name,
        facts["net"] or "?",
        f"{run.epochs} of {facts['planned'] or '?'}",
        f"{_format_percent(facts['best_validation_accuracy'])} in {facts['best_epoch']}" if run.best else "",
        f"{_format_percent(facts['accuracy'])} {facts['split']}" if facts["accuracy"] is not None else "",
        _format_time(facts["started"]),
        run.state,
    )


def _describe_run(run: TrainingRun) -> list[tuple[str, str]]:
    from mien.training.recipe import Recipe

    name, net, epochs, best, accuracy, started, state = _format_cells(run)
    data = run.environment.get("data", {})
    machine = run.environment.get("machine", {})
    lines = [
        ("run", f"{name}: {state}"),
        ("net", net),
        ("epochs", f"{epochs}, {format_elapsed(run.seconds)} of training"),
        ("best validation", best and best.replace(" in ", " in epoch ")),
        ("accuracy", accuracy),
        ("started", started),
        ("data", f"{data['faces']:,} faces, fingerprint {data['fingerprint']}" if data.get("faces") else ""),
        ("machine", f"{machine['processor']}, {machine['cores']} cores" if machine.get("processor") else ""),
        ("command", run.environment.get("command", "")),
        ("files", ", ".join(sorted(each.name for each in run.folder.iterdir() if not each.name.startswith(".")))),
    ]
    changed = run.recipe.difference(Recipe()) if run.recipe else {}
    settings = [(key, f"{value!r}") for key, (value, _) in changed.items() if key not in ("name", "data.sources")]
    return [(title, text) for title, text in lines if text] + settings


def _format_percent(share: float | None) -> str:
    return "" if share is None else format_percent(share, 1)


def _format_time(timestamp: str | None) -> str:
    """The local time, to the minute; empty where it is unknown."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(timestamp or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
