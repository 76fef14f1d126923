"""The files that a run saves after each epoch. A kill at any moment costs at most the epoch in progress."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mien.errors import ExperimentError, OutputError
from mien.files import load_npz, temporary_path, write_atomically, write_bytes
from mien.training.callbacks import Row
from mien.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

STATE, PREVIOUS_STATE, BEST, WEIGHTS = "state.npz", "state.before.npz", "best.npz", "weights.npz"
RECIPE, HISTORY = "recipe.toml", "history.csv"

#: What reading a damaged or missing state raises.
_READ_ERRORS = (OSError, ValueError, KeyError)
#: Settings that may change when a run is resumed: its name, the path of the same faces, the number of epochs (the
#: schedule follows the new number), and the views, which only the trained network has.
_CHANGEABLE = {"training.epochs", "name", "data.sources", "net.views"}
#: The number of different settings that an error message lists.
_LISTED_CHANGES = 8


@dataclass(frozen=True)
class PartialEpoch:
    """A stopped epoch: ``metrics`` are the loss and accuracy of each completed step, ``seconds`` their time."""

    metrics: list[list[float]]
    seconds: float


class SavedState(NamedTuple):
    """The values of the variables and the name of the backend, the rows of completed epochs, and a stopped epoch.

    ``precision`` is that of the run. ``is_previous``: the newest state is damaged, and this is the one before it.
    """

    arrays: list[np.ndarray]
    history: list[Row]
    partial_epoch: PartialEpoch | None = None
    precision: str = ""
    is_previous: bool = False


def save_state(
    folder: Path,
    arrays: list[np.ndarray],
    recipe: Recipe,
    history: list[Row],
    partial_epoch: PartialEpoch | None = None,
) -> None:
    """Save the state after an epoch, or inside the next one; the previous state stays beside it."""
    facts = {"recipe": recipe.to_table(), "history": history}
    facts["partial_epoch"] = asdict(partial_epoch) if partial_epoch else None
    with explain_write_errors(folder, len(history) - (partial_epoch is None)):
        with temporary_path(folder / STATE) as path:
            write_bytes(path, _pack([*arrays, np.array(json.dumps(facts))]), sync=True)
            if (folder / STATE).exists():
                (folder / STATE).replace(folder / PREVIOUS_STATE)
            path.replace(folder / STATE)
        write_recipe(folder, recipe)
        write_history(folder, history)


def write_history(folder: Path, history: list[Row]) -> None:
    """Write ``history.csv``: one row for each epoch."""
    text = io.StringIO()
    columns = dict.fromkeys(key for row in history for key in row)
    table = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_atomically(folder / HISTORY, text.getvalue(), sync=True)


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write ``recipe.toml``: every setting, with absolute paths."""
    write_atomically(folder / RECIPE, recipe.to_toml(), sync=True)


def load_state(folder: Path, recipe: Recipe) -> SavedState:
    """The newest readable state, empty without one; a state of another recipe is refused."""
    state = _read_state(folder)
    if state is None:
        if names := [name for name in (STATE, PREVIOUS_STATE) if (folder / name).exists()]:
            happened = f"{' and '.join(names)} in '{folder}' cannot be read"
            raise ExperimentError(happened, "one readable state was expected", "Train anew with --force")
        return SavedState([], [])
    arrays, facts, name = state
    before = Recipe.from_table(facts["recipe"])
    _check_same_recipe(recipe, before, folder)
    partial_epoch = PartialEpoch(**facts["partial_epoch"]) if facts.get("partial_epoch") else None
    return SavedState(arrays, facts["history"], partial_epoch, before.training.precision, name == PREVIOUS_STATE)


def _read_state(folder: Path) -> tuple[list[np.ndarray], dict[str, Any], str] | None:
    """Arrays, facts and file name of the newest readable state."""
    for name in (STATE, PREVIOUS_STATE):
        with suppress(*_READ_ERRORS):
            arrays = read_arrays(folder / name)
            return arrays, json.loads(str(arrays.pop())), name
    return None


def _check_same_recipe(recipe: Recipe, before: Recipe, folder: Path) -> None:
    changed = {key: pair for key, pair in recipe.difference(before).items() if key not in _CHANGEABLE}
    if recipe.training.precision == "auto":  # the run goes on in the precision that it has chosen
        changed.pop("training.precision", None)
    if changed:
        lines = [
            f"{key} was {theirs!r} and is {mine!r}" for key, (mine, theirs) in list(changed.items())[:_LISTED_CHANGES]
        ]
        more = f", and {len(changed) - len(lines)} more" if len(changed) > len(lines) else ""
        happened = f"'{folder}' has a run of another recipe: {', '.join(lines)}{more}"
        raise ExperimentError(happened, "", "Set them as they were, choose another --name, or train anew with --force")


def read_history(folder: Path) -> list[Row]:
    """The rows of the completed epochs, from the newest readable state; empty without one."""
    state = _read_state(folder)
    return state[1]["history"] if state else []


def has_state(folder: Path) -> bool:
    """Whether there is a state to resume."""
    return any((folder / name).exists() for name in (STATE, PREVIOUS_STATE))


def save_best(folder: Path, model: keras.Model) -> None:
    """Save the weights of the best epoch so far."""
    with explain_write_errors(folder):
        write_atomically(folder / BEST, _pack(model.get_weights()), sync=True)


def save_weights(folder: Path, model: keras.Model, keep: str = "last") -> None:
    """Save the final weights in the order of ``model.weights``: those of the model, or of the best epoch."""
    if keep == "best" and (folder / BEST).exists():
        model.set_weights(read_arrays(folder / BEST))
    with explain_write_errors(folder):
        write_atomically(folder / WEIGHTS, _pack(model.get_weights()), sync=True)


def load_weights(folder: Path, model: keras.Model) -> None:
    """Load the weights of a finished run into a network of the same recipe."""
    try:
        model.set_weights(read_arrays(folder / WEIGHTS))
    except FileNotFoundError:
        happened = f"'{folder}' has no finished run"
        raise ExperimentError(happened, f"{WEIGHTS} was expected", "Wait until the training ends") from None


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the run in the folder."""
    if not (folder / RECIPE).exists():
        happened = f"'{folder}' is no training run"
        raise ExperimentError(happened, f"a folder with {RECIPE} was expected", "'mien runs' lists them")
    return Recipe.read(folder / RECIPE)


def read_arrays(path: Path) -> list[np.ndarray]:
    """The arrays of a file of weights or of a state, in order."""
    arrays = load_npz(path)
    return [arrays[name] for name in sorted(arrays)]


def _pack(arrays: list[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{number:04d}": array for number, array in enumerate(arrays)})
    return buffer.getvalue()


@contextmanager
def explain_write_errors(folder: Path, epochs: int | None = None) -> Iterator[None]:
    """Create the folder; inside, failed writes raise an OutputError that says which epoch is saved."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        expected = f"the state after epoch {epochs} is saved" if epochs else "a folder on a disk with free space"
        remedy = "Make free space, and run the same command again"
        raise OutputError(f"'{folder}' cannot be written: {error.strerror or error}", expected, remedy) from error
