"""A whole training run: from a recipe and faces to a run folder with models, metrics and figures.

The same call resumes a run that was stopped or killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mien import plots
from mien._version import __version__
from mien.datasets.dataset import PUBLIC, FaceDataset
from mien.errors import ExperimentError
from mien.evaluation import evaluate, metrics, report
from mien.evaluation.inference import model_facts
from mien.export import formats, onnx
from mien.files import write_atomically
from mien.models import OnnxClassifier, write_card
from mien.training import checkpoint, environment, loop, network_summary, networks, run_folder, schedule
from mien.training.callbacks import Callback, MessageEvent, Row, StopCheck
from mien.training.checkpoint import WEIGHTS, has_state
from mien.training.plan import plan_run
from mien.training.recipe import Recipe

#: The lines of the figures by their column of ``history.csv``.
_LINES = {
    "accuracy": {"accuracy": "training", "validation_accuracy": "validation", "validation_votes": "validation, votes"},
    "loss": {"loss": "training", "validation_loss": "validation"},
}

#: Metrics that are too long for a card, or that are no metrics of the model.
_NOT_FOR_CARDS = (
    *("fingerprint", "labels", "excluded", "synthetic", "chance", "confusion", "mistakes", "tta", "calibration"),
    "ece_calibrated",
)


def run_training(
    recipe: Recipe,
    faces: FaceDataset,
    folder: Path,
    *,
    command: str = "",
    force: bool = False,
    callback: Callback | None = None,
    should_stop: StopCheck | None = None,
) -> dict[str, Any]:
    """Train, or resume a run, and write all files of its folder; its metrics.

    A finished run is left unchanged. A run of another recipe or of other faces is refused; with ``force`` it is
    replaced as soon as the new run has a state. A run that fails before that leaves no files, and the previous run is
    restored.
    """
    callback = callback or (lambda event: None)
    plan = plan_run(recipe, faces, callback)
    run_folder.check_folder_is_free(folder, force)
    with run_folder.create_folder(folder), run_folder.lock_run(folder), run_folder.restore_unless_started(folder):
        if not force:
            run_folder.check_resumable(folder)
        facts = environment.describe_environment(plan, command)
        if force or not has_state(folder):
            with checkpoint.explain_write_errors(folder):
                _start_run(plan.recipe, facts, folder)
        elif results := _resume_run(plan.recipe, facts, folder, callback):
            return results
        loop.train(plan, folder, callback=callback, should_stop=should_stop)
        with checkpoint.explain_write_errors(folder, len(checkpoint.read_history(folder))):
            return write_results(plan.recipe, faces, folder, callback)


def _start_run(recipe: Recipe, facts: dict[str, Any], folder: Path) -> None:
    """Write the files that precede the first epoch. An invalid network is refused before any file is moved."""
    diagram = network_summary.diagram_png(network_summary.build_network(recipe))
    run_folder.move_aside(folder)
    _write_recipe(recipe, diagram, folder)
    _write_json(folder / run_folder.ENVIRONMENT, facts)


def _write_recipe(recipe: Recipe, diagram: bytes, folder: Path) -> None:
    checkpoint.write_recipe(folder, recipe)
    write_atomically(folder / run_folder.ARCHITECTURE, diagram, sync=True)


def _resume_run(recipe: Recipe, facts: dict[str, Any], folder: Path, callback: Callback) -> dict[str, Any]:
    """Check that the run may be resumed in this environment; the metrics of a finished run, else empty."""
    run = run_folder.read_run(folder)
    _check_same_faces(run.environment.get("data", {}), facts["data"], folder)
    networks.check_views(recipe.net)  # training has one view, so that only its end would fail
    state = checkpoint.load_state(folder, recipe)
    if state.is_previous:
        callback(MessageEvent("The newest state is damaged; the one before it is used"))
    same_views = run.recipe is None or run.recipe.net.views == recipe.net.views
    has_weights = (folder / WEIGHTS).exists()
    if same_views and run.metrics and has_weights and schedule.is_finished(recipe.training, state.history):
        callback(MessageEvent(f"'{folder}' is finished already; --force trains it anew"))
        return run.metrics
    (folder / run_folder.METRICS).unlink(missing_ok=True)
    if run.recipe and not same_views:
        updated = replace(run.recipe, net=replace(run.recipe.net, views=recipe.net.views))
        _write_recipe(updated, network_summary.diagram_png(network_summary.build_network(updated)), folder)
    if before := run.environment:
        machine = facts["machine"]["processor"]
        resumed = {"when": facts["started"], "after_epochs": len(state.history), "machine": machine}
        facts = before | {"resumed": [*before.get("resumed", []), resumed]}
    _write_json(folder / run_folder.ENVIRONMENT, facts)
    return {}


def _check_same_faces(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    fingerprints = before.get("fingerprint"), now["fingerprint"]
    if fingerprints[0] not in (None, fingerprints[1]):
        numbers = f"its {before.get('faces', 0):,} have the fingerprint {fingerprints[0]}"
        happened = f"'{folder}' has a run on other faces: {numbers}, these {now['faces']:,} have {fingerprints[1]}"
        raise ExperimentError(happened, "", "Name the same data, choose another --name, or train anew with --force")


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(facts, indent=1, ensure_ascii=False) + "\n", sync=True)


def write_results(recipe: Recipe, faces: FaceDataset, folder: Path, callback: Callback) -> dict[str, Any]:
    """Write the models, the figures and at last ``metrics.json``; the metrics. May be called again."""
    callback(MessageEvent("Writing the models, and evaluating them"))
    history = checkpoint.read_history(folder)
    checkpoint.write_history(folder, history)
    plot_history(folder, history, synthetic=faces.synthetic)

    finished = onnx.load_finished_run(folder, faces, recipe.name)
    content, export_scores = onnx.to_onnx(finished)
    has_test = (faces.only(finished.card.labels).usage == PUBLIC).any()
    # A run of a fold is one of several for one decision, which is not taken on test faces.
    split = "public" if has_test and not recipe.data.folds else "validation"
    predictions = evaluate.predict_split(OnnxClassifier(content), faces, split, tta=False)
    results = evaluate.compute_metrics(predictions)

    card_scores = {key: value for key, value in results.items() if key not in _NOT_FOR_CARDS} | export_scores
    card = replace(finished.card, metrics=onnx.round_scores(card_scores), recipe=recipe.public_table())
    write_atomically(folder / run_folder.ONNX, write_card(content, card), sync=True)
    plain = formats.to_plain_keras(finished.model, finished.temperatures)
    formats.save_keras(plain, card, folder / run_folder.KERAS)
    (folder / run_folder.H5).unlink(missing_ok=True)
    if formats.supports_h5(plain):
        formats.save_keras(plain, card, folder / run_folder.H5)

    counts = metrics.confusion_matrix(predictions.scores, predictions.faces.labels)
    figure = plots.plot_confusion(counts, predictions.card.labels)
    write_atomically(folder / run_folder.CONFUSION, plots.render_png(figure, synthetic=faces.synthetic), sync=True)
    write_atomically(folder / run_folder.PREDICTIONS, report.format_predictions(predictions), sync=True)
    facts = {"mien": __version__, "model": model_facts(folder / run_folder.ONNX), **results}
    facts["training"] = summarize_training(recipe, history)
    _write_json(folder / run_folder.METRICS, facts)
    return facts


def summarize_training(recipe: Recipe, history: Sequence[Row]) -> dict[str, Any]:
    """The section ``training`` of the metrics."""
    summary: dict[str, Any] = {
        "epochs": len(history),
        "planned": recipe.training.epochs,
        "seconds": round(sum(row.get("seconds", 0.0) for row in history), 1),
    }
    if history and schedule.METRIC in history[0]:
        best = schedule.best_epoch(history)
        accuracy = history[best - 1][schedule.METRIC]
        summary |= {"best_epoch": best, "validation_accuracy": accuracy, "keep": recipe.training.keep}
    return summary


def plot_history(folder: Path, history: Sequence[Row], *, synthetic: bool = False) -> None:
    """Write ``accuracy.png``, in which the best epoch is marked, and ``loss.png``."""
    for metric, lines in _LINES.items():
        keys = [key for key in lines if history and key in history[0]]
        curves = {lines[key]: [row.get(key, float("nan")) for row in history] for key in keys}
        is_accuracy = metric == "accuracy"
        best = "validation" if is_accuracy and "validation" in curves else ""
        if curves:
            figure = plots.plot_history(curves, f"{metric.capitalize()} by epoch", percent=is_accuracy, best=best)
            content = plots.render_png(figure, synthetic=synthetic)
            write_atomically(folder / f"{metric}.png", content, sync=True)
