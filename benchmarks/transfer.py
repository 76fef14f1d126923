"""Transfer learning from another task; writes results/transfer.json. Needs FER2013.

    python benchmarks/transfer.py --data fer2013.npz     ten minutes on two cores

A small residual network learns the FER+ votes of most Training faces (or the synthetic faces), and then, with new
heads, the FER2013 labels of a few thousand other faces; for comparison the same network learns these from scratch. The
metric is the accuracy on validation faces. PublicTest is not used.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import _results
import numpy as np
from _tables import Figures, format_percent, format_table

from mien.datasets import synthetic
from mien.datasets.dataset import TRAINING, FaceDataset
from mien.datasets.loading import load_faces
from mien.datasets.splits import DataSettings, sample_validation
from mien.training.callbacks import EpochEvent
from mien.training.plan import RunPlan
from mien.training.recipe import LossSettings, NetworkSettings, Recipe, TrainingSettings

NET = NetworkSettings(width=16, depth=(1, 1, 1), dropout=0.0)
#: Faces with labels, and validation faces; the rest of Training is for the votes.
LABELLED, VALIDATION, EPOCHS = 3000, 1500, 6
FIRST = Recipe(
    data=DataSettings(validation=700),
    net=NET,
    training=TrainingSettings(epochs=6, batch_size=64, learning_rate=0.05, warmup=0.5, ema=0.99),
)
SECOND = Recipe(
    data=DataSettings(validation=VALIDATION),
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
    labelled, rest = split_faces(load_faces(options.data))
    votes_only = replace(FIRST, loss=LossSettings(soft_labels=1.0))
    with tempfile.TemporaryDirectory() as name:
        accuracies = {
            "nothing": train(SECOND, labelled, Path(name, "scratch")),
            "the synthetic faces": train_twice(FIRST, synthetic.draw_faces(7000), labelled, Path(name, "drawn")),
            "FER+ votes": train_twice(votes_only, rest, labelled, Path(name, "voters")),
        }
    figures = {"validation": accuracies, "labelled": len(labelled) - VALIDATION, "others": len(rest)}
    _results.write_or_print("transfer", figures, options.dry)


def split_faces(faces: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """Training faces with labels, the validation faces among them, and the others."""
    training = faces.take(faces.usage == TRAINING)
    mask = sample_validation(training, LABELLED + VALIDATION, seed=1)
    return training.take(mask), training.take(~mask)


def train_twice(first: Recipe, faces: FaceDataset, labelled: FaceDataset, folder: Path) -> list[float]:
    from mien.training import loop

    loop.train(RunPlan(first, faces), folder / "first")
    return train(replace(SECOND, net=replace(NET, weights=str(folder / "first"))), labelled, folder / "then")


def train(recipe: Recipe, faces: FaceDataset, folder: Path) -> list[float]:
    """The validation accuracy after each epoch."""
    from mien.training import loop

    events: list[Any] = []
    loop.train(RunPlan(recipe, faces), folder, callback=events.append)
    return np.round([event.row["validation_accuracy"] for event in events if isinstance(event, EpochEvent)], 4).tolist()


def format_transfer_table(figures: Figures) -> str:
    epochs = len(next(iter(figures["validation"].values())))
    rows = [(f"from {name}", *map(format_percent, each)) for name, each in figures["validation"].items()]
    return format_table(["", *(f"epoch {number + 1}" for number in range(epochs))], rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "transfer": ("transfer", format_transfer_table),
}


if __name__ == "__main__":
    main()
