"""A run's folder: what lies in it, what state it is in, and when it may be written to. Needs no Keras.

::

    recipe.toml           every setting, as the run resolved it
    environment.json      versions, seed, data, commit, machine
    architecture.png      the layers as a figure
    history.csv           a row for each epoch
    state.npz             everything to go on from; state.before.npz is the epoch before
    weights.npz           the trained weights, in Keras's order
    emotion_model.keras   the same for plain Keras, as is emotion_model.h5, where such a file has a place for the net
    model.onnx            the same for every window of mien, with its card
    accuracy.png, loss.png, confusion.png, answers.csv
    metrics.json          the figures on the reported split; written last
    .aside/               the run that was here before, until the one begun with --force has a state
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import ExperimentError, OutputError, suggest_name
from mien.files import TEMPORARY_FILES
from mien.training import checkpoint
from mien.training.checkpoint import BEST, HISTORY, PREVIOUS_STATE, RECIPE, STATE, WEIGHTS, Row
from mien.training.recipe import Recipe
from mien.training.run_lock import LOCK, is_locked

ENVIRONMENT, METRICS, ANSWERS = "environment.json", "metrics.json", "answers.csv"
KERAS, H5, ONNX = "emotion_model.keras", "emotion_model.h5", "model.onnx"
ARCHITECTURE, ACCURACY, LOSS, CONFUSION = "architecture.png", "accuracy.png", "loss.png", "confusion.png"

ASIDE = ".aside"

#: Where runs are, if nobody says otherwise.
RUNS_FOLDER = Path("runs")

#: Every file that a run writes, in the order in which a new one begins.
FILES = (
    *(METRICS, ANSWERS, CONFUSION, ACCURACY, LOSS, ONNX, H5, KERAS, WEIGHTS, BEST, STATE, PREVIOUS_STATE, HISTORY),
    *(ARCHITECTURE, ENVIRONMENT, RECIPE, "recipe.json", LOCK),
)

#: What a state is called: ``finished`` has its metrics, ``trained`` its weights but no metrics yet, ``running`` has a
#: process, ``stopped`` can go on, ``empty`` has no whole epoch yet, ``damaged`` cannot be read.
FINISHED, TRAINED, RUNNING, STOPPED, EMPTY = "finished", "trained", "running", "stopped", "empty"
DAMAGED = "damaged"


@dataclass(frozen=True)
class TrainingRun:
    """One run as its folder tells it. ``recipe`` is None where it cannot be read; ``metrics`` are empty until the end.

    ``epochs`` are those done, ``history`` their rows.
    """

    folder: Path
    state: str
    recipe: Recipe | None
    history: tuple[Row, ...]
    metrics: dict[str, Any]
    environment: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def epochs(self) -> int:
        return len(self.history)

    @property
    def best(self) -> tuple[float, int] | None:
        """The best accuracy on the held-out faces and its epoch, from 1; None where nothing was held out."""
        told = [(row["held_out"], -place) for place, row in enumerate(self.history, 1) if "held_out" in row]
        return (max(told)[0], -max(told)[1]) if told else None

    @property
    def seconds(self) -> float:
        return sum(row.get("seconds", 0.0) for row in self.history)


def read_run(folder: Path) -> TrainingRun:
    """The run in a folder; a LabError where there is none."""
    if not is_run(folder):
        happened = f"'{folder}' is no training run"
        raise ExperimentError(happened, f"a folder with {RECIPE} in it was expected", "'mien runs' lists them")
    recipe = _recipe(folder)
    history, metrics = _history(folder / HISTORY), _json(folder / METRICS)
    return TrainingRun(folder, _state(folder, recipe, history, metrics), recipe, history, metrics, _json(folder / ENVIRONMENT))


def is_run(folder: Path) -> bool:
    return (folder / RECIPE).is_file() or (folder / "recipe.json").is_file()


def list_runs(home: Path = RUNS_FOLDER) -> Iterator[TrainingRun]:
    """The runs below a folder, by name; none where there is no such folder."""
    if home.is_dir():
        yield from (read_run(folder) for folder in sorted(home.iterdir()) if is_run(folder))


def find_run(name: str, home: Path = RUNS_FOLDER) -> TrainingRun:
    """A run by its name below ``home``, or by its path."""
    for folder in (home / name, Path(name)):
        if is_run(folder):
            return read_run(folder)
    known = [run.name for run in list_runs(home)]
    expected = f"there are {', '.join(known)}" if known else "there are none yet; 'mien train' makes one"
    raise ExperimentError(f"There is no run '{name}' in '{home}'", expected, suggest_name(name, known))


def remove_run_files(folder: Path) -> None:
    """Takes away what a run wrote, and nothing else; the lock stays with whoever holds it."""
    remove_temporary_files(folder)
    for name in FILES:
        if name != LOCK:
            (folder / name).unlink(missing_ok=True)


def remove_temporary_files(folder: Path) -> None:
    """Removes what processes left that were killed while they wrote; only for the process that holds the lock."""
    for path in folder.glob(TEMPORARY_FILES):
        path.unlink(missing_ok=True)


def check_folder_is_free(folder: Path, force: bool) -> None:
    """A sentence where a run would be written among other things, or where nothing can be written."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"'{folder}' is a file", "a folder for the run was expected", "Choose another --name")
    known = {*FILES, ASIDE}
    strangers = folder.is_dir() and not is_run(folder) and any(each.name not in known for each in folder.iterdir())
    if strangers and not force:
        happened = f"'{folder}' is not empty, and no run is in it"
        raise OutputError(
            happened, "a new folder was expected", "Choose another --name, or --force to write among them"
        )


