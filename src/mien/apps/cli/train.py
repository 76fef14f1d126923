"""``mien train``: train a network, or resume a run that was stopped or killed."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import click

from mien.apps.cli.command_line import Terminated
from mien.apps.cli.console import (
    can_encode,
    can_redraw,
    escape_controls,
    format_elapsed,
    print_line,
    print_note,
    silence_native_stderr,
)
from mien.apps.cli.options import convert_import_errors, load_recipe_faces
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.datasets.dataset import FaceDataset
    from mien.training.callbacks import EpochEvent, Event, StepEvent, TrainingStopped
    from mien.training.recipe import Recipe

EPILOG = """\b
Examples:
  mien train --net basic --data faces --epochs 1 --name mine
  mien train --net basic --data faces --epochs 1 --name two --classes happy,sad --set training.learning_rate=0.0005

\b
The same command resumes a run that was stopped or killed. --set takes every setting of a recipe:
net.width=48, net.depth=2,2,2, training.learning_rate=0.001, augment.mixup=0.2, loss.class_weights=true, ...

\b
Exit status: 0; 1 if the recipe or the data cannot be used, or the training fails; 2 for wrong usage;
130 and 143 after Ctrl-C and SIGTERM, which save first.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe", required=False)
@click.option("--net", metavar="NAME", help="A network, with its built-in recipe or with RECIPE.")
@click.option("--data", multiple=True, metavar="SRC", help="Labelled faces: .csv, .npz or folder. Repeatable.")
@click.option("--epochs", type=click.IntRange(1), help="Number of epochs.")
@click.option("--name", metavar="NAME", help="Name of the run. Default: that of the recipe.")
@click.option("--classes", metavar="A,B,...", help="Only these expressions, in this order.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the recipe. Repeatable.")
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True, help="Folder of all runs.")
@click.option("--resume", is_flag=True, help="Resume a run, and never start one. Resuming needs no option.")
@click.option("--force", is_flag=True, help="Replace an existing run.")
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

    RECIPE is a TOML file or the name of a built-in recipe. The run folder receives the recipe with all
    settings, the history and its curves, the trained network for mien (model.onnx) and for plain Keras
    (emotion_model.keras, and emotion_model.h5 where HDF5 supports its layers), and the metrics
    (metrics.json).
    """
    from mien.training import checkpoint, run_folder

    if not recipe and not net:
        raise click.UsageError("a RECIPE or --net is needed, for example: mien train --net basic --data fer2013.csv")
    if resume and force:
        raise click.UsageError("--resume resumes a run, --force replaces it: use one of them")
    options = {"net.name": net, "training.epochs": epochs, "name": name, "data.classes": classes}
    resolved = _load_recipe(recipe or "", net or "", data, options, settings)
    folder = runs / _check_name(resolved.name)
    if resume and not checkpoint.has_state(folder):
        raise click.UsageError(f"there is no run in '{folder}' to resume")
    run_folder.check_folder_is_free(folder, force)
    with convert_import_errors():
        faces = load_recipe_faces(resolved)
    with convert_import_errors(), silence_native_stderr(), TrainingProgress(resolved.training.batch_size) as progress:
        metrics = _run_training(resolved, faces, folder, force, progress)
    print_line(_summarize(metrics, folder))


def _load_recipe(
    recipe: str, net: str, data: tuple[str, ...], options: Mapping[str, Any], settings: tuple[str, ...]
) -> Recipe:
    """The recipe with the options, and after them --set, which may change all of them."""
    from mien.datasets.splits import SourceSettings
    from mien.training.recipe import load_network_recipe, load_recipe

    resolved = load_recipe(recipe) if recipe else load_network_recipe(net)
    resolved = resolved.with_settings(f"{key}={value}" for key, value in options.items() if value is not None)
    if data:
        paths = [os.path.abspath(path) for path in data]  # noqa: PTH100 (Path.absolute keeps "..")
        sources = tuple(SourceSettings(path) for path in paths)
        resolved = replace(resolved, data=replace(resolved.data, sources=sources))
    return resolved.with_settings(settings)


def _check_name(name: str) -> str:
    """The name, if it can be that of a folder."""
    if not name.strip() or name == os.pardir or Path(name).name != name:
        raise click.BadParameter(f"'{name}' is no name of a folder; --runs names their place", param_hint="--name")
    return name


def _run_training(
    recipe: Recipe, faces: FaceDataset, folder: Path, force: bool, progress: TrainingProgress
) -> dict[str, Any]:
    """Train; after a signal the state is saved, and the command to resume is printed."""
    # Messages of TensorFlow, and warnings of Keras about HDF5, are of no use to users of this command.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)
    from mien.training.callbacks import TrainingStopped
    from mien.training.run import run_training

    with SignalCheck() as signals:
        try:
            return run_training(
                recipe,
                faces,
                folder,
                command=_format_command(),
                force=force,
                callback=progress,
                should_stop=lambda: bool(signals.number),
            )
        except TrainingStopped as stop:
            progress.close()
            print_note(_describe_stop(stop, folder))
            raise signals.make_error() from None


def _format_command(without: str = "") -> str:
    return shlex.join(["mien", *(argument for argument in sys.argv[1:] if argument != without)])


def _describe_stop(stop: TrainingStopped, folder: Path) -> str:
    place = f"in epoch {stop.epochs + 1}, after step {stop.steps:,}"
    return (
        f"mien: stopped {place}; the state is saved in {escape_controls(str(folder))}. "
        f"To resume: {_format_command(without='--force')}"
    )


def _summarize(metrics: dict[str, Any], folder: Path) -> str:
    from mien.evaluation.report import describe_chance
    from mien.training.run_folder import ONNX

    low, high = metrics["ci95"]
    split = {"public": "PublicTest", "validation": "the validation faces"}[metrics["split"]]
    if metrics.get("synthetic"):
        split += ", synthetic faces"
    interval = f"95 %: {100 * low:.1f} to {100 * high:.1f}"
    chance = describe_chance(metrics["chance"]) if "chance" in metrics else ""
    accuracy = (
        f"Accuracy {format_percent(metrics['accuracy'], 1)} on {split} ({interval})"
        + f"; chance: {chance}" * bool(chance)
    )
    model = f"--model {escape_controls(str(folder))}"
    return f"{accuracy}, {metrics['training']['epochs']} epochs. Use the model with {model} ({ONNX} in that folder)"


class SignalCheck:
    """Inside, the first SIGINT or SIGTERM sets ``number``, so that the training can save; a second one ends at once."""

    def __init__(self) -> None:
        self.number = 0
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> SignalCheck:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._handlers[number] = signal.signal(number, self._record)
            except ValueError:  # not the main thread, which has its own handlers
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def make_error(self) -> BaseException:
        """The exception that the signal would have raised."""
        return Terminated() if self.number == signal.SIGTERM else KeyboardInterrupt()

    def _record(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise self.make_error()
        self.number = number
        print_note("mien: stopping after this step; a second signal ends at once")


def _format_percent(value: float) -> str:
    return format_percent(value, 1)


#: The columns of the epochs: key in the history, title, width, and format of the number.
COLUMNS: tuple[tuple[str, str, int, Callable[[float], str]], ...] = (
    ("epoch", "epoch", 6, "{:.0f}".format),
    ("loss", "loss", 8, "{:.3f}".format),
    ("validation_loss", "val. loss", 11, "{:.3f}".format),
    ("accuracy", "accuracy", 10, _format_percent),
    ("validation_accuracy", "val. accuracy", 15, _format_percent),
    ("validation_votes", "val. votes", 12, _format_percent),
    ("learning_rate", "rate", 10, "{:.2g}".format),
    ("seconds", "time", 9, format_elapsed),
)


class TrainingProgress:
    """A callback that prints the progress of a training on stderr: one row for each epoch.

    On a terminal a progress bar of the current epoch is below the rows.
    """

    def __init__(
        self, batch_size: int = 1, stream: IO[str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._batch_size = batch_size
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live: Any = None
        self._has_header = False
        self._best = ""
        self._start: tuple[float, int] | None = None  # time and epoch of the first step of this process

    def __enter__(self) -> TrainingProgress:
        if can_redraw(self._stream):
            # rich is only imported for a terminal.
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, highlight=False, emoji=False, markup=False)
            self._live = Live(console=console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the progress bar; the rows remain."""
        if self._live:
            self._live.stop()
            self._live = None

    def __call__(self, event: Event) -> None:
        from mien.training.callbacks import EpochEvent, MessageEvent

        if isinstance(event, MessageEvent):
            self._print(escape_controls(event.text))
        elif isinstance(event, EpochEvent):
            self._print_epoch(event)
        elif self._live:
            self._draw_bar(event)

    def _print_epoch(self, event: EpochEvent) -> None:
        from mien.training import schedule

        if self._live:
            self._live.update("", refresh=True)
        if not self._has_header:
            self._print(format_header(event.row))
            self._has_header = True
        line = format_epoch(event.row)
        if schedule.METRIC in event.row:
            best = schedule.best_epoch(event.history)
            self._best = f"{_format_percent(event.history[best - 1][schedule.METRIC])} in epoch {best}"
            line += "  best" if best == len(event.history) > 1 else ""
        self._print(line)

    def _draw_bar(self, step: StepEvent) -> None:
        if self._start is None:
            self._start = (self._clock() - step.seconds, step.epoch)
        width = self._live.console.width - 1
        blocks = "━─" if can_encode("━─", getattr(self._stream, "encoding", None)) else "#-"
        status = format_status(step, self._batch_size, self._estimate_remaining(step), self._best)
        lines = (format_bar(step, width, blocks), status)
        self._live.update("\n".join(line[:width] for line in lines))

    def _estimate_remaining(self, step: StepEvent) -> float:
        """Seconds to the end of the run at the speed of this process."""
        start, first_epoch = self._start or (self._clock(), step.epoch)
        done = step.epoch - first_epoch + step.step / step.steps
        return (self._clock() - start) / max(done, 1e-9) * (step.epochs - first_epoch + 1 - done)

    def _print(self, text: str) -> None:
        if self._live:
            self._live.console.print(text, soft_wrap=True)
            return
        with suppress(OSError):  # a closed pipe must not end the training
            print(text, file=self._stream, flush=True)


