"""SIGTERM and Ctrl-C as a question that a long run can ask, so that it ends where it may."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import click

from mien.apps.cli.command_line import Terminated
from mien.apps.cli.console import ProgressBar, can_encode, can_redraw, escape_controls, format_elapsed, print_line, print_note, silence_native_stderr
from mien.apps.cli.dataset_options import convert_import_errors

if TYPE_CHECKING:
    from mien.datasets.dataset import FaceDataset
    from mien.training.callbacks import EpochEvent, Event, StepEvent, TrainingStopped
    from mien.training.recipe import Recipe


class Signals:
    """While inside, the first signal sets ``came``; a second one ends at once, as it would have without us."""

    def __init__(self) -> None:
        self.came = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._note)
            except ValueError:  # not the main thread: whoever runs us there minds the signals
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def error(self) -> BaseException:
        """What the signal that came would have been."""
        return Terminated() if self.came == signal.SIGTERM else KeyboardInterrupt()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise self.error()
        self.came = number
        print_note("mien: stopping after this step; once more ends at once")


# ==== mien.apps.cli.train_view
# How a training looks while it runs: a row for each epoch, and on a terminal a bar for the one that is under way.

#: The columns of the rows: key in the history, title, width, and how the number is written.
COLUMNS: tuple[tuple[str, str, int, Callable[[float], str]], ...] = (
    ("epoch", "epoch", 6, "{:.0f}".format),
    ("loss", "loss", 8, "{:.3f}".format),
    ("accuracy", "learned", 9, lambda share: f"{100 * share:.1f} %"),
    ("held_out", "held out", 10, lambda share: f"{100 * share:.1f} %"),
    ("held_out_votes", "votes", 9, lambda share: f"{100 * share:.1f} %"),
    ("rate", "rate", 10, "{:.2g}".format),
    ("seconds", "time", 9, lambda seconds: format_elapsed(seconds)),
)


class View:
    """Takes the events of :mod:`mien.training.callbacks` and shows them on stderr; ``batch`` tells faces from steps.

    On a terminal the epoch under way is a live line below the rows; elsewhere there are the rows alone.
    """

    def __init__(
        self, batch: int = 1, stream: IO[str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._batch = batch
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live: Any = None
        self._headed = False
        self._best = ""
        self._began: tuple[float, int] | None = None  # when this process saw its first step, and of which epoch

    def __enter__(self) -> View:
        if can_redraw(self._stream):
            # rich is imported only where there is a terminal to draw on.
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, highlight=False, emoji=False, markup=False)
            self._live = Live(console=console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The live line goes; rows stay."""
        if self._live:
            self._live.stop()
            self._live = None

    def __call__(self, event: Event) -> None:
        from mien.training.callbacks import EpochEvent, MessageEvent

        if isinstance(event, MessageEvent):
            self._show(escape_controls(event.text))
        elif isinstance(event, EpochEvent):
            self._row(event)
        elif self._live:
            self._moment(event)

    def _row(self, event: EpochEvent) -> None:
        row = event.row
        if self._live:
            self._live.update("", refresh=True)
        if not self._headed:
            self._show(head(row))
            self._headed = True
        best = _best(event.history)
        self._best = best[1] if best else ""
        self._show(line(row) + ("  best" if best and best[0] == row.get("epoch") and len(event.history) > 1 else ""))

    def _moment(self, step: StepEvent) -> None:
        """The epoch under way, on two lines that fit the terminal."""
        if self._began is None:
            self._began = (self._clock() - step.seconds, step.epoch)
        width = self._live.console.width - 1
        blocks = "━─" if can_encode("━─", getattr(self._stream, "encoding", None)) else "#-"
        lines = (bar(step, width, blocks), moment(step, self._batch, self._left(step), self._best))
        self._live.update("\n".join(each[:width] for each in lines))

    def _left(self, step: StepEvent) -> float:
        """Seconds to the end of the run, as fast as it went in this process."""
        began, first = self._began or (self._clock(), step.epoch)
        done = step.epoch - first + step.step / step.steps
        return (self._clock() - began) / max(done, 1e-9) * (step.epochs - first + 1 - done)

    def _show(self, text: str) -> None:
        if self._live:
            self._live.console.print(text, soft_wrap=True)
            return
        with suppress(OSError):  # who stopped listening shall not end a training
            print(text, file=self._stream, flush=True)


def bar(step: StepEvent, width: int, blocks: str) -> str:
    """How far the epoch is."""
    before, behind = f"epoch {step.epoch} of {step.epochs}  ", f"  {step.step:,} of {step.steps:,} steps"
    cells = max(0, min(40, width - len(before) - len(behind)))
    full = cells * step.step // step.steps
    return f"{before}{blocks[0] * full}{blocks[1] * (cells - full)}{behind}"


