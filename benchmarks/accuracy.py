"""Accuracy of an embedded model: its metrics on PublicTest, size and latency, robustness and groups.

    python benchmarks/accuracy.py fer2013.csv [--model base] [--evaluations N]

PublicTest is evaluated once per run, for both targets; the number of evaluations of this model so far is recorded.
Corruptions and groups are measured on the validation faces, for the target label.
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

import _results
import numpy as np
from _tables import RESULTS, Figures, format_percent, format_table

from mien.datasets.dataset import FaceDataset
from mien.datasets.loading import load_faces
from mien.datasets.splits import split_training_validation
from mien.datasets.synthetic import measure_uncertain_part, measure_uncertain_rates
from mien.evaluation import evaluate
from mien.evaluation.groups import estimate_groups, measure_groups
from mien.evaluation.robustness import measure_robustness
from mien.models import OnnxClassifier, load_classifier, protobuf, resolve_model
from mien.models.onnx_file import GRAPH
from mien.training.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="fer2013.csv or fer2013.npz, fer2013new.csv in the same folder")
    parser.add_argument("--model", default="base")
    parser.add_argument("--evaluations", type=int, default=1, help="evaluations on PublicTest, with this one")
    parser.add_argument("--to", help="name of the result file; default: accuracy-MODEL")
    options = parser.parse_args()
    path, faces = resolve_model(options.model), load_faces(options.data)
    figures = {"evaluations": options.evaluations, **measure(path, faces)}
    print(_results.write_result(options.to or f"accuracy-{options.model}", figures))


def measure(path: Path, faces: FaceDataset) -> dict[str, Any]:
    classifier = load_classifier(path, threads=1)
    card = classifier.card
    _, validation = split_training_validation(Recipe.from_table(dict(card.recipe)).data, faces)
    outputs, labels = classifier.run(validation.pixels[..., None]), validation.labels
    scores = outputs.target_scores("label")
    columns, missing = estimate_groups(validation.pixels)
    return {
        "model": {
            "name": card.name,
            "bytes": path.stat().st_size,
            "parameters": card.parameters,
            "graph": graph_hash(path),
        },
        "multiply_adds": card.multiply_adds,
        "one_face_one_core_ms": measure_latency(classifier, faces.pixels[:1, ..., None]),
        "public": evaluate.compute_metrics(evaluate.predict_split(classifier, faces)),
        "certain_on_validation": 1 - measure_uncertain_part(card, outputs),
        "uncertain_on_non_faces": measure_uncertain_rates(classifier),
        "corruptions": [asdict(row) for row in measure_robustness(classifier, validation)],
        "groups": [asdict(measure_groups(name, values, scores, labels)) for name, values in columns.items()],
        "missing_groups": missing,
    }


def graph_hash(path: Path) -> str:
    """SHA-256 of the network alone: changes of the card do not change results."""
    fields = protobuf.read_fields(path.read_bytes())
    return hashlib.sha256(next(field.content for field in fields if field.number == GRAPH)).hexdigest()


def measure_latency(
    classifier: OnnxClassifier, face: np.ndarray, warm: int = 100, rounds: int = 500
) -> dict[str, float]:
    """Median and minimum of many single faces after a warm-up."""
    times = []
    for _ in range(warm + rounds):
        start = time.perf_counter()
        classifier.run(face)
        times.append((time.perf_counter() - start) * 1000)
    return {"median": round(statistics.median(times[warm:]), 3), "best": round(min(times[warm:]), 3)}


def format_accuracy_table(figures: Figures) -> str:
    """The default model and the other embedded models."""
    models = [figures, *load_other_models("small", "classic")]
    rows: list[tuple[str, Callable[[Figures], str]]] = [
        ("**people**: accuracy", format_people("accuracy")),
        ("95 % interval", lambda each: format_interval(each["public"]["people"])),
        ("balanced accuracy (mean recall)", format_people("balanced_accuracy")),
        ("the same with an even prior", format_people("even_prior", "balanced_accuracy")),
        ("accuracy on clear faces (eight of ten annotators agree)", format_people("clear", "accuracy")),
        ("accuracy at 70 % coverage", format_people("coverage", "0.7")),
        ("calibration error (ECE)", lambda each: f"{each['public']['people']['ece']:.3f}"),
        ("**label**: accuracy", format_public("accuracy")),
        ("95 % interval", lambda each: format_interval(each["public"])),
        ("accuracy without duplicates of training faces", format_public("accuracy_no_duplicates")),
        ("balanced accuracy (mean recall)", format_public("balanced_accuracy")),
        ("accuracy at 70 % coverage", format_public("accuracy_at_coverage_70")),
        ("calibration error (ECE)", lambda each: f"{each['public']['ece']:.3f}"),
        ("**votes** (FER+): accuracy, eight expressions", format_public("votes_accuracy")),
        ("parameters", lambda each: f"{each['model']['parameters']:,}"),
        ("file, MB", lambda each: f"{each['model']['bytes'] / 1e6:.2f}"),
        ("one face on one core, ms", lambda each: f"{each['one_face_one_core_ms']['median']:.2f}"),
    ]
    people = figures["public"]["people"]["faces"]
    header = [
        f"PublicTest, {figures['public']['faces']:,} faces; people: {people:,}",
        *(each["model"]["name"] for each in models),
    ]
    return format_table(header, [(title, *map(cell, models)) for title, cell in rows])


def format_classes_table(figures: Figures) -> str:
    people = figures["public"]["people"]
    rows = [
        (
            label,
            people["support"][label],
            format_percent(people["recall"][label]),
            row["support"],
            format_percent(row["precision"]),
            format_percent(row["recall"]),
            f"{row['f1']:.2f}",
        )
        for label, row in figures["public"]["per_class"].items()
    ]
    header = ["expression", "faces, people", "recall", "faces, label", "precision", "recall", "F1"]
    return format_table(header, rows)


def format_corruptions_table(figures: Figures) -> str:
    rows = [
        (row["corruption"], row["strength"], format_percent(row["accuracy"]), f"{100 * row['lost']:.1f}")
        for row in figures["corruptions"]
    ]
    return format_table(["corruption", "strength", "accuracy", "points lost"], rows)


def format_public(key: str) -> Callable[[Figures], str]:
    """A metric on PublicTest; empty for a model without it."""
    return lambda each: format_percent(each["public"][key]) if key in each["public"] else ""


def format_people(*keys: str) -> Callable[[Figures], str]:
    """A metric of the target people on PublicTest; empty for a model without it."""

    def read(each: Figures) -> str:
        value: Any = each["public"]["people"]
        for key in keys:
            value = value.get(key, {})
        return format_percent(value) if isinstance(value, float) else ""

    return read


def format_interval(table: Figures) -> str:
    return "{:.1f} to {:.1f}".format(*(100 * end for end in table["ci95"]))


def load_other_models(*names: str) -> Iterator[Figures]:
    """The results of other models where they exist."""
    for name in names:
        path = RESULTS / f"accuracy-{name}.json"
        if path.exists():
            yield json.loads(path.read_text(encoding="utf-8"))["figures"]


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "accuracy": ("accuracy-base", format_accuracy_table),
    "classes": ("accuracy-base", format_classes_table),
    "corruptions": ("accuracy-base", format_corruptions_table),
}


if __name__ == "__main__":
    main()
