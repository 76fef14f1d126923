"""How right an embedded model is: its score sheet on PublicTest, its size and time, and what spoilt faces cost it.

    python benchmarks/accuracy.py fer2013.csv [--model base] [--looks N]

PublicTest is read once a run; how often that happened before is the user's to know and goes into the record. The table
of spoilt faces and the groups are made on the Training faces that were held out of the fit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import _machine
import numpy as np
from _tables import RESULTS, Figures, format_percent, format_table

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
    path, faces = resolve_model(given.model), loading.load_faces(given.data)
    figures = {"looks": given.looks, **measured(path, faces)}
    print(_machine.write(given.to or f"accuracy-{given.model}", figures))


def measured(path: Path, faces: dataset.FaceDataset) -> dict[str, Any]:
    classifier = load_classifier(path, threads=1)
    card = classifier.card
    _, kept = splits.split_training_validation(Recipe.from_table(dict(card.recipe)).data, faces)
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
    fields = protobuf.read_fields(path.read_bytes())
    return hashlib.sha256(next(field.content for field in fields if field.number == GRAPH)).hexdigest()


def milliseconds(classifier: OnnxClassifier, face: np.ndarray, warm: int = 100, rounds: int = 500) -> dict[str, float]:
    """Median and best of many single faces, warm."""
    spent = []
    for _ in range(warm + rounds):
        begun = time.perf_counter()
        classifier.run(face)
        spent.append((time.perf_counter() - begun) * 1000)
    return {"median": round(statistics.median(spent[warm:]), 3), "best": round(min(spent[warm:]), 3)}


def accuracy_table(figures: Figures) -> str:
    """The default model, and beside it the others that are embedded; where those come from, their cards tell."""
    models = [figures, *load_other_models("small", "classic")]
    rows: list[tuple[str, Callable[[Figures], str]]] = [
        ("accuracy, seven expressions", format_public("accuracy")),
        ("its 95 % interval", lambda each: "{:.1f} to {:.1f}".format(*(100 * end for end in each["public"]["ci95"]))),
        ("accuracy without faces that have a twin in training", format_public("accuracy_no_twins")),
        ("balanced accuracy (mean recall)", format_public("balanced_accuracy")),
        ("accuracy on the 70 % it is surest of", format_public("accuracy_surest_70")),
        ("names what most of ten people said (FER+), eight expressions", format_public("votes_accuracy")),
        ("calibration error (ECE)", lambda each: f"{each['public']['ece']:.3f}"),
        ("parameters", lambda each: f"{each['model']['parameters']:,}"),
        ("file, MB", lambda each: f"{each['model']['bytes'] / 1e6:.2f}"),
        ("one face on one core, ms", lambda each: f"{each['one_face_one_core_ms']['median']:.2f}"),
    ]
    header = [f"PublicTest, {figures['public']['faces']:,} faces", *(each["model"]["name"] for each in models)]
    return format_table(header, [(words, *map(told, models)) for words, told in rows])


def classes_table(figures: Figures) -> str:
    rows = [
        (label, row["support"], format_percent(row["precision"]), format_percent(row["recall"]), f"{row['f1']:.2f}")
        for label, row in figures["public"]["per_class"].items()
    ]
    return format_table(["expression", "faces", "right when it says so", "found when it is so", "F1"], rows)


def spoilt_table(figures: Figures) -> str:
    rows = [
        (row["corruption"], row["strength"], format_percent(row["accuracy"]), f"{100 * row['lost']:.1f}")
        for row in figures["held_out_spoilt"]
    ]
    return format_table(["held-out faces with", "strength", "accuracy", "points lost"], rows)


def format_public(key: str) -> Callable[[Figures], str]:
    """A share of PublicTest's score sheet; nothing for a model that has no such head."""
    return lambda each: format_percent(each["public"][key]) if key in each["public"] else ""


def load_other_models(*names: str) -> Iterator[Figures]:
    """The figures of other models that were measured."""
    for name in names:
        place = RESULTS / f"accuracy-{name}.json"
        if place.exists():
            yield json.loads(place.read_text(encoding="utf-8"))["figures"]


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "accuracy": ("accuracy-base", accuracy_table),
    "classes": ("accuracy-base", classes_table),
    "spoilt": ("accuracy-base", spoilt_table),
}


if __name__ == "__main__":
    main()
