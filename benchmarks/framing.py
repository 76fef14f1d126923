"""Framing of faces in FER2013 relative to each detector's box: the values in ``mien.faces.crop.FRAMINGS``.

Training faces are enlarged to 96 to 240 pixels and placed in drawn scenes, with a gray or replicated border or none.
Where a detector finds the face, its box is compared with the borders of the FER2013 image:

    scale   side of the image / square root of the box's area
    dx, dy  centre of the image from the centre of the box, in box widths and heights

With YuNet, also the accuracy with and without level eyes: validation faces in scenes, upright and rotated, by the slope
of the eyes.

    python benchmarks/framing.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from _face_matching import select_match
from _results import write_or_print
from _scenes import Faces, Scene, draw_scene, draw_scenes, load_fer2013, load_validation_faces
from _tables import Figures, format_percent, format_table
from numpy.typing import NDArray

from mien.faces import crop
from mien.faces.crop import FRAMINGS, crop_face, measure_eye_slope, to_model_input
from mien.faces.detectors import Detector, load_detector
from mien.models import Classifier, load_classifier, resolve_model
from mien.results import Box, Pixels

Placement = Callable[[np.random.Generator, NDArray[np.uint8]], Scene]


def add_border(kind: int, margin: float) -> Placement:
    def place_face(rng: np.random.Generator, face: NDArray[np.uint8]) -> Scene:
        side = int(rng.integers(96, 241))
        large = cv2.cvtColor(cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        edge = int(side * margin)
        image = cv2.copyMakeBorder(large, edge, edge, edge, edge, kind, value=(128, 128, 128))
        return Scene(np.asarray(image, np.uint8), (Box(edge, edge, side, side),))

    return place_face


SURROUNDINGS: dict[str, Placement] = {
    "scene": lambda rng, face: draw_scene(rng, face, int(rng.integers(96, 241))),
    "gray border": add_border(cv2.BORDER_CONSTANT, 0.35),
    "replicated border": add_border(cv2.BORDER_REPLICATE, 0.35),
    "no border": add_border(cv2.BORDER_REPLICATE, 0.0),
}


def measure_offsets(detector: Detector, faces: NDArray[np.uint8], place: Placement, seed: int) -> NDArray[np.float64]:
    """Scale, dx and dy of every detected face, ``(detected, 3)``."""
    rng = np.random.default_rng(seed)
    rows = []
    for face in faces:
        image, (truth,) = place(rng, face)
        match = select_match(detector.detect(image), truth)
        if match is not None:
            rows.append(_measure_offset(match.box, truth))
    return np.array(rows)


def _measure_offset(box: Box, truth: Box) -> tuple[float, float, float]:
    scale = truth.width / np.sqrt(box.width * box.height)
    dx = (truth.x + truth.width / 2 - box.x - box.width / 2) / box.width
    dy = (truth.y + truth.height / 2 - box.y - box.height / 2) / box.height
    return float(scale), float(dx), float(dy)


def summarize(rows: NDArray[np.float64], count: int) -> dict[str, Any]:
    results: dict[str, Any] = {"faces": count, "detected": round(len(rows) / count, 4)}
    for name, values in zip(("scale", "dx", "dy"), rows.T, strict=True):
        low, middle, high = np.percentile(values, (25, 50, 75))
        results[name] = {"median": round(middle, 4), "quartiles": [round(low, 4), round(high, 4)]}
    return results


class LevelResult(NamedTuple):
    """One face in a scene: the slope of its eyes, and the correctness of three predictions.

    ``original`` is of the face without a scene, ``rotated`` of its crop, ``level`` of its crop with level eyes.
    """

    slope: float
    original: bool
    rotated: bool
    level: bool


def measure_levelling(detector: Detector, model: Classifier, faces: Faces, angle: float) -> dict[str, Any]:
    """Accuracy with and without level eyes, in scenes rotated by ``angle`` degrees one way or the other."""
    slopes, labels, crops = [], [], []
    for index, ((image, (truth,)), face) in enumerate(zip(draw_scenes(faces, seed=7), faces.pixels, strict=True)):
        scene_pixels = rotate(image, truth, angle * (-1) ** index)
        match = select_match(detector.detect(scene_pixels), truth)
        if match is None:
            continue
        rotated = crop_face(scene_pixels, replace(match, landmarks=None), FRAMINGS[detector.name], 48)
        level = crop_face(scene_pixels, match, FRAMINGS[detector.name], 48)
        slopes.append(abs(measure_eye_slope(match)))
        labels.append(faces.labels[index])
        crops += [np.repeat(face[..., None], 3, axis=2), rotated, level]
    predictions = model.run(to_model_input(np.array(crops), 48, "gray")).scores.argmax(axis=1).reshape(-1, 3)
    rows = [
        LevelResult(each, *(prediction == label))
        for each, label, prediction in zip(slopes, labels, predictions, strict=True)
    ]
    groups = [(0.0, 180.0), *pairwise((0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 90.0))]
    return {"detected": round(len(rows) / len(faces.labels), 4)} | {
        f"{low:.0f}-{high:.0f} degrees": _average([row for row in rows if low <= row.slope < high])
        for low, high in groups
    }


def rotate(image: Pixels, truth: Box, degrees: float) -> Pixels:
    """The scene rotated about the face."""
    middle = truth.x + truth.width / 2, truth.y + truth.height / 2
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    size = image.shape[1], image.shape[0]
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def _average(rows: list[LevelResult]) -> dict[str, Any]:
    results: dict[str, Any] = {"faces": len(rows)}
    if rows:
        _, original, rotated, level = np.mean(np.array(rows, float), axis=0).round(4).tolist()
        results |= {"original": original, "rotated": rotated, "level": level}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    parser.add_argument("--yunet", type=Path, help="YuNet's model file; without it only Haar is measured")
    parser.add_argument("--faces", type=int, default=2000, help="training faces for each detector and surrounding")
    parser.add_argument("--model", default="base", help="model of the comparison with level eyes")
    parser.add_argument("--dry", action="store_true", help="print the figures, and write nothing")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    faces = load_fer2013(options.data, "Training").sample(options.faces, seed=41).pixels
    figures = {}
    for name in ("haar", "yunet") if options.yunet else ("haar",):
        detector = load_detector(name, yunet=options.yunet)
        figures[name] = {
            surrounding: summarize(measure_offsets(detector, faces, place, seed=5), len(faces))
            for surrounding, place in SURROUNDINGS.items()
        }
        print(name, figures[name])
    if options.yunet:
        crop.LEVEL_ABOVE = 0.0  # level every face, so that the slope from which it helps can be measured
        model, validation = (
            load_classifier(resolve_model(options.model)),
            load_validation_faces(options.data).sample(options.faces, seed=8),
        )
        figures["levelling"] = {
            f"rotated {angle} degrees": measure_levelling(detector, model, validation, angle) for angle in (0, 15, 30)
        }
        print(figures["levelling"])
    write_or_print("framing", figures, options.dry)


def format_framing_table(figures: Figures) -> str:
    rows = [
        (
            detector,
            surrounding,
            format_percent(row["detected"]),
            *(f"{row[name]['median']:.3f}" for name in ("scale", "dx", "dy")),
        )
        for detector, kinds in figures.items()
        if detector != "levelling"
        for surrounding, row in kinds.items()
    ]
    return format_table(["detector", "surrounding", "detected", "scale", "dx", "dy"], rows)


def format_levelling_table(figures: Figures) -> str:
    rows = [
        (rotation, slope, row["faces"], *(format_percent(row[name]) for name in ("original", "rotated", "level")))
        for rotation, slopes in figures["levelling"].items()
        for slope, row in slopes.items()
        if isinstance(row, dict)
    ]
    header = ["scenes", "slope of the eyes", "faces", "face alone", "crop", "crop with level eyes"]
    return format_table(header, rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "framing": ("framing", format_framing_table),
    "levelling": ("framing", format_levelling_table),
}


if __name__ == "__main__":
    main()
