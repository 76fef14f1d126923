"""How right an embedded model is: its score sheet on PublicTest, its size and time, and what spoilt faces cost it.

    python benchmarks/accuracy.py fer2013.csv [--model base] [--looks N]

PublicTest is read once a run; how often that happened before is the user's to know and goes into the record. The table
of spoilt faces and the groups are made on the Training faces that were held out of the fit.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import _machine
import numpy as np

from mien.datasets import dataset
from mien.datasets.non_faces import measure_uncertain_rates
from mien.evaluation import evaluate
from mien.evaluation.groups import estimate_groups, measure_groups
from mien.evaluation.robustness import measure_robustness
from mien.models import OnnxClassifier, load_classifier, protobuf, resolve_model
from mien.models.onnx_file import GRAPH
from mien.training.recipe import Recipe


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("data", type=Path, help="fer2013.csv or fer2013.npz, fer2013new.csv beside it")
    words.add_argument("--model", default="base")
    words.add_argument("--looks", type=int, default=1, help="how often PublicTest was looked at, this time counted")
    words.add_argument("--to", help="the name of the result file; else accuracy- and the model's")
    given = words.parse_args()
    path, faces = resolve_model(given.model), dataset.load_faces(given.data)
    figures = {"looks": given.looks, **measured(path, faces)}
    print(_machine.write(given.to or f"accuracy-{given.model}", figures))


def measured(path: Path, faces: dataset.FaceDataset) -> dict[str, Any]:
    classifier = load_classifier(path, threads=1)
    card = classifier.card
    _, kept = dataset.split_training_validation(Recipe.from_table(dict(card.recipe)), faces)
    shares = classifier.run(kept.pixels[..., None]).scores
    seen, missing = estimate_groups(kept.pixels)
    return {
        "model": {
            "name": card.name,
            "bytes": path.stat().st_size,
            "parameters": card.parameters,
            "graph": graph_hash(path),
        },
        "multiply_adds": card.multiply_adds,
        "one_face_one_core_ms": milliseconds(classifier, faces.pixels[:1, ..., None]),
        "public": evaluate.compute_metrics(evaluate.predict_split(classifier, faces)),
        "certain_on_held_out": float(np.mean(shares.max(1) >= card.uncertain_below)),
        "uncertain_of_nothing": measure_uncertain_rates(classifier),
        "held_out_spoilt": [asdict(row) for row in measure_robustness(classifier, kept)],
        "held_out_groups": [asdict(measure_groups(name, words, shares, kept.labels)) for name, words in seen.items()],
        "not_grouped": missing,
    }


def graph_hash(path: Path) -> str:
    """Of the network alone: the card around it may be told more later, and that changes no figure."""
    fields = protobuf.fields(path.read_bytes())
    return hashlib.sha256(next(field.content for field in fields if field.number == GRAPH)).hexdigest()


def milliseconds(classifier: OnnxClassifier, face: np.ndarray, warm: int = 100, rounds: int = 500) -> dict[str, float]:
    """Median and best of many single faces, warm."""
    spent = []
    for _ in range(warm + rounds):
        begun = time.perf_counter()
        classifier.run(face)
        spent.append((time.perf_counter() - begun) * 1000)
    return {"median": round(statistics.median(spent[warm:]), 3), "best": round(min(spent[warm:]), 3)}


if __name__ == "__main__":
    main()
