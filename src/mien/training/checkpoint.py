"""What a run leaves on disk after each epoch, written so that a kill at any moment costs at most that epoch."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import ExperimentError, OutputError
from mien.files import temporary_path, write_atomically, write_bytes
from mien.training import recipe as toml
from mien.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

Row = dict[str, float]
STATE, PREVIOUS_STATE, BEST, WEIGHTS = "state.npz", "state.before.npz", "best.npz", "weights.npz"
RECIPE, HISTORY = "recipe.toml", "history.csv"
#: What may change when a run goes on: its name, where the very same faces lie, how many epochs there shall be (the
#: schedule follows the new length from where it is), and what only the finished net does.
_MAY_CHANGE = {"training.epochs", "name", "data.sources", "net.views"}
#: So many differences fit a sentence.
_TOLD = 8


@dataclass(frozen=True)
class PartialEpoch:
    """How far an epoch had gone when it was left: loss and accuracy of each step done, and the seconds they took."""

    figures: list[list[float]]
    seconds: float


def save_state(
    folder: Path, arrays: list[np.ndarray], recipe: Recipe, history: list[Row], within: PartialEpoch | None = None
) -> None:
    """The state after an epoch, or ``within`` the next one.

    The state before it stays until the new one is whole on disk, and after that too.
    """
    facts = json.dumps({"recipe": recipe.to_table(), "history": history, "within": within and asdict(within)})
    with explain_write_errors(folder, len(history) - (within is None)):
        with temporary_path(folder / STATE) as part:
            write_bytes(part, _packed([*arrays, np.array(facts)]), sync=True)
            if (folder / STATE).exists():
                (folder / STATE).replace(folder / PREVIOUS_STATE)
            part.replace(folder / STATE)
        write_recipe(folder, recipe)
        write_history(folder, history)


def write_history(folder: Path, history: list[Row]) -> None:
    """``history.csv``: a row for each epoch."""
    write_atomically(folder / HISTORY, _table(history), sync=True)


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """``recipe.toml``: every setting, paths whole."""
    write_atomically(folder / RECIPE, toml.written(recipe.with_absolute_paths().to_table()), sync=True)


def load_state(folder: Path, recipe: Recipe) -> tuple[list[np.ndarray], list[Row]]:
    """Arrays and history of the last whole state, both empty for a fresh folder; refused for another recipe."""
    there = [name for name in (STATE, PREVIOUS_STATE) if (folder / name).exists()]
    for name in there:
        try:
            arrays = read_arrays(folder / name)
            facts = json.loads(str(arrays.pop()))
        except (OSError, zipfile.BadZipFile, EOFError, ValueError, KeyError):
            continue
        _refuse_another(recipe, Recipe.from_table(facts["recipe"]), folder)
        return arrays, facts["history"]
    if there:
        happened = f"{' and '.join(there)} in '{folder}' cannot be read"
        raise ExperimentError(happened, "one of them whole was expected", "Train anew with --force")
    return [], []


def read_history(folder: Path) -> list[Row]:
    """The rows of the epochs done, from the newest state that is whole; what ``history.csv`` shall say."""
    for name in (STATE, PREVIOUS_STATE):
        try:
            rows: list[Row] = json.loads(str(read_arrays(folder / name)[-1]))["history"]
        except (OSError, zipfile.BadZipFile, EOFError, ValueError, KeyError):
            continue
        return rows
    return []


def read_partial_epoch(folder: Path) -> PartialEpoch | None:
    """Where inside an epoch the newest whole state was written; None for one at an epoch's end, or none at all."""
    for name in (STATE, PREVIOUS_STATE):
        try:
            told = json.loads(str(read_arrays(folder / name)[-1])).get("within")
        except (OSError, zipfile.BadZipFile, EOFError, ValueError, KeyError):
            continue
        return PartialEpoch(**told) if told else None
    return None


def has_state(folder: Path) -> bool:
    """Is there anything to go on from?"""
    return any((folder / name).exists() for name in (STATE, PREVIOUS_STATE))


def is_damaged(folder: Path) -> bool:
    """Is the newest state there, but not whole, so that the one before it must serve?"""
    try:
        read_arrays(folder / STATE)
    except FileNotFoundError:
        return (folder / PREVIOUS_STATE).exists()
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, KeyError):
        return True
    return False


def save_best(folder: Path, model: keras.Model) -> None:
    """The weights of the best epoch so far."""
    with explain_write_errors(folder):
        write_atomically(folder / BEST, _packed(model.get_weights()), sync=True)


def save_weights(folder: Path, model: keras.Model, keep: str = "last") -> None:
    """The trained weights alone, in the order of ``model.weights``: those of the model, or of the best epoch."""
    if keep == "best" and (folder / BEST).exists():
        model.set_weights(read_arrays(folder / BEST))
    with explain_write_errors(folder):
        write_atomically(folder / WEIGHTS, _packed(model.get_weights()), sync=True)


def load_weights(folder: Path, model: keras.Model) -> None:
    """Puts the weights of a finished run into a net of the same recipe."""
    try:
        model.set_weights(read_arrays(folder / WEIGHTS))
    except FileNotFoundError:
        raise ExperimentError(
            f"{folder} holds no finished run", f"{WEIGHTS} was expected", "Let the training end first"
        ) from None


def read_recipe(folder: Path) -> Recipe:
    """The recipe a run was made with."""
    if (folder / RECIPE).exists():
        return Recipe.read(folder / RECIPE)
    try:  # runs had their recipe as JSON once
        table = json.loads((folder / "recipe.json").read_text("utf-8"))
    except (OSError, ValueError):
        happened = f"'{folder}' is no training run"
        raise ExperimentError(happened, f"a folder with {RECIPE} in it was expected", "'mien runs' lists them") from None
    return replace(Recipe.from_table(table), place=folder)


def _refuse_another(recipe: Recipe, before: Recipe, folder: Path) -> None:
    changed = {key: pair for key, pair in recipe.difference(before).items() if key not in _MAY_CHANGE}
    if changed:
        said = [f"{key} is {now!r}, was {then!r}" for key, (now, then) in changed.items()]
        words = ", ".join([*said[:_TOLD], *([f"and {len(said) - _TOLD} more"] if len(said) > _TOLD else [])])
        happened = f"'{folder}' holds a run of another recipe: {words}"
        raise ExperimentError(happened, "", "Restore the recipe, choose another --name, or begin anew with --force")


def _packed(arrays: list[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{number:04d}": array for number, array in enumerate(arrays)})
    return buffer.getvalue()


def read_arrays(path: Path) -> list[np.ndarray]:
    # Opened here, because NumPy leaves a torn file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]


@contextmanager
def explain_write_errors(folder: Path, epochs: int | None = None) -> Iterator[None]:
    """Inside, a disk that takes no more is said to be that, and what is kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        kept = f"the state after epoch {epochs} is kept" if epochs else "a folder with room to write in"
        remedy = "Make room, and give the same command again"
        raise OutputError(f"'{folder}' cannot be written: {error.strerror or error}", kept, remedy) from error


def _table(history: list[Row]) -> str:
    text = io.StringIO()
    columns = dict.fromkeys(key for row in history for key in row)
    table = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    return text.getvalue()
