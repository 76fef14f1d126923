"""The proof end to end: faces in scenes, read with ``Engine.read``, against ``Engine.score`` on the faces themselves.

Each 48 x 48 face is enlarged to 96 to 240 pixels and pasted into a drawn 640 x 480 scene. Detector, crop and model
together must name as many expressions as the model alone does on the same faces, within two points.

    python benchmarks/scenes.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
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


class Answers(NamedTuple):
    """What was read, -1 where the face was not found, and how many faces were seen where none is."""

    named: NDArray[np.int64]
    false: int


def read(engine: Engine, pictures: list[Scene] | Any) -> Answers:
    named, false = [], 0
    for picture, (drawn,) in pictures:
        readings = engine.read(picture).readings
        right = [reading for reading in readings if is_same_face(reading.face.box, drawn)]
        false += len(readings) - len(right)
        best = max(right, key=lambda reading: reading.face.detection, default=None)
        named.append(-1 if best is None else engine.labels.index(best.emotions.top))
    return Answers(np.array(named), false)


def bare(faces: Faces, seed: int) -> Any:
    """The faces alone, enlarged: what the detector "none" is for."""
    rng = np.random.default_rng(seed)
    for face in faces.pixels:
        side = int(rng.integers(96, 241))
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        yield Scene(np.repeat(large[..., None], 3, axis=2), (Box(0, 0, side, side),))


def compared(answers: Answers, alone: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, Any]:
    found = answers.named >= 0
    read_right, alone_right = answers.named == labels, alone == labels
    return {
        "faces": len(labels),
        "found": round(float(found.mean()), 4),
        "false_faces_per_100_scenes": round(100 * answers.false / len(labels), 2),
        "score_on_all": round(float(alone_right.mean()), 4),
        "score_on_found": round(float(alone_right[found].mean()), 4),
        "read_on_found": round(float(read_right[found].mean()), 4),
        "points_lost": round(100 * float(alone_right[found].mean() - read_right[found].mean()), 2),
        "same_answer": round(float((answers.named == alone)[found].mean()), 4),
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    words.add_argument("--yunet", type=Path, help="YuNet's model file; without it yunet is left out")
    words.add_argument("--model", default="base")
    words.add_argument("--tune", action="store_true", help="training faces the model never saw; nothing is written")
    given = words.parse_args()
    faces = load_validation_faces(given.data) if given.tune else load_fer2013(given.data, "PublicTest")
    figures: dict[str, Any] = {"split": "PublicTest", "model": given.model}
    for name in ("haar", "yunet", "none") if given.yunet else ("haar", "none"):
        engine = Engine(load_classifier(resolve_model(given.model)), load_detector(name, yunet=given.yunet))
        alone = engine.score(faces.pixels).argmax(axis=1)
        pictures = bare(faces, seed=7) if name == "none" else draw_scenes(faces, seed=7)
        figures[name] = compared(read(engine, pictures), alone, faces.labels)
        print(name, figures[name])
    if not given.tune:
        write_result("scenes", figures)


def scenes_table(figures: Figures) -> str:
    rows = [
        (
            detector,
            f"{row['faces']:,}",
            format_percent(row["found"]),
            row["false_faces_per_100_scenes"],
            format_percent(row["score_on_found"]),
            format_percent(row["read_on_found"]),
            f"{row['points_lost']:.1f}",
        )
        for detector, row in figures.items()
        if isinstance(row, dict)
    ]
    header = ["detector", "scenes", "found", "false hits per 100", "`score` on the found", "`read`", "points lost"]
    return format_table(header, rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "scenes": ("scenes", scenes_table),
}


if __name__ == "__main__":
    main()