def moment(step: StepEvent, batch: int, left: float, best: str) -> str:
    """What there is to say below the bar."""
    speed = f"{step.step * batch / max(step.seconds, 1e-9):,.0f} images/s"
    parts = [f"loss {step.loss:.3f}", f"rate {step.rate:.2g}", speed, f"{format_elapsed(left)} left"]
    return "  ".join([*parts, f"best {best}"] if best else parts)


def head(row: Mapping[str, float]) -> str:
    """The titles of the columns that this history has."""
    return "".join(f"{title:>{width}}" for key, title, width, _ in COLUMNS if key in row)


def line(row: Mapping[str, float]) -> str:
    """One epoch, under those titles."""
    return "".join(f"{write(row[key]):>{width}}" for key, _, width, write in COLUMNS if key in row)


def _best(history: tuple[Mapping[str, float], ...]) -> tuple[float, str] | None:
    """The epoch with the best accuracy on the held-out faces, and that accuracy in words."""
    told = [row for row in history if "held_out" in row]
    if not told:
        return None
    top = max(told, key=lambda row: row["held_out"])
    return top["epoch"], f"{100 * top['held_out']:.1f} % in epoch {top['epoch']:.0f}"


# ==== mien.apps.cli.train
# ``mien train``: from a recipe and faces to a run's folder, killed and taken up again as often as it takes.

EPILOG = """\b
Examples:
  mien train --net basic --data faces --epochs 1 --name mine
  mien train --net basic --data faces --epochs 1 --name two --classes happy,sad --set training.learning_rate=0.0005

\b
The same command goes on where a run was stopped or killed. --set takes every setting of a recipe:
net.width=48, net.depth=2,2,2, training.learning_rate=0.001, augment.mixup=0.2, loss.class_weights=true, ...

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
    pass
    from mien.training import checkpoint, run_folder

    if not recipe and not net:
        raise click.UsageError("a RECIPE or --net is needed, say: mien train --net basic --data fer2013.csv")
    if resume and force:
        raise click.UsageError("--resume goes on, --force begins anew: one of them")
    chosen = _chosen(recipe, net, data, epochs, name, classes, settings)
    folder = runs / _word(chosen.name)
    if resume and not checkpoint.has_state(folder):
        raise click.UsageError(f"there is no run in '{folder}' to go on with")
    run_folder.check_folder_is_free(folder, force)
    faces = _faces(chosen)
    with convert_import_errors(), silence_native_stderr(), View(chosen.training.batch_size) as view:
        metrics = _trained(chosen, faces, folder, force, view)
    print_line(_summary(metrics, folder))


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

    from mien.training import recipe as shelf
    from mien.training.recipe import apply_settings
    from mien.datasets.splits import SourceSettings

    found = shelf.load_recipe(recipe) if recipe else shelf.load_network_recipe(net or "")
    options = {"net.name": net, "training.epochs": epochs, "name": name, "data.classes": classes}
    found = apply_settings(found, [f"{key}={value}" for key, value in options.items() if value is not None])
    if data:
        sources = tuple(SourceSettings(os.path.abspath(path)) for path in data)  # noqa: PTH100 (a path that need not exist)
        found = replace(found, data=replace(found.data, sources=sources))
    return apply_settings(found, settings)


def _faces(recipe: Recipe) -> FaceDataset:
    with convert_import_errors(), ProgressBar() as bar:
        from mien.datasets.combined import load_training_faces

        return load_training_faces(recipe.data, recipe.folder, progress=bar.update)


def _trained(recipe: Recipe, faces: FaceDataset, folder: Path, force: bool, view: View) -> dict[str, Any]:
    """The run, stopped by a signal at its next step, after which the command says how to go on."""
    pass
    from mien.training.callbacks import TrainingStopped

    # What TensorFlow tells about itself, and that HDF5 is old, is for those who build them.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)
    from mien.training.run import run_training

    with Signals() as signals:
        try:
            return run_training(
                recipe, faces, folder, command=_command(), force=force, watch=view, stop=lambda: bool(signals.came)
            )
        except TrainingStopped as stopped:
            view.close()
            print_note(_how_to_go_on(stopped, folder))
            raise signals.error() from None


def _command(*but: str) -> str:
    return shlex.join(["mien", *(word for word in sys.argv[1:] if word not in but)])


def _how_to_go_on(stopped: TrainingStopped, folder: Path) -> str:
    where = f"in epoch {stopped.epochs + 1}, after step {stopped.steps:,}"
    return (
        f"mien: stopped {where}; all of it is saved in {escape_controls(str(folder))}. To go on: {_command('--force')}"
    )


def _summary(metrics: dict[str, Any], folder: Path) -> str:
    from mien.training.run_folder import ONNX

    low, high = metrics["ci95"]
    split = {"public": "PublicTest", "validation": "the faces held out"}[metrics["split"]]
    scored = f"{100 * metrics['accuracy']:.1f} % right on {split} ({100 * low:.1f} to {100 * high:.1f})"
    place = escape_controls(str(folder))
    return f"{scored}, {metrics['training']['epochs']} epochs. Read faces with: --model {place} ({ONNX} in it)"