def format_bar(step: StepEvent, width: int, blocks: str) -> str:
    """The progress bar of the epoch; ``blocks`` are the characters of its full and its empty part."""
    before, after = f"epoch {step.epoch} of {step.epochs}  ", f"  {step.step:,} of {step.steps:,} steps"
    cells = max(0, min(40, width - len(before) - len(after)))
    full = cells * step.step // step.steps
    return f"{before}{blocks[0] * full}{blocks[1] * (cells - full)}{after}"


def format_status(step: StepEvent, batch_size: int, remaining: float, best: str) -> str:
    """The line below the progress bar."""
    speed = f"{step.step * batch_size / max(step.seconds, 1e-9):,.0f} images/s"
    parts = [f"loss {step.loss:.3f}", f"rate {step.learning_rate:.2g}", speed, f"{format_elapsed(remaining)} left"]
    return "  ".join([*parts, f"best {best}"] if best else parts)


def format_header(row: Mapping[str, float]) -> str:
    """The titles of the columns that the row has."""
    return "".join(f"{title:>{width}}" for key, title, width, _ in COLUMNS if key in row)


def format_epoch(row: Mapping[str, float]) -> str:
    """One epoch, below the titles."""
    return "".join(f"{format_value(row[key]):>{width}}" for key, _, width, format_value in COLUMNS if key in row)
