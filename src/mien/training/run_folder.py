"""The folder of a run: its files, its state, its lock, and when it may be written to. Needs no Keras.

::

    recipe.toml           every setting, as the run resolved it
    environment.json      versions, seed, data, commit, machine
    architecture.png      a figure of the layers
    history.csv           one row for each epoch
    state.npz             the state that a resumed run needs; state.before.npz is that of the epoch before
    weights.npz           the trained weights, in the order of Keras
    emotion_model.keras   the trained network for plain Keras; also emotion_model.h5, where HDF5 supports its layers
    model.onnx            the trained network for mien, with its card
    accuracy.png, loss.png, confusion.png, predictions.csv
    metrics.json          the metrics on the reported split; written last
    .aside/               the previous run, until the run that replaces it (--force) has a state
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import ExperimentError, OutputError, suggest_name
from mien.files import TEMPORARY_FILES
from mien.training import checkpoint, schedule
from mien.training.callbacks import Row
from mien.training.checkpoint import BEST, HISTORY, PREVIOUS_STATE, RECIPE, STATE, WEIGHTS
from mien.training.recipe import Recipe

ENVIRONMENT, METRICS, PREDICTIONS = "environment.json", "metrics.json", "predictions.csv"
KERAS, H5, ONNX = "emotion_model.keras", "emotion_model.h5", "model.onnx"
ARCHITECTURE, ACCURACY, LOSS, CONFUSION = "architecture.png", "accuracy.png", "loss.png", "confusion.png"
#: The lock file of the training process. The operating system releases the lock of a process that was killed.
LOCK = ".training"
ASIDE = ".aside"

#: The default folder of all runs.
RUNS_FOLDER = Path("runs")

#: Every file of a run, in the order in which they are removed.
FILES = (
    *(METRICS, PREDICTIONS, CONFUSION, ACCURACY, LOSS, ONNX, H5, KERAS, WEIGHTS, BEST, STATE, PREVIOUS_STATE, HISTORY),
    *(ARCHITECTURE, ENVIRONMENT, RECIPE, LOCK),
)

#: The states of a run: ``finished`` has metrics; ``trained`` has weights and no metrics yet; ``running`` is locked by a
#: process; ``stopped`` can be resumed; ``empty`` has no completed epoch; ``damaged`` has no readable recipe.
FINISHED, TRAINED, RUNNING, STOPPED, EMPTY = "finished", "trained", "running", "stopped", "empty"
DAMAGED = "damaged"


@dataclass(frozen=True)
class TrainingRun:
    """A run as its folder describes it; ``history`` has one row for each completed epoch.

    ``recipe`` is None where it cannot be read; ``metrics`` are empty until the run is finished.
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
        """The best validation accuracy and its epoch, from 1; None without validation faces."""
        values = [(row[schedule.METRIC], -epoch) for epoch, row in enumerate(self.history, 1) if schedule.METRIC in row]
        return (max(values)[0], -max(values)[1]) if values else None

    @property
    def synthetic(self) -> bool:
        """Whether its faces are synthetic."""
        data = self.environment.get("data")
        return isinstance(data, dict) and bool(data.get("synthetic"))

    @property
    def seconds(self) -> float:
        return sum(row.get("seconds", 0.0) for row in self.history)


def read_run(folder: Path) -> TrainingRun:
    """The run in a folder; an ExperimentError where there is none."""
    if not is_run(folder):
        happened = f"'{folder}' is no training run"
        raise ExperimentError(happened, f"a folder with {RECIPE} was expected", "'mien runs' lists them")
    try:
        recipe = checkpoint.read_recipe(folder)
    except ExperimentError:
        recipe = None
    history, metrics = _read_history(folder / HISTORY), _read_json(folder / METRICS)
    if is_locked(folder):
        state = RUNNING
    elif recipe is None:
        state = DAMAGED
    elif (folder / WEIGHTS).exists():
        state = FINISHED if metrics else TRAINED
    else:
        state = STOPPED if history or checkpoint.has_state(folder) else EMPTY
    return TrainingRun(folder, state, recipe, history, metrics, _read_json(folder / ENVIRONMENT))


def _read_history(path: Path) -> tuple[Row, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):
        return ()
    return tuple(rows)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def is_run(folder: Path) -> bool:
    """Whether there is a run in the folder."""
    return (folder / RECIPE).is_file()


def list_runs(runs: Path = RUNS_FOLDER) -> Iterator[TrainingRun]:
    """The runs in a folder, sorted by name; none where there is no such folder."""
    if runs.is_dir():
        yield from (read_run(folder) for folder in sorted(runs.iterdir()) if is_run(folder))


