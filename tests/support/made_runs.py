"""Runs' folders as a training leaves them, made without one."""

from __future__ import annotations

import json
from pathlib import Path

from mien.training import checkpoint, run_folder
from mien.training.recipe import NetworkSettings, Recipe, TrainingSettings


def made_run(folder: Path, epochs: int = 3, *, planned: int = 3, net: str = "basic", finished: bool = True) -> Path:
    """A run of that many epochs; ``finished`` with the figures that the end writes."""
    recipe = Recipe(name=folder.name, net=NetworkSettings(name=net), training=TrainingSettings(epochs=planned))
    history = [row(epoch) for epoch in range(1, epochs + 1)]
    folder.mkdir(parents=True)
    checkpoint.write_recipe(folder, recipe)
    if history:
        checkpoint.save_state(folder, [], recipe, history)
    begun = {"begun": "2026-02-03T04:05:06+00:00", "command": "mien train", "data": {"fingerprint": "f" * 20}}
    (folder / run_folder.ENVIRONMENT).write_text(json.dumps(begun))
    if finished:
        (folder / run_folder.WEIGHTS).touch()
        (folder / run_folder.METRICS).write_text(json.dumps({"split": "public", "accuracy": 0.5}))
    return folder


def row(epoch: int) -> dict[str, float]:
    shares = {"accuracy": 0.2 + 0.1 * epoch, "held_out": [0.2, 0.4, 0.3][(epoch - 1) % 3]}
    return {"epoch": epoch, "rate": 0.1, "loss": 2 / epoch, **shares, "held_out_loss": 1.9, "seconds": 30.0}
