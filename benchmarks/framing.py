"""How FER2013 frames a face, seen from each detector's box: the numbers in ``mien.faces.crop.FRAMINGS``.

Training faces are enlarged to 96 to 240 pixels and shown in drawn scenes, with a gray or replicated border, or bare.
Where a detector finds the face, its box is compared with the borders of the FER2013 picture:

    scale   side of the picture / square root of the box's area
    dx, dy  centre of the picture from the centre of the box, in box widths and heights

    python benchmarks/framing.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _drawing import Scene, fer2013, scene
from _machine import write
from _matching import matching
from numpy.typing import NDArray

from mien.faces import Detector, load_detector

Show = Callable[[np.random.Generator, NDArray[np.uint8]], Scene]


def bordered(kind: int, margin: float) -> Show:
    def show(rng: np.random.Generator, face: NDArray[np.uint8]) -> Scene:
        side = int(rng.integers(96, 241))
        large = cv2.cvtColor(cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        edge = int(side * margin)
        picture = cv2.copyMakeBorder(large, edge, edge, edge, edge, kind, value=(128, 128, 128))
        return Scene(np.asarray(picture, np.uint8), (scene_box(edge, side),))

    return show


def scene_box(edge: int, side: int) -> Any:
    from mien.types import Box

    return Box(edge, edge, side, side)


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


def _offset(box: Any, drawn: Any) -> tuple[float, float, float]:
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


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    words.add_argument("--yunet", type=Path, help="YuNet's model file; without it only Haar is measured")
    words.add_argument("--faces", type=int, default=2000, help="training faces a detector and surrounding")
    given = words.parse_args()
    faces = fer2013(given.data, "Training").some(given.faces, seed=41).pixels
    figures = {}
    for name in ("haar", "yunet") if given.yunet else ("haar",):
        detector = load_detector(name, yunet=given.yunet)
        figures[name] = {
            around: summary(offsets(detector, faces, show, seed=5), len(faces))
            for around, show in SURROUNDINGS.items()
        }
        print(name, figures[name])
    write("framing", figures)


if __name__ == "__main__":
    main()