def check_resumable(folder: Path) -> None:
    """A sentence where there is a trained model, but nothing that its training could go on from."""
    there = [name for name in (WEIGHTS, METRICS, ONNX) if (folder / name).exists()]
    if there and not checkpoint.has_state(folder):
        happened = f"'{folder}' holds {there[0]} of a training, without its {checkpoint.STATE} to go on from"
        raise ExperimentError(happened, "a new folder was expected", "Choose another --name, or --force to replace it")


def move_aside(folder: Path) -> None:
    """Puts what a run wrote out of the way of the next one; :func:`settle` says which of them stays."""
    remove_temporary_files(folder)
    (folder / ASIDE).mkdir(exist_ok=True)
    # The states first: where they are gone from, an interruption finds the old run aside and brings it back.
    for name in sorted(FILES, key=lambda name: name not in (checkpoint.STATE, checkpoint.PREVIOUS_STATE)):
        if name != LOCK and (folder / name).exists():
            (folder / name).replace(folder / ASIDE / name)


def resolve_aside(folder: Path) -> None:
    """Forgets the run that was put aside once another has begun to be kept, and else brings it back."""
    aside = folder / ASIDE
    if not aside.is_dir():
        return
    if not checkpoint.has_state(folder):
        for path in aside.iterdir():
            path.replace(folder / path.name)
    shutil.rmtree(aside)


@contextmanager
def create_folder(folder: Path) -> Iterator[None]:
    """Inside, the folder is there and takes files; an OutputError where not. Folders left empty go again."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    trial = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        happened = f"'{folder}' cannot be written: {error.strerror or error}"
        raise OutputError(happened, "a folder with room to write in", "Name another with --runs") from error
    try:
        yield
    finally:
        for each in missing:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


def _state(folder: Path, recipe: Recipe | None, history: tuple[Row, ...], metrics: dict[str, Any]) -> str:
    if is_locked(folder):
        return RUNNING
    if recipe is None:
        return DAMAGED
    if (folder / WEIGHTS).exists():
        return FINISHED if metrics else TRAINED
    return STOPPED if history or checkpoint.has_state(folder) else EMPTY


def _recipe(folder: Path) -> Recipe | None:
    try:
        return checkpoint.read_recipe(folder)
    except ExperimentError:
        return None


def _history(path: Path) -> tuple[Row, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):
        return ()
    return tuple(rows)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
