"""What looking at each face in several ways brings to finished runs, and costs; writes results/views.json.

    python benchmarks/views.py runs/small runs/wide --data fer2013.npz     a minute a run

Every run is exported to int8 with each number of ``net.views``, calibrated on its held-out Training faces and
measured on the same ones: the difference is what counts. PublicTest is not looked at.
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
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("runs", type=Path, nargs="+")
    words.add_argument("--data", type=Path, required=True)
    given = words.parse_args()
    faces = load_faces(given.data)
    figures = {run.name: {str(views): measured(run, faces, views) for views in VIEWS} for run in given.runs}
    print(f"written: {_results.write_result('views', figures).name}")


def measured(run: Path, faces: FaceDataset, views: int) -> dict[str, Any]:
    from mien.export import onnx

    done = onnx.load_finished_run(run, faces, views=views)
    content, _ = onnx.to_int8(done)
    classifier = OnnxClassifier(content, threads=1)
    shares = classifier.run(done.validation.pixels[..., None]).scores
    found = classification_metrics(shares, done.validation.labels)
    told = {key: round(found[key], 4) for key in ("accuracy", "balanced_accuracy", "nll")}
    spent = measure_latency(classifier, faces.pixels[:1, ..., None])
    return {"validation_faces": len(done.validation), **told, "one_face_one_core_ms": spent}


def views_table(figures: Figures) -> str:
    rows = []
    for name, found in figures.items():
        for number, told in found.items():
            shares = (format_percent(told[key]) for key in ("accuracy", "balanced_accuracy"))
            spent = told["one_face_one_core_ms"]["median"]
            rows.append((name, number, *shares, f"{told['nll']:.3f}", f"{spent:.2f} ms"))
    return format_table(["", "views", "held-out faces", "balanced", "log loss", "one face, one core"], rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "views": ("views", views_table),
}


if __name__ == "__main__":
    main()
