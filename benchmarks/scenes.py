"""Accuracy of ``Engine.read`` on faces in scenes, compared with ``Engine.score`` on the same faces alone.

Each 48 x 48 face is enlarged to 96 to 240 pixels and placed in a drawn 640 x 480 scene. The target: detector, crop and
model together lose at most two points of accuracy against the model alone.

    python benchmarks/scenes.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
    python benchmarks/scenes.py --data fer2013.npz --faces 50 --dry      a short run that writes nothing
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from _face_matching import is_same_face
from _results import write_result
from _scenes import Faces, Scene, draw_scenes, load_fer2013, load_validation_faces
from _tables import Figures, format_percent, format_table
from numpy.typing import NDArray

from mien import Engine
from mien.faces.detectors import load_detector
from mien.models import load_classifier, resolve_model
from mien.results import Box


class Predictions(NamedTuple):
    """``labels``: predicted label of each scene, -1 where the face was not detected; and the false detections."""

    labels: NDArray[np.int64]
    false_detections: int


def predict_scenes(engine: Engine, scenes: Iterable[Scene]) -> Predictions:
    labels, false_detections = [], 0
    for pixels, (truth,) in scenes:
        readings = engine.read(pixels).readings
        matches = [reading for reading in readings if is_same_face(reading.face.box, truth)]
        false_detections += len(readings) - len(matches)
        best = max(matches, key=lambda reading: reading.face.detection, default=None)
        labels.append(-1 if best is None else engine.labels.index(best.emotions.top))
    return Predictions(np.array(labels), false_detections)


def enlarge_faces(faces: Faces, seed: int) -> Iterator[Scene]:
    """The faces without a background, for the detector "none"."""
    rng = np.random.default_rng(seed)
    for face in faces.pixels:
        side = int(rng.integers(96, 241))
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        yield Scene(np.repeat(large[..., None], 3, axis=2), (Box(0, 0, side, side),))


def compare(predictions: Predictions, face_labels: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Accuracy of the predictions in scenes against ``face_labels``, the predictions for the faces alone."""
    detected = predictions.labels >= 0
    read_correct, score_correct = predictions.labels == truth, face_labels == truth
    return {
        "faces": len(truth),
        "detected": round(float(detected.mean()), 4),
        "false_detections_per_100_scenes": round(100 * predictions.false_detections / len(truth), 2),
        "score_accuracy": round(float(score_correct.mean()), 4),
        "score_accuracy_detected": round(float(score_correct[detected].mean()), 4),
        "read_accuracy_detected": round(float(read_correct[detected].mean()), 4),
        "points_lost": round(100 * float(score_correct[detected].mean() - read_correct[detected].mean()), 2),
        "agreement": round(float((predictions.labels == face_labels)[detected].mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    parser.add_argument("--yunet", type=Path, help="YuNet's model file; without it YuNet is not measured")
    parser.add_argument("--model", default="base", help="an embedded model or an .onnx file")
    parser.add_argument("--tune", action="store_true", help="use validation faces, and write nothing")
    parser.add_argument("--faces", type=int, help="number of faces; default: all")
    parser.add_argument("--dry", action="store_true", help="print the figures, and write nothing")
    options = parser.parse_args()
    faces = load_validation_faces(options.data) if options.tune else load_fer2013(options.data, "PublicTest")
    faces = faces.sample(options.faces, seed=0) if options.faces else faces
    figures: dict[str, Any] = {"split": "PublicTest", "model": options.model}
    for name in ("haar", "yunet", "none") if options.yunet else ("haar", "none"):
        engine = Engine(load_classifier(resolve_model(options.model)), load_detector(name, yunet=options.yunet))
        face_labels = engine.score(faces.pixels).argmax(axis=1)
        scenes = enlarge_faces(faces, seed=7) if name == "none" else draw_scenes(faces, seed=7)
        figures[name] = compare(predict_scenes(engine, scenes), face_labels, faces.labels)
        print(name, figures[name])
    if not (options.tune or options.dry):
        write_result("scenes", figures)


def format_scenes_table(figures: Figures) -> str:
    rows = [
        (
            detector,
            f"{row['faces']:,}",
            format_percent(row["detected"]),
            row["false_detections_per_100_scenes"],
            format_percent(row["score_accuracy_detected"]),
            format_percent(row["read_accuracy_detected"]),
            f"{row['points_lost']:.1f}",
        )
        for detector, row in figures.items()
        if isinstance(row, dict)
    ]
    header = [
        "detector",
        "scenes",
        "faces detected",
        "false detections per 100 images",
        "accuracy of `score`, detected faces",
        "accuracy of `read`",
        "points lost",
    ]
    return format_table(header, rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "scenes": ("scenes", format_scenes_table),
}


if __name__ == "__main__":
    main()
