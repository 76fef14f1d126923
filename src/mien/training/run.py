"""What a run's folder receives when its last epoch is through: models for every window, figures, and the score."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mien import plots
from mien._version import __version__
from mien.datasets.dataset import PUBLIC, TRAINING, FaceDataset
from mien.errors import ExperimentError
from mien.evaluation import evaluate, report
from mien.evaluation import metrics as scores
from mien.evaluation.latency import model_facts
from mien.export import formats, onnx
from mien.files import write_atomically
from mien.models import OnnxClassifier, write_card
from mien.training import checkpoint, environment, network_summary, networks, run_folder, schedule
from mien.training.callbacks import Callback, MessageEvent, StopCheck
from mien.training.checkpoint import WEIGHTS, Row, has_state
from mien.training.recipe import Recipe
from mien.training.run_folder import ARCHITECTURE, ASIDE, ENVIRONMENT, METRICS
from mien.training.run_lock import lock_run

#: The lines of a figure, by the column of ``history.csv``.
_ACCURACIES = {"accuracy": "learned from", "held_out": "held out", "held_out_votes": "held out, votes"}
_LOSSES = {"loss": "learned from", "held_out_loss": "held out"}

#: Figures that are too long for a card, or no figures of the model.
_NOT_FOR_CARDS = ("fingerprint", "labels", "left_out", "confusion", "mistakes", "tta", "calibration", "ece_calibrated")


def write_results(recipe: Recipe, faces: FaceDataset, folder: Path, tell: Callback) -> dict[str, Any]:
    """Writes everything but the state, ``metrics.json`` last; its figures. May be called again."""
    tell(MessageEvent("Writing the models, and measuring what came out"))
    history = checkpoint.read_history(folder)
    checkpoint.write_history(folder, history)
    plot_history(folder, history)
    _as_planned(recipe, folder)
    done = onnx.load_finished_run(folder, faces, recipe.name)
    content, told = onnx.to_onnx(done)
    found = evaluate.predict_split(OnnxClassifier(content), faces, report_split(recipe, faces), augmented=False)
    figures = evaluate.compute_metrics(found)
    for_card = {key: value for key, value in figures.items() if key not in _NOT_FOR_CARDS}
    card = replace(done.card, scores=onnx.round_scores({**for_card, **told}), recipe=recipe.public_table())
    write_atomically(folder / run_folder.ONNX, write_card(content, card), sync=True)
    plain = formats.to_plain_keras(done.model, done.fitted.temperatures)
    formats.save_keras(plain, card, folder / run_folder.KERAS)
    (folder / run_folder.H5).unlink(missing_ok=True)
    if formats.supports_h5(plain):
        formats.save_keras(plain, card, folder / run_folder.H5)
    write_atomically(folder / run_folder.CONFUSION, _confusion(found), sync=True)
    write_atomically(folder / run_folder.ANSWERS, report.format_predictions(found), sync=True)
    facts = {"mien": __version__, "model": model_facts(folder / run_folder.ONNX), **figures}
    metrics = facts | {"training": summarize_training(recipe, history)}
    write_atomically(folder / run_folder.METRICS, (json.dumps(metrics, indent=1, ensure_ascii=False) + "\n"), sync=True)
    return metrics


def _as_planned(recipe: Recipe, folder: Path) -> None:
    """What only the finished net does may have changed since the last epoch was written."""
    there = checkpoint.read_recipe(folder)
    if there.net.views != recipe.net.views:
        planned = replace(there, net=replace(there.net, views=recipe.net.views))
        checkpoint.write_recipe(folder, planned)
        write_atomically(
            folder / run_folder.ARCHITECTURE,
            network_summary.diagram_png(networks.build_recipe_network(planned, "float32", finished=True)),
            sync=True,
        )


def report_split(recipe: Recipe, faces: FaceDataset) -> str:
    """The split whose figures a run reports: PublicTest, or where there is none the faces held out."""
    return "public" if (faces.only(recipe.data.classes).usage == PUBLIC).any() else "validation"


def summarize_training(recipe: Recipe, history: Sequence[Row]) -> dict[str, Any]:
    """How the training went, in a few figures."""
    told: dict[str, Any] = {
        "epochs": len(history),
        "planned": recipe.training.epochs,
        "seconds": round(sum(row.get("seconds", 0.0) for row in history), 1),
    }
    if history and "held_out" in history[0]:
        values = [row["held_out"] for row in history]
        told |= {"best_epoch": int(np.argmax(values)) + 1, "held_out": max(values), "kept": recipe.training.keep}
    return told


def plot_history(folder: Path, history: Sequence[Row]) -> None:
    """``accuracy.png`` and ``loss.png``, from the rows of the epochs."""
    right, lost = _lines(_ACCURACIES, history), _lines(_LOSSES, history)
    best = _ACCURACIES["held_out"] if _ACCURACIES["held_out"] in right else ""
    if right:
        figure = plots.plot_history(right, "Accuracy, epoch by epoch", shares=True, best=best)
        write_atomically(folder / run_folder.ACCURACY, plots.render_png(figure), sync=True)
    if lost:
        write_atomically(
            folder / run_folder.LOSS, plots.render_png(plots.plot_history(lost, "Loss, epoch by epoch")), sync=True
        )


def _lines(names: dict[str, str], history: Sequence[Row]) -> dict[str, list[float]]:
    there = [key for key in names if history and key in history[0]]
    return {names[key]: [row.get(key, float("nan")) for row in history] for key in there}


def _confusion(found: evaluate.Predictions) -> bytes:
    counts = scores.confusion_matrix(found.shares, found.faces.labels)
    return plots.render_png(plots.plot_confusion(counts, found.card.labels))


# ==== mien.lab.training
# A whole training, from a recipe and faces to a finished run's folder; the same call goes on where one was stopped.


def run_training(
    recipe: Recipe,
    faces: FaceDataset,
    folder: Path,
    *,
    command: str = "",
    force: bool = False,
    watch: Callback | None = None,
    stop: StopCheck | None = None,
) -> dict[str, Any]:
    """Trains, and writes everything that belongs into a run's folder; the figures of its ``metrics.json``.

    A run that was stopped or killed goes on, one that is finished is left as it is; another recipe or other faces are
    refused, and with ``force`` begin anew. Where nothing could be begun, nothing is left behind, and what was there
    before stays.
    """
    tell = watch or (lambda event: None)
    recipe = resolve_recipe(recipe, faces, tell)
    run_folder.check_folder_is_free(folder, force)
    with run_folder.create_folder(folder), lock_run(folder), _cleared_unless_begun(folder):
        done = {} if force else _gone_on(recipe, faces, folder, command, tell)
        if done:
            return done
        if force or not has_state(folder):
            with checkpoint.explain_write_errors(folder):
                _begin(recipe, faces, folder, command)
        from mien.training import loop

        loop.train(recipe, faces, folder, watch=watch, stop=stop)
        with checkpoint.explain_write_errors(folder, len(checkpoint.read_history(folder))):
            return write_results(recipe, faces, folder, tell)


def resolve_recipe(recipe: Recipe, faces: FaceDataset, tell: Callback) -> Recipe:
    """The recipe as it can be followed with these faces: paths whole, no head for votes that nobody gave."""
    _refuse_missing_classes(recipe, faces)
    if recipe.net.votes and not faces.votes.any() and not recipe.distillation.targets:
        tell(MessageEvent("No votes of FER+ lie beside the data: the net has one head, for the labels"))
        recipe = replace(recipe, net=replace(recipe.net, votes=False))
    recipe = _with_fewer_held_out(recipe, faces, tell)
    if faces.problems:
        tell(MessageEvent(f"{len(faces.problems):,} rows of the data cannot be read and are left out"))
    return recipe.with_absolute_paths()


def _with_fewer_held_out(recipe: Recipe, faces: FaceDataset, tell: Callback) -> Recipe:
    fitting = schedule.adapt_validation(recipe, faces)
    if fitting != recipe:
        there = int((faces.only(recipe.data.classes).usage == TRAINING).sum())
        told = f"{fitting.data.validation:,} are held out, as {recipe.data.validation:,} would leave too few"
        tell(MessageEvent(f"Of {there:,} Training faces {told}"))
    return fitting


def _refuse_missing_classes(recipe: Recipe, faces: FaceDataset) -> None:
    learned = faces.only(recipe.data.classes).split(TRAINING)
    there = Counter(learned.classes[label] for label in learned.labels)
    missing = [name for name in recipe.data.classes if not there[name]]
    if len(recipe.data.classes) < 2:
        raise ExperimentError("The recipe wants a single class", "two or more were expected", "Name them with --classes")
    if missing:
        happened = f"The data has no Training face of {', '.join(missing)}, which the recipe wants"
        known = [name for name in recipe.data.classes if there[name]]
        raise ExperimentError(happened, "faces of every class were expected", f"Add --classes {','.join(known)}")


def _gone_on(recipe: Recipe, faces: FaceDataset, folder: Path, command: str, tell: Callback) -> dict[str, Any]:
    """Looks at the run that is there, if it may go on; its metrics where it is finished already, else nothing."""
    run_folder.check_resumable(folder)
    if not has_state(folder):
        return {}
    found = run_folder.read_run(folder)
    _refuse_other_faces(found.environment, faces, folder)
    if checkpoint.is_damaged(folder):
        tell(MessageEvent("The newest state was not whole; the one before it serves"))
    from mien.training import networks, precision

    networks.check_views(recipe.net)  # it learns with one, so that only its end would tell
    _, history = checkpoint.load_state(folder, precision.resume_precision(recipe, folder))
    same = found.recipe is None or found.recipe.net.views == recipe.net.views
    if same and found.metrics and (folder / WEIGHTS).exists() and schedule.ended(recipe.training, history):
        tell(MessageEvent(f"'{folder}' is finished already; --force trains it anew"))
        return found.metrics
    (folder / METRICS).unlink(missing_ok=True)
    _written(folder, _resumed(found.environment, recipe, faces, command, len(history)))
    return {}


def _begin(recipe: Recipe, faces: FaceDataset, folder: Path, command: str) -> None:
    """What a run writes before its first epoch. An unknown net is found out before anything goes."""
    from mien.training import network_summary, networks

    drawn = network_summary.diagram_png(networks.build_recipe_network(recipe, "float32", finished=True))
    run_folder.move_aside(folder)
    checkpoint.write_recipe(folder, recipe)
    write_atomically(folder / ARCHITECTURE, drawn, sync=True)
    _written(folder, environment.describe_environment(recipe, faces, command))


def _refuse_other_faces(told: dict[str, Any], faces: FaceDataset, folder: Path) -> None:
    before = told.get("data", {}).get("fingerprint")
    now = environment.fingerprint_dataset(faces)
    if before not in (None, now):
        was = f"its {told['data'].get('faces', 0):,} have the fingerprint {before}, these {len(faces):,} have {now}"
        happened = f"'{folder}' holds a run on other faces: {was}"
        raise ExperimentError(happened, "", "Name the same data, choose another --name, or begin anew with --force")


def _resumed(told: dict[str, Any], recipe: Recipe, faces: FaceDataset, command: str, epochs: int) -> dict[str, Any]:
    if not told:
        return environment.describe_environment(recipe, faces, command)
    again = {"when": environment.utc_now(), "after_epochs": epochs, "machine": environment.describe_machine()["processor"]}
    return told | {"resumed": [*told.get("resumed", []), again]}


def _written(folder: Path, told: dict[str, Any]) -> None:
    write_atomically(folder / ENVIRONMENT, (json.dumps(told, indent=1, ensure_ascii=False) + "\n"), sync=True)


@contextmanager
def _cleared_unless_begun(folder: Path) -> Iterator[None]:
    """A run that ends before its first state leaves nothing behind, and the run in whose place it came is back."""
    run_folder.remove_temporary_files(folder)
    run_folder.resolve_aside(folder)
    try:
        yield
    finally:
        if (folder / ASIDE).is_dir() and not has_state(folder):
            run_folder.remove_run_files(folder)
        run_folder.resolve_aside(folder)
