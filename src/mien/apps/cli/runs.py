"""``mien runs``: which trainings there are, how far each is, and how they went."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mien.apps.cli.console import escape_controls, print_line, print_note
from mien.apps.cli.dataset_options import convert_import_errors, convert_output_errors
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

Command = TypeVar("Command", bound=Callable[..., Any])


def home(command: Command) -> Command:
    """Where runs are looked for."""
    where = click.Path(path_type=Path)
    return click.option("--runs", "home", type=where, default="runs", show_default=True, help="Where runs are.")(
        command
    )


@click.group(invoke_without_command=True, epilog=EPILOG)
@home
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON array.")
@click.pass_context
def runs(context: click.Context, home: Path, as_json: bool) -> None:
    """List training runs, show and plot them."""
    if context.invoked_subcommand is not None:
        return
    from mien.training.run_folder import list_runs

    found = list(list_runs(home))
    if as_json:
        print_line(json.dumps([told(run) for run in found], ensure_ascii=False))
    elif found:
        print_line(_table(found))
    else:
        print_note(f"There are no runs in '{escape_controls(str(home))}' yet. 'mien train' makes one.")


@runs.command(epilog=SHOW_EPILOG)
@click.argument("name")
@home
@click.option("--json", "as_json", is_flag=True, help="Everything as one line of JSON.")
def show(name: str, home: Path, as_json: bool) -> None:
    """Show one run: its state, its figures, and what in its recipe is not as usual."""
    from mien.training.run_folder import find_run

    run = find_run(name, home)
    if as_json:
        whole = {"recipe": run.recipe.to_table() if run.recipe else None, "history": run.history}
        print_line(json.dumps({**told(run), **whole, "metrics": run.metrics, "environment": run.environment}))
        return
    width = max(len(word) for word, _ in _lines(run))
    print_line("\n".join(escape_controls(f"{word:{width}}  {text}") for word, text in _lines(run)))


@runs.command(epilog=PLOT_EPILOG)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@home
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The PNG file for it."
)
def plot(names: tuple[str, ...], home: Path, out: Path) -> None:
    """Draw the curves of one run, or of several against each other."""
    if out.suffix.lower() != ".png":
        raise click.BadParameter(f"'{out}' does not end in .png", param_hint="-o")
    from mien.errors import ExperimentError
    from mien.training.run_folder import find_run

    found = [find_run(name, home) for name in names]
    if early := [run.name for run in found if not run.history]:
        raise ExperimentError(f"'{early[0]}' has no whole epoch yet", "a run with a history was expected", "Wait for it")
    with convert_import_errors():
        from mien import plots
    with convert_output_errors(out):
        out.write_bytes(plots.render_png(plots.plot_runs({run.name: run.history for run in found})))
    print_line(escape_controls(str(out)))


def told(run: TrainingRun) -> dict[str, Any]:
    """A run in a few plain values."""
    return {
        "name": run.name,
        "folder": str(run.folder),
        "state": run.state,
        "net": run.recipe.net.name if run.recipe else None,
        "epochs": run.epochs,
        "planned": run.recipe.training.epochs if run.recipe else None,
        "best": run.best[0] if run.best else None,
        "best_epoch": run.best[1] if run.best else None,
        "split": run.metrics.get("split"),
        "accuracy": run.metrics.get("accuracy"),
        "begun": run.environment.get("begun"),
        "seconds": run.seconds,
    }


def _table(found: Sequence[TrainingRun]) -> str:
    rows = [("NAME", "NET", "EPOCHS", "BEST HELD OUT", "SCORE", "BEGUN", "STATE"), *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(escape_controls(line.rstrip()) for line in lines)


def _cells(run: TrainingRun) -> tuple[str, ...]:
    about = told(run)
    return (
        run.name,
        about["net"] or "?",
        f"{run.epochs} of {about['planned'] or '?'}",
        f"{_percent(about['best'])} in {about['best_epoch']}" if run.best else "",
        f"{_percent(about['accuracy'])} {about['split']}" if about["accuracy"] is not None else "",
        _when(about["begun"]),
        run.state,
    )


def _lines(run: TrainingRun) -> list[tuple[str, str]]:
    from mien.training.recipe import Recipe

    name, net, epochs, best, score, begun, state = _cells(run)
    data = run.environment.get("data", {})
    machine = run.environment.get("machine", {})
    lines = [
        ("run", f"{name}: {state}"),
        ("net", net),
        ("epochs", f"{epochs}, {_minutes(run.seconds)}"),
        ("best held out", best and best.replace(" in ", " in epoch ")),
        ("score", score),
        ("begun", begun),
        ("data", f"{data['faces']:,} faces, fingerprint {data['fingerprint']}" if data.get("faces") else ""),
        ("machine", f"{machine['processor']}, {machine['cores']} cores" if machine.get("processor") else ""),
        ("command", run.environment.get("command", "")),
        ("files", ", ".join(sorted(each.name for each in run.folder.iterdir() if not each.name.startswith(".")))),
    ]
    unusual = run.recipe.difference(Recipe()) if run.recipe else {}
    settings = [(key, f"{value!r}") for key, (value, _) in unusual.items() if key not in ("name", "data.sources")]
    return [(word, text) for word, text in lines if text] + settings


def _percent(share: float | None) -> str:
    return "" if share is None else format_percent(share, 1)


def _when(moment: str | None) -> str:
    """To the minute, as the clock here shows it."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(moment or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""


def _minutes(seconds: float) -> str:
    from mien.apps.cli.console import format_elapsed

    return f"{format_elapsed(seconds)} of training"
