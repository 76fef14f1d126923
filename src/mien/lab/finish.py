"""What a run's folder receives when its last epoch is through: models for every window, figures, and the score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mien import plots
from mien._version import __version__
from mien.files import write_atomically
from mien.lab import checkpoint, diagram, evaluate, export, formats, nets, run_folder, scores, sheet
from mien.lab.checkpoint import Row
from mien.lab.data import PUBLIC, Faces
from mien.lab.events import Note, Watch
from mien.lab.recipe import Recipe
from mien.lab.speed import model_facts
from mien.models import OnnxClassifier, write_card

#: The lines of a figure, by the column of ``history.csv``.
_ACCURACIES = {"accuracy": "learned from", "held_out": "held out", "held_out_votes": "held out, votes"}
_LOSSES = {"loss": "learned from", "held_out_loss": "held out"}

#: Figures that are too long for a card, or no figures of the model.
_NOT_FOR_CARDS = ("fingerprint", "labels", "left_out", "confusion", "mistakes", "tta", "calibration", "ece_calibrated")


def finish(recipe: Recipe, faces: Faces, folder: Path, tell: Watch) -> dict[str, Any]:
    """Writes everything but the state, ``metrics.json`` last; its figures. May be called again."""
    tell(Note("Writing the models, and measuring what came out"))
    history = checkpoint.history_of(folder)
    checkpoint.write_history(folder, history)
    draw_curves(folder, history)
    _as_planned(recipe, folder)
    done = export.finished(folder, faces, recipe.name)
    content, told = export.as_onnx(done)
    found = evaluate.answers(OnnxClassifier(content), faces, split_of(recipe, faces), augmented=False)
    figures = evaluate.figures(found)
    for_card = {key: value for key, value in figures.items() if key not in _NOT_FOR_CARDS}
    card = replace(done.card, scores=export.rounded({**for_card, **told}), recipe=recipe.to_publish())
    write_atomically(folder / run_folder.ONNX, write_card(content, card), sync=True)
    plain = formats.plain(done.model, done.fitted.temperatures)
    formats.save(plain, card, folder / run_folder.KERAS)
    (folder / run_folder.H5).unlink(missing_ok=True)
    if formats.fits_h5(plain):
        formats.save(plain, card, folder / run_folder.H5)
    write_atomically(folder / run_folder.CONFUSION, _confusion(found), sync=True)
    write_atomically(folder / run_folder.ANSWERS, sheet.table(found), sync=True)
    facts = {"mien": __version__, "model": model_facts(folder / run_folder.ONNX), **figures}
    metrics = facts | {"training": trained(recipe, history)}
    write_atomically(folder / run_folder.METRICS, (json.dumps(metrics, indent=1, ensure_ascii=False) + "\n"), sync=True)
    return metrics


def _as_planned(recipe: Recipe, folder: Path) -> None:
    """What only the finished net does may have changed since the last epoch was written."""
    there = checkpoint.recipe_of(folder)
    if there.net.views != recipe.net.views:
        planned = replace(there, net=replace(there.net, views=recipe.net.views))
        checkpoint.write_recipe(folder, planned)
        write_atomically(
            folder / run_folder.ARCHITECTURE, diagram.png(nets.of_recipe(planned, "float32", finished=True)), sync=True
        )


def split_of(recipe: Recipe, faces: Faces) -> str:
    """The split whose figures a run reports: PublicTest, or where there is none the faces held out."""
    return "public" if (faces.only(recipe.data.classes).usage == PUBLIC).any() else "validation"


def trained(recipe: Recipe, history: Sequence[Row]) -> dict[str, Any]:
    """How the training went, in a few figures."""
    told: dict[str, Any] = {
        "epochs": len(history),
        "planned": recipe.fit.epochs,
        "seconds": round(sum(row.get("seconds", 0.0) for row in history), 1),
    }
    if history and "held_out" in history[0]:
        values = [row["held_out"] for row in history]
        told |= {"best_epoch": int(np.argmax(values)) + 1, "held_out": max(values), "kept": recipe.fit.keep}
    return told


def draw_curves(folder: Path, history: Sequence[Row]) -> None:
    """``accuracy.png`` and ``loss.png``, from the rows of the epochs."""
    right, lost = _lines(_ACCURACIES, history), _lines(_LOSSES, history)
    best = _ACCURACIES["held_out"] if _ACCURACIES["held_out"] in right else ""
    if right:
        figure = plots.history(right, "Accuracy, epoch by epoch", shares=True, best=best)
        write_atomically(folder / run_folder.ACCURACY, plots.png(figure), sync=True)
    if lost:
        write_atomically(folder / run_folder.LOSS, plots.png(plots.history(lost, "Loss, epoch by epoch")), sync=True)


def _lines(names: dict[str, str], history: Sequence[Row]) -> dict[str, list[float]]:
    there = [key for key in names if history and key in history[0]]
    return {names[key]: [row.get(key, float("nan")) for row in history] for key in there}


def _confusion(found: evaluate.Answers) -> bytes:
    counts = scores.confusion(found.shares, found.faces.labels)
    return plots.png(plots.confusion(counts, found.card.labels))
