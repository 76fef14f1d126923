"""Accuracy and time of finished runs by the number of views (test-time augmentation); writes results/views.json.

    python benchmarks/views.py runs/small runs/wide --data fer2013.npz     a minute a run

Each run is exported to int8 with each value of ``net.views``. Calibration and evaluation use its validation faces, so
only the differences between the numbers of views are meaningful. PublicTest is not used.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import _results
from _tables import Figures, format_percent, format_table
from accuracy import measure_latency

from mien.datasets.dataset import FaceDataset
from mien.datasets.loading import load_faces
from mien.evaluation.metrics import classification_metrics
from mien.models import OnnxClassifier

#: The values of net.views.
VIEWS = (1, 2, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv or fer2013.npz")
    options = parser.parse_args()
    faces = load_faces(options.data)
    figures = {run.name: {str(views): measure_views(run, faces, views) for views in VIEWS} for run in options.runs}
    print(f"written: {_results.write_result('views', figures).name}")


def measure_views(run: Path, faces: FaceDataset, views: int) -> dict[str, Any]:
    from mien.export import onnx

    finished = onnx.load_finished_run(run, faces, views=views)
    content, _ = onnx.to_int8(finished)
    classifier = OnnxClassifier(content, threads=1)
    scores = classifier.run(finished.validation.pixels[..., None]).scores
    metrics = classification_metrics(scores, finished.validation.labels)
    rounded = {key: round(metrics[key], 4) for key in ("accuracy", "balanced_accuracy", "nll")}
    latency = measure_latency(classifier, faces.pixels[:1, ..., None])
    return {"validation_faces": len(finished.validation), **rounded, "one_face_one_core_ms": latency}


def format_views_table(figures: Figures) -> str:
    rows = []
    for name, figures_by_views in figures.items():
        for views, row in figures_by_views.items():
            accuracies = (format_percent(row[key]) for key in ("accuracy", "balanced_accuracy"))
            milliseconds = row["one_face_one_core_ms"]["median"]
            rows.append((name, views, *accuracies, f"{row['nll']:.3f}", f"{milliseconds:.2f} ms"))
    header = ["run", "views", "validation accuracy", "balanced accuracy", "log loss", "one face, one core"]
    return format_table(header, rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "views": ("views", format_views_table),
}


if __name__ == "__main__":
    main()
