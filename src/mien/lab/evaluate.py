"""One model on one split of the data: the figures of :mod:`mien.lab.scores` and :mod:`mien.lab.votes` together."""

from __future__ import annotations

from typing import Any

from mien.lab.data import PUBLIC, Faces, without_twins
from mien.lab.scores import accuracy, score_sheet
from mien.lab.votes import vote_sheet
from mien.models import Classifier


def evaluate(classifier: Classifier, faces: Faces, split: str = PUBLIC) -> dict[str, Any]:
    """Every figure of one model on one split of the data, one forward pass a face."""
    faces = faces.only(classifier.card.labels)
    chosen = faces.split(split)
    outputs = classifier.run(chosen.pixels[..., None])
    alone = without_twins(faces, split)
    return {
        "split": split,
        "faces": len(chosen),
        **score_sheet(outputs.shares, chosen.labels, chosen.classes),
        "faces_no_twins": int(alone.sum()),
        "accuracy_no_twins": accuracy(outputs.shares[alone], chosen.labels[alone]) if alone.any() else None,
        **({} if outputs.votes is None else vote_sheet(outputs.votes, chosen)),
    }
