"""A whole training, from a recipe and faces to a finished run's folder; the same call goes on where one was stopped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mien.errors import LabError
from mien.files import write_atomically
from mien.lab import checkpoint, environment, run_folder, schedule, splits
from mien.lab.checkpoint import has_state
from mien.lab.data import TRAINING, Faces
from mien.lab.events import Note, Stop, Watch
from mien.lab.recipe import Recipe
from mien.lab.run_folder import ARCHITECTURE, ASIDE, ENVIRONMENT, METRICS, WEIGHTS
from mien.lab.run_lock import lock_run


def train(
    recipe: Recipe,
    faces: Faces,
    folder: Path,
    *,
    command: str = "",
    force: bool = False,
    watch: Watch | None = None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Trains, and writes everything that belongs into a run's folder; the figures of its ``metrics.json``.

    A run that was stopped or killed goes on, one that is finished is left as it is; another recipe or other faces are
    refused, and with ``force`` begin anew. Where nothing could be begun, nothing is left behind, and what was there
    before stays.
    """
    tell = watch or (lambda event: None)
    recipe = resolved(recipe, faces, tell)
    run_folder.refuse_others(folder, force)
    with run_folder.made(folder), lock_run(folder), _cleared_unless_begun(folder):
        done = {} if force else _gone_on(recipe, faces, folder, command, tell)
        if done:
            return done
        if force or not has_state(folder):
            with checkpoint.room(folder):
                _begin(recipe, faces, folder, command)
        from mien.lab import finish, fit

        fit.fit(recipe, faces, folder, watch=watch, stop=stop)
        with checkpoint.room(folder, len(checkpoint.history_of(folder))):
            return finish.finish(recipe, faces, folder, tell)


def resolved(recipe: Recipe, faces: Faces, tell: Watch) -> Recipe:
    """The recipe as it can be followed with these faces: paths whole, no head for votes that nobody gave."""
    _refuse_missing_classes(recipe, faces)
    if recipe.net.votes and not faces.votes.any() and not recipe.teach.targets:
        tell(Note("No votes of FER+ lie beside the data: the net has one head, for the labels"))
        recipe = replace(recipe, net=replace(recipe.net, votes=False))
    recipe = _with_fewer_held_out(recipe, faces, tell)
    if faces.problems:
        tell(Note(f"{len(faces.problems):,} rows of the data cannot be read and are left out"))
    return recipe.settled()


def _with_fewer_held_out(recipe: Recipe, faces: Faces, tell: Watch) -> Recipe:
    fitting = splits.with_fewer_held_out(recipe, faces)
    if fitting != recipe:
        there = int((faces.only(recipe.data.classes).usage == TRAINING).sum())
        told = f"{fitting.data.held_out:,} are held out, as {recipe.data.held_out:,} would leave too few"
        tell(Note(f"Of {there:,} Training faces {told}"))
    return fitting


def _refuse_missing_classes(recipe: Recipe, faces: Faces) -> None:
    learned = faces.only(recipe.data.classes).split(TRAINING)
    there = Counter(learned.classes[label] for label in learned.labels)
    missing = [name for name in recipe.data.classes if not there[name]]
    if len(recipe.data.classes) < 2:
        raise LabError("The recipe wants a single class", "two or more were expected", "Name them with --classes")
    if missing:
        happened = f"The data has no Training face of {', '.join(missing)}, which the recipe wants"
        known = [name for name in recipe.data.classes if there[name]]
        raise LabError(happened, "faces of every class were expected", f"Add --classes {','.join(known)}")


def _gone_on(recipe: Recipe, faces: Faces, folder: Path, command: str, tell: Watch) -> dict[str, Any]:
    """Looks at the run that is there, if it may go on; its metrics where it is finished already, else nothing."""
    run_folder.refuse_finished(folder)
    if not has_state(folder):
        return {}
    found = run_folder.read(folder)
    _refuse_other_faces(found.environment, faces, folder)
    if checkpoint.is_torn(folder):
        tell(Note("The newest state was not whole; the one before it serves"))
    from mien.lab import nets, precision

    nets.refuse_views(recipe.net)  # it learns with one, so that only its end would tell
    _, history = checkpoint.read(folder, precision.settled(recipe, folder))
    same = found.recipe is None or found.recipe.net.views == recipe.net.views
    if same and found.metrics and (folder / WEIGHTS).exists() and schedule.ended(recipe.fit, history):
        tell(Note(f"'{folder}' is finished already; --force trains it anew"))
        return found.metrics
    (folder / METRICS).unlink(missing_ok=True)
    _written(folder, _resumed(found.environment, recipe, faces, command, len(history)))
    return {}


def _begin(recipe: Recipe, faces: Faces, folder: Path, command: str) -> None:
    """What a run writes before its first epoch. An unknown net is found out before anything goes."""
    from mien.lab import diagram, nets

    drawn = diagram.png(nets.of_recipe(recipe, "float32", finished=True))
    run_folder.set_aside(folder)
    checkpoint.write_recipe(folder, recipe)
    write_atomically(folder / ARCHITECTURE, drawn, sync=True)
    _written(folder, environment.environment(recipe, faces, command))


def _refuse_other_faces(told: dict[str, Any], faces: Faces, folder: Path) -> None:
    before = told.get("data", {}).get("fingerprint")
    now = environment.fingerprint(faces)
    if before not in (None, now):
        was = f"its {told['data'].get('faces', 0):,} have the fingerprint {before}, these {len(faces):,} have {now}"
        happened = f"'{folder}' holds a run on other faces: {was}"
        raise LabError(happened, "", "Name the same data, choose another --name, or begin anew with --force")


def _resumed(told: dict[str, Any], recipe: Recipe, faces: Faces, command: str, epochs: int) -> dict[str, Any]:
    if not told:
        return environment.environment(recipe, faces, command)
    again = {"when": environment.now(), "after_epochs": epochs, "machine": environment.machine()["processor"]}
    return told | {"resumed": [*told.get("resumed", []), again]}


def _written(folder: Path, told: dict[str, Any]) -> None:
    write_atomically(folder / ENVIRONMENT, (json.dumps(told, indent=1, ensure_ascii=False) + "\n"), sync=True)


@contextmanager
def _cleared_unless_begun(folder: Path) -> Iterator[None]:
    """A run that ends before its first state leaves nothing behind, and the run in whose place it came is back."""
    run_folder.remove_temporary_files(folder)
    run_folder.settle(folder)
    try:
        yield
    finally:
        if (folder / ASIDE).is_dir() and not has_state(folder):
            run_folder.clear(folder)
        run_folder.settle(folder)
