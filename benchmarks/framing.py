"""How FER2013 frames a face, seen from each detector's box: the numbers in ``mien.faces.crop.FRAMINGS``.

Training faces are enlarged to 96 to 240 pixels and shown in drawn scenes, with a gray or replicated border, or bare.
Where a detector finds the face, its box is compared with the borders of the FER2013 picture:

    scale   side of the picture / square root of the box's area
    dx, dy  centre of the picture from the centre of the box, in box widths and heights

With YuNet, also what levelling the eyes is worth: scenes of training faces the model never saw, upright and turned,
read with and without it, by the slope that the landmarks show.

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
from _drawing import Faces, Scene, fer2013, held_out, scene, scenes
from _machine import write
from _matching import matching
from _tables import Figures, format_percent, format_table
from numpy.typing import NDArray

from mien.faces import crop
from mien.faces.crop import FRAMINGS, crop_face, measure_eye_slope, to_model_input
from mien.faces.detectors import Detector, load_detector
from mien.models import Classifier, load_classifier, resolve_model
from mien.results import Box, Pixels

Show = Callable[[np.random.Generator, NDArray[np.uint8]], Scene]


def bordered(kind: int, margin: float) -> Show:
    def show(rng: np.random.Generator, face: NDArray[np.uint8]) -> Scene:
        side = int(rng.integers(96, 241))
        large = cv2.cvtColor(cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        edge = int(side * margin)
        picture = cv2.copyMakeBorder(large, edge, edge, edge, edge, kind, value=(128, 128, 128))
        return Scene(np.asarray(picture, np.uint8), (Box(edge, edge, side, side),))

    return show


SURROUNDINGS: dict[str, Show] = {
    "scene": lambda rng, face: scene(rng, face, int(rng.integers(96, 241))),
    "gray border": bordered(cv2.BORDER_CONSTANT, 0.35),
    "replicated border": bordered(cv2.BORDER_REPLICATE, 0.35),
    "bare": bordered(cv2.BORDER_REPLICATE, 0.0),
}


def offsets(detector: Detector, faces: NDArray[np.uint8], show: Show, seed: int) -> NDArray[np.float64]:
    """Scale, dx and dy of every face that was found, ``(found, 3)``."""
    rng = np.random.default_rng(seed)
    rows = []
    for face in faces:
        picture, (drawn,) = show(rng, face)
        found = matching(detector.detect(picture), drawn)
        if found is not None:
            rows.append(_offset(found.box, drawn))
    return np.array(rows)


def _offset(box: Box, drawn: Box) -> tuple[float, float, float]:
    scale = drawn.width / np.sqrt(box.width * box.height)
    dx = (drawn.x + drawn.width / 2 - box.x - box.width / 2) / box.width
    dy = (drawn.y + drawn.height / 2 - box.y - box.height / 2) / box.height
    return float(scale), float(dx), float(dy)


def summary(rows: NDArray[np.float64], shown: int) -> dict[str, Any]:
    told: dict[str, Any] = {"shown": shown, "found": round(len(rows) / shown, 4)}
    for name, values in zip(("scale", "dx", "dy"), rows.T, strict=True):
        low, middle, high = np.percentile(values, (25, 50, 75))
        told[name] = {"median": round(middle, 4), "quartiles": [round(low, 4), round(high, 4)]}
    return told


class Read(NamedTuple):
    """One face in a scene: the slope of its eyes, and whether it was named rightly bare, as it leans, and levelled."""

    slope: float
    bare: bool
    leaning: bool
    levelled: bool


def levelling(detector: Detector, model: Classifier, faces: Faces, turn: float) -> dict[str, Any]:
    """Accuracy with and without levelled eyes, in scenes turned by ``turn`` degrees one way or the other."""
    slopes, labels, crops = [], [], []
    for index, ((picture, (drawn,)), face) in enumerate(zip(scenes(faces, seed=7), faces.pixels, strict=True)):
        shown = turned(picture, drawn, turn * (-1) ** index)
        found = matching(detector.detect(shown), drawn)
        if found is None:
            continue
        leaning = crop_face(shown, replace(found, landmarks=None), FRAMINGS[detector.name], 48)
        levelled = crop_face(shown, found, FRAMINGS[detector.name], 48)
        slopes.append(abs(measure_eye_slope(found)))
        labels.append(faces.labels[index])
        crops += [np.repeat(face[..., None], 3, axis=2), leaning, levelled]
    answers = model.run(to_model_input(np.array(crops), 48, "gray")).scores.argmax(axis=1).reshape(-1, 3)
    rows = [Read(lean, *(answer == label)) for lean, label, answer in zip(slopes, labels, answers, strict=True)]
    groups = [(0.0, 180.0), *pairwise((0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 90.0))]
    return {"found": round(len(rows) / len(faces.labels), 4)} | {
        f"{low:.0f}-{high:.0f} degrees": _accuracies([row for row in rows if low <= row.slope < high])
        for low, high in groups
    }


def turned(picture: Pixels, drawn: Box, degrees: float) -> Pixels:
    """The scene turned about the face."""
    middle = drawn.x + drawn.width / 2, drawn.y + drawn.height / 2
    turn = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    size = picture.shape[1], picture.shape[0]
    return np.asarray(cv2.warpAffine(picture, turn, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def _accuracies(rows: list[Read]) -> dict[str, Any]:
    told: dict[str, Any] = {"faces": len(rows)}
    if rows:
        _, bare, leaning, levelled = np.mean(np.array(rows, float), axis=0).round(4).tolist()
        told |= {"bare": bare, "as it leans": leaning, "levelled": levelled}
    return told


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    words.add_argument("--yunet", type=Path, help="YuNet's model file; without it only Haar is measured")
    words.add_argument("--faces", type=int, default=2000, help="training faces a detector and surrounding")
    words.add_argument("--model", default="base", help="the model that tells what levelling is worth")
    given = words.parse_args()
    cv2.setNumThreads(1)
    faces = fer2013(given.data, "Training").some(given.faces, seed=41).pixels
    figures = {}
    for name in ("haar", "yunet") if given.yunet else ("haar",):
        detector = load_detector(name, yunet=given.yunet)
        figures[name] = {
            around: summary(offsets(detector, faces, show, seed=5), len(faces)) for around, show in SURROUNDINGS.items()
        }
        print(name, figures[name])
    if given.yunet:
        crop.LEVEL_ABOVE = 0.0  # level every face, to see from which slope on it pays
        model, unseen = load_classifier(resolve_model(given.model)), held_out(given.data).some(given.faces, seed=8)
        figures["levelling"] = {
            f"turned {turn} degrees": levelling(detector, model, unseen, turn) for turn in (0, 15, 30)
        }
        print(figures["levelling"])
    write("framing", figures)


def framing_table(figures: Figures) -> str:
    rows = [
        (
            detector,
            around,
            format_percent(row["found"]),
            *(f"{row[name]['median']:.3f}" for name in ("scale", "dx", "dy")),
        )
        for detector, kinds in figures.items()
        if detector != "levelling"
        for around, row in kinds.items()
    ]
    return format_table(["detector", "the face stands in", "found", "scale", "dx", "dy"], rows)


def levelling_table(figures: Figures) -> str:
    rows = [
        (turned, slope, row["faces"], *(format_percent(row[name]) for name in ("bare", "as it leans", "levelled")))
        for turned, slopes in figures["levelling"].items()
        for slope, row in slopes.items()
        if isinstance(row, dict)
    ]
    header = ["pictures", "eyes slope by", "faces", "face alone", "cut as it leans", "cut with level eyes"]
    return format_table(header, rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "framing": ("framing", framing_table),
    "levelling": ("framing", levelling_table),
}


if __name__ == "__main__":
    main()
