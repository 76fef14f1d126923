"""Run folders as a training leaves them, written without a training."""

from __future__ import annotations

import json
from pathlib import Path

from mien.training import checkpoint, run_folder
from mien.training.recipe import NetworkSettings, Recipe, TrainingSettings


def write_run(folder: Path, epochs: int = 3, *, planned: int = 3, net: str = "basic", finished: bool = True) -> Path:
    """A run of that many epochs; a ``finished`` one has weights and metrics."""
    recipe = Recipe(name=folder.name, net=NetworkSettings(name=net), training=TrainingSettings(epochs=planned))
    history = [make_row(epoch) for epoch in range(1, epochs + 1)]
    folder.mkdir(parents=True)
    checkpoint.write_recipe(folder, recipe)
    if history:
        checkpoint.save_state(folder, [], recipe, history)
    facts = {"started": "2026-02-03T04:05:06+00:00", "command": "mien train", "data": {"fingerprint": "f" * 20}}
    (folder / run_folder.ENVIRONMENT).write_text(json.dumps(facts))
    if finished:
        (folder / run_folder.WEIGHTS).touch()
        (folder / run_folder.METRICS).write_text(json.dumps({"split": "public", "accuracy": 0.5}))
    return folder


def make_row(epoch: int) -> dict[str, float]:
    """A row of the history; the second of three epochs is the best."""
    accuracies = {"accuracy": 0.2 + 0.1 * epoch, "validation_accuracy": [0.2, 0.4, 0.3][(epoch - 1) % 3]}
    losses = {"loss": 2 / epoch, "validation_loss": 1.9}
    return {"epoch": epoch, "learning_rate": 0.1, **losses, **accuracies, "seconds": 30.0}
