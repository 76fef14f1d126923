"""What a run leaves on disk after each epoch, written so that a kill at any moment costs at most that epoch."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import LabError
from mien.lab.recipe import Recipe

if TYPE_CHECKING:
    import keras

Row = dict[str, float]
STATE, BEFORE, BEST, WEIGHTS = "state.npz", "state.before.npz", "best.npz", "weights.npz"
#: What may change when a run goes on: the schedule follows the new length from where it is.
_MAY_CHANGE = {"fit.epochs"}


def write(folder: Path, arrays: list[np.ndarray], recipe: Recipe, history: list[Row]) -> None:
    """The state after an epoch. The state before it stays until the new one is whole on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = json.dumps({"recipe": recipe.to_table(), "history": history})
    if (folder / STATE).exists():
        (folder / STATE).replace(folder / BEFORE)
    write_whole(folder / STATE, _packed([*arrays, np.array(facts)]))
    write_whole(folder / "recipe.json", json.dumps(recipe.to_table(), indent=2).encode())
    write_whole(folder / "history.csv", _table(history).encode())


def read(folder: Path, recipe: Recipe) -> tuple[list[np.ndarray], list[Row]]:
    """Arrays and history of the last whole state, both empty for a fresh folder; refused for another recipe."""
    for name in (STATE, BEFORE):
        try:
            arrays = unpacked(folder / name)
        except (FileNotFoundError, zipfile.BadZipFile, EOFError, ValueError, KeyError):
            continue
        facts = json.loads(str(arrays.pop()))
        _refuse_another(recipe, Recipe.from_table(facts["recipe"]), folder)
        return arrays, facts["history"]
    return [], []


def keep_best(folder: Path, model: keras.Model) -> None:
    """The weights of the best epoch so far."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / BEST, _packed(model.get_weights()))


def finish(folder: Path, model: keras.Model, keep: str = "last") -> None:
    """The trained weights alone, in the order of ``model.weights``: those of the model, or of the best epoch."""
    if keep == "best" and (folder / BEST).exists():
        model.set_weights(unpacked(folder / BEST))
    write_whole(folder / WEIGHTS, _packed(model.get_weights()))


def load(folder: Path, model: keras.Model) -> None:
    """Puts the weights of a finished run into a net of the same recipe."""
    try:
        model.set_weights(unpacked(folder / WEIGHTS))
    except FileNotFoundError:
        raise LabError(
            f"{folder} holds no finished run", f"{WEIGHTS} was expected", "Let the training end first"
        ) from None


def recipe_of(folder: Path) -> Recipe:
    """The recipe a run was made with."""
    try:
        return Recipe.from_table(json.loads((folder / "recipe.json").read_text("utf-8")))
    except FileNotFoundError:
        raise LabError(f"{folder} is no run", "recipe.json was expected", "Name the folder given to --run") from None


def _refuse_another(recipe: Recipe, before: Recipe, folder: Path) -> None:
    changed = {key: pair for key, pair in recipe.difference(before).items() if key not in _MAY_CHANGE}
    if changed:
        words = ", ".join(f"{key} is {now!r}, was {then!r}" for key, (now, then) in changed.items())
        raise LabError(
            f"{folder} holds a run of another recipe: {words}", "", "Name another folder, or restore the recipe"
        )


def _packed(arrays: list[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{number:04d}": array for number, array in enumerate(arrays)})
    return buffer.getvalue()


def unpacked(path: Path) -> list[np.ndarray]:
    # Opened here, because NumPy leaves a torn file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]


def write_whole(path: Path, content: bytes) -> None:
    """All or nothing: a reader, or a power cut, sees the old file or the new one."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _table(history: list[Row]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(history[-1]), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    return text.getvalue()
