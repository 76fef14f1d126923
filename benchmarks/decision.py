"""How both heads are joined: agreement with people against accuracy on labels, by rule; writes results/decision.json.

    python benchmarks/decision.py runs/teacher-1 runs/teacher-2 --data fer2013.csv     a minute a run

Each run predicts its own validation faces, which it was not trained on. The faces of all runs are split into two
halves: a rule is fitted on one and measured on the other, both ways. PublicTest is not used. The figure is
docs/images/decision.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import _results
import numpy as np
from _tables import Figures, format_percent, format_table

from mien.datasets.dataset import FaceDataset
from mien.datasets.loading import load_faces
from mien.evaluation import calibration
from mien.evaluation.metrics import CLEAR_MAJORITY, MAJORITY, accuracy, calibration_error
from mien.files import write_atomically
from mien.labels import EMOTIONS, VOTES
from mien.plots import plot_rules, render_png

FIGURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "decision.png"

#: Weights of the votes in a weighted geometric mean of both heads; 0 is the label alone, 1 the votes alone.
MEANS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

#: The exponents of the class weights with which the decision is fitted.
BALANCES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs with a vote head")
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv or fer2013.npz, with votes beside it")
    options = parser.parse_args()
    faces = load_faces(options.data)
    parts = [predict_validation(run, faces) for run in options.runs]
    heads = {name: np.concatenate([part[0][name] for part in parts]) for name in ("label", "votes")}
    labels, people, clear = (np.concatenate([part[index] for part in parts]) for index in (1, 2, 3))
    rules = {f"mean, votes {weight:g}": measure_mean(heads, weight, labels, people, clear) for weight in MEANS}
    for balance in BALANCES:
        rules[f"fitted, balance {balance:g}"] = measure_fitted(heads, balance, labels, people, clear)
    figures = {
        "runs": [run.name for run in options.runs],
        "faces": len(labels),
        "people_faces": int((people >= 0).sum()),
        "chosen": f"fitted, balance {calibration.BALANCE:g}",
        "rules": rules,
    }
    print(f"written: {_results.write_result('decision', figures).name}")
    points = {name: (row["label_accuracy"], row["people_accuracy"]) for name, row in rules.items()}
    write_atomically(FIGURE, render_png(plot_rules(points, figures["chosen"])))


def predict_validation(
    run: Path, faces: FaceDataset
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """The logits of both heads on the validation faces of a run, their labels, and the labels of the majority."""
    from mien.export import onnx

    finished = onnx.load_finished_run(run, faces)
    heads = onnx.predict_logits_by_head(finished.model, finished.validation.pixels)
    selected = finished.validation
    logits = {name: heads[name].astype(np.float64) for name in ("label", "votes")}
    return logits, selected.labels, selected.majority_labels(MAJORITY), selected.majority_labels(CLEAR_MAJORITY)


def measure_mean(
    heads: dict[str, np.ndarray], weight: float, labels: np.ndarray, people: np.ndarray, clear: np.ndarray
) -> dict[str, Any]:
    columns = [VOTES.index(name) for name in EMOTIONS]
    logits = weight * heads["votes"][:, columns] + (1 - weight) * heads["label"]
    return measure(calibration.softmax(logits), labels, people, clear)


def measure_fitted(
    heads: dict[str, np.ndarray], balance: float, labels: np.ndarray, people: np.ndarray, clear: np.ndarray
) -> dict[str, Any]:
    """Each half of the faces by the rule that was fitted on the other half."""
    even = np.arange(len(labels)) % 2 == 0
    scores = np.empty((len(labels), len(EMOTIONS)))
    for half in (even, ~even):
        fitting = {name: logits[~half] for name, logits in heads.items()}
        one_hot = np.eye(len(EMOTIONS))[labels[~half]]
        decision = calibration.fit_decision(fitting, one_hot, people[~half], EMOTIONS, balance=balance)
        measured = {name: logits[half] for name, logits in heads.items()}
        scores[half] = calibration.softmax(calibration.join_logits(measured, EMOTIONS, decision))
    return measure(scores, labels, people, clear)


def measure(scores: np.ndarray, labels: np.ndarray, people: np.ndarray, clear: np.ndarray) -> dict[str, Any]:
    decided, answers = people >= 0, scores.argmax(1)
    recalls = {
        name: float(np.mean(answers[people == number] == number))
        for number, name in enumerate(EMOTIONS)
        if (people == number).any()
    }
    figures = {
        "people_accuracy": float(np.mean(answers[decided] == people[decided])),
        "people_balanced": float(np.mean(list(recalls.values()))),
        "clear_accuracy": float(np.mean(answers[clear >= 0] == clear[clear >= 0])),
        "people_ece": calibration_error(scores[decided], people[decided]),
        "label_accuracy": accuracy(scores, labels),
        "recall": recalls,
    }
    return {
        key: {name: round(part, 4) for name, part in value.items()} if isinstance(value, dict) else round(value, 4)
        for key, value in figures.items()
    }


def format_decision_table(figures: Figures) -> str:
    header = ["rule", "people", "balanced", "clear faces", "calibration error", "label", "fear", "neutral"]
    rows = []
    for name, row in figures["rules"].items():
        keys = ("people_accuracy", "people_balanced", "clear_accuracy", "people_ece", "label_accuracy")
        values = [format_percent(row[key]) for key in keys]
        title = f"**{name}**" if name == figures["chosen"] else name
        rows.append((title, *values, *(format_percent(row["recall"][label]) for label in ("fear", "neutral"))))
    return format_table(header, rows)


TABLES = {"decision": ("decision", format_decision_table)}


if __name__ == "__main__":
    main()