def find_run(name: str, runs: Path = RUNS_FOLDER) -> TrainingRun:
    """A run by its name in ``runs``, or by its path."""
    for folder in (runs / name, Path(name)):
        if is_run(folder):
            return read_run(folder)
    names = [run.name for run in list_runs(runs)]
    expected = f"the runs are {', '.join(names)}" if names else "there are no runs yet; 'mien train' starts one"
    raise ExperimentError(f"There is no run '{name}' in '{runs}'", expected, suggest_name(name, names))


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder`` during the block, and remove the lock file afterwards.

    Raises :class:`ExperimentError` when another process holds it, and :class:`OutputError` when there can be no lock.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        happened = f"Another process trains in '{folder}'"
        raise ExperimentError(happened, "", "Wait until it ends, or choose another --name") from None
    except OSError as error:
        happened = f"'{folder}' cannot be locked: {error.strerror or error}"
        raise OutputError(happened, "a disk that supports file locks", "Name another with --runs") from error
    try:
        yield
    finally:
        # Removed before the release, so that a file that another process has locked since is never removed. Windows
        # refuses to remove an open file; there filelock removes it during the release.
        with suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process trains in ``folder`` now; also True when that cannot be determined."""
    if not (folder / LOCK).exists():
        return False
    try:
        # Imported here, because runs are also listed where the extra 'lab' is not installed.
        from filelock import FileLock

        with FileLock(folder / LOCK, blocking=False):
            return False
    except (OSError, ModuleNotFoundError):  # filelock.Timeout is an OSError
        return True


@contextmanager
def create_folder(folder: Path) -> Iterator[None]:
    """Create the folder for the block; an OutputError where it cannot be written. Folders left empty are removed."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    trial = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        happened = f"'{folder}' cannot be written: {error.strerror or error}"
        raise OutputError(happened, "a writable folder was expected", "Name another with --runs") from error
    try:
        yield
    finally:
        for each in missing:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


def check_folder_is_free(folder: Path, force: bool) -> None:
    """Raise an OutputError where the folder is a file, or has other files than those of a run."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"'{folder}' is a file", "a folder for the run was expected", "Choose another --name")
    names = {*FILES, ASIDE}
    has_others = folder.is_dir() and not is_run(folder) and any(each.name not in names for each in folder.iterdir())
    if has_others and not force:
        remedy = "Choose another --name, or --force to write beside the files there"
        raise OutputError(f"'{folder}' is not empty, and has no run", "a new folder was expected", remedy)


def check_resumable(folder: Path) -> None:
    """Raise an ExperimentError where there is a trained model without the state that its training could resume from."""
    results = [name for name in (WEIGHTS, METRICS, ONNX) if (folder / name).exists()]
    if results and not checkpoint.has_state(folder):
        happened = f"'{folder}' has {results[0]} of a run, and no {STATE} to resume from"
        raise ExperimentError(happened, "a new folder was expected", "Choose another --name, or --force to replace it")


def remove_run_files(folder: Path) -> None:
    """Remove the files of a run, and nothing else; the lock file remains."""
    remove_temporary_files(folder)
    for name in FILES:
        if name != LOCK:
            (folder / name).unlink(missing_ok=True)


def remove_temporary_files(folder: Path) -> None:
    """Remove the temporary files of killed processes; only for the process that holds the lock."""
    for path in folder.glob(TEMPORARY_FILES):
        path.unlink(missing_ok=True)


def move_aside(folder: Path) -> None:
    """Move the files of the previous run to ``.aside``; :func:`restore_unless_started` decides which run remains."""
    remove_temporary_files(folder)
    (folder / ASIDE).mkdir(exist_ok=True)
    # The states first: without them an interrupted replacement is recognised, and the previous run is restored.
    for name in sorted(FILES, key=lambda name: name not in (STATE, PREVIOUS_STATE)):
        if name != LOCK and (folder / name).exists():
            (folder / name).replace(folder / ASIDE / name)


def _resolve_aside(folder: Path) -> None:
    """Remove the previous run where the new one has a state, and restore it otherwise."""
    aside = folder / ASIDE
    if not aside.is_dir():
        return
    if not checkpoint.has_state(folder):
        for path in aside.iterdir():
            path.replace(folder / path.name)
    shutil.rmtree(aside)


@contextmanager
def restore_unless_started(folder: Path) -> Iterator[None]:
    """Remove the files of a run that fails before its first state, and restore the run that it was to replace."""
    remove_temporary_files(folder)
    _resolve_aside(folder)
    try:
        yield
    finally:
        if (folder / ASIDE).is_dir() and not checkpoint.has_state(folder):
            remove_run_files(folder)
        _resolve_aside(folder)
