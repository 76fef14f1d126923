"""What a net brings along from another task; writes results/transfer.json. Needs FER2013.

    python benchmarks/transfer.py --data fer2013.npz     ten minutes on two cores

A small residual net learns what FER+ voters say of most Training faces (or the drawn faces), and then, with fresh
heads, FER2013's labels from a few thousand others; beside it the same net learns those from nothing. The figure is the
accuracy on held-out Training faces. PublicTest is not looked at.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import _machine
import numpy as np
from _tables import Figures, format_percent, format_table

from mien.datasets import synthetic
from mien.datasets.dataset import TRAINING, FaceDataset
from mien.datasets.loading import load_faces
from mien.datasets.splits import DataSettings, sample_validation
from mien.training.callbacks import EpochEvent
from mien.training.recipe import LossSettings, NetworkSettings, Recipe, TrainingSettings

NET = NetworkSettings(width=16, depth=(1, 1, 1), dropout=0.0)
#: Faces with labels; the rest of Training, without them, is for the voters' task.
FEW, HELD_OUT, EPOCHS = 3000, 1500, 6
FIRST = Recipe(
    data=DataSettings(validation=700),
    net=NET,
    training=TrainingSettings(epochs=6, batch_size=64, learning_rate=0.05, warmup=0.5, ema=0.99),
)
THEN = Recipe(
    data=DataSettings(validation=HELD_OUT),
    net=NET,
    training=TrainingSettings(
        epochs=EPOCHS, batch_size=64, learning_rate=0.05, warmup=0.5, ema=0.9, frozen_epochs=1, fine_tune_rate=0.4
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    labelled, rest = parted(load_faces(options.data))
    voters = replace(FIRST, loss=LossSettings(soft_labels=1.0))
    with tempfile.TemporaryDirectory() as name:
        told = {
            "nothing": learned(THEN, labelled, Path(name, "scratch")),
            "the drawn faces": after(FIRST, synthetic.draw_faces(7000), labelled, Path(name, "drawn")),
            "what FER+ voters say": after(voters, rest, labelled, Path(name, "voters")),
        }
    figures = {"validation": told, "labelled": len(labelled) - HELD_OUT, "others": len(rest)}
    print(json.dumps(figures, indent=2) if options.dry else f"written: {_machine.write('transfer', figures).name}")


def parted(faces: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """Training faces that keep their labels, held-out ones among them, and the others."""
    training = faces.take(faces.usage == TRAINING)
    aside = sample_validation(training, FEW + HELD_OUT, seed=1)
    return training.take(aside), training.take(~aside)


def after(first: Recipe, faces: FaceDataset, labelled: FaceDataset, folder: Path) -> list[float]:
    from mien.training import loop

    loop.train(first, faces, folder / "first")
    return learned(replace(THEN, net=replace(NET, weights=str(folder / "first"))), labelled, folder / "then")


def learned(recipe: Recipe, faces: FaceDataset, folder: Path) -> list[float]:
    """Accuracy on the held-out faces after each epoch."""
    from mien.training import loop

    told: list[Any] = []
    loop.train(recipe, faces, folder, watch=told.append)
    return np.round([event.row["validation_accuracy"] for event in told if isinstance(event, EpochEvent)], 4).tolist()


def transfer_table(figures: Figures) -> str:
    epochs = len(next(iter(figures["validation"].values())))
    rows = [(f"from {name}", *map(format_percent, each)) for name, each in figures["validation"].items()]
    return format_table(["", *(f"epoch {number + 1}" for number in range(epochs))], rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "transfer": ("transfer", transfer_table),
}


if __name__ == "__main__":
    main()
