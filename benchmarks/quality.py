"""Where a face stops being good enough to judge: the thresholds in ``mien.faces.quality``.

Training faces that the model never saw are spoilt step by step: smaller, blurred, darker, brighter, flatter. At each
step stand the sign that ``signs`` measures and the model's accuracy; the threshold is the sign at which ten points of
accuracy are lost. For pose, real faces in drawn scenes are grouped by what their landmarks say.

    python benchmarks/quality.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _drawing import Faces, held_out, scenes
from _machine import write
from _matching import matching
from numpy.typing import NDArray

from mien.faces.crop import FRAMINGS, crop_face, to_model_input
from mien.faces.detectors import load_detector
from mien.faces.quality import FRONTAL_NOSE_POSITION, QualityMeasures, assess_quality, measure_quality
from mien.models import Classifier, load_classifier, resolve_model
from mien.results import Box, Face

Gray = NDArray[np.uint8]
LOST = 0.10


def smaller(face: Gray, side: float) -> Gray:
    small = cv2.resize(face, (int(side), int(side)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC), np.uint8)


def blurred(face: Gray, sigma: float) -> Gray:
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8) if sigma else face


def noisy(gray: NDArray[np.floating[Any]]) -> Gray:
    """As a camera would see it: little light comes with noise, and nothing below 0 or above 255."""
    noise = np.random.default_rng(0).normal(0, 2, gray.shape)
    return np.clip(gray + noise, 0, 255).astype(np.uint8)


def darker(face: Gray, part: float) -> Gray:
    return noisy(face * part)


def brighter(face: Gray, part: float) -> Gray:
    """Overexposed: the light parts burn out first."""
    return noisy(face / part)


def flatter(face: Gray, part: float) -> Gray:
    return noisy(face.mean() + (face - face.mean()) * part)


Spoil = Callable[[Gray, float], Gray]
SWEEPS: dict[str, tuple[Spoil, str, tuple[float, ...]]] = {
    "small": (smaller, "size", (48, 40, 32, 28, 24, 20, 18, 16, 14, 12, 10, 8)),
    "blurred": (blurred, "sharpness", (0, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)),
    "dark": (darker, "brightness", (1.0, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02)),
    "bright": (brighter, "brightness", (1.0, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1)),
    "flat": (flatter, "contrast", (1.0, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)),
}


def sweep(model: Classifier, faces: Faces, spoil: Spoil, sign: str, steps: tuple[float, ...]) -> dict[str, Any]:
    rows = []
    for step in steps:
        spoilt = np.stack([spoil(face, step) for face in faces.pixels])
        size = int(step) if sign == "size" else 48
        face = Face(Box(0, 0, size, size))
        values = [getattr(measure_quality(face, crop), sign) for crop in spoilt]
        rows.append(
            {"step": step, sign: round(float(np.median(values)), 4), "accuracy": accuracy(model, spoilt, faces)}
        )
    return {"steps": rows, "threshold": crossing(rows, sign)}


def crossing(rows: list[dict[str, float]], sign: str) -> float | None:
    """The sign at which ten points are lost, between the two steps on either side; None where they never are."""
    limit = rows[0]["accuracy"] - LOST
    for before, after in itertools.pairwise(rows):
        if after["accuracy"] < limit:
            part = (before["accuracy"] - limit) / (before["accuracy"] - after["accuracy"])
            return round(before[sign] + part * (after[sign] - before[sign]), 3)
    return None


def accuracy(model: Classifier, crops: Gray, faces: Faces) -> float:
    return round(float((answers(model, crops) == faces.labels).mean()), 4)


def answers(model: Classifier, crops: Gray) -> NDArray[np.int64]:
    return np.asarray(model.run(to_model_input(crops, model.card.side, model.card.color)).scores.argmax(axis=1))


def pose(model: Classifier, faces: Faces, yunet: Path) -> dict[str, Any]:
    """Accuracy by yaw, pitch and roll of real faces; levelled eyes included, as in reading."""
    detector = load_detector("yunet", yunet=yunet)
    seen: list[QualityMeasures] = []
    crops, labels = [], []
    for (picture, (drawn,)), label in zip(scenes(faces, seed=7), faces.labels, strict=True):
        found = matching(detector.detect(picture), drawn)
        if found is not None:
            crops.append(crop_face(picture, found, FRAMINGS["yunet"], 48))
            seen.append(measure_quality(found, crops[-1]))
            labels.append(label)
    right = answers(model, np.array(crops)) == np.array(labels)
    edges = {"yaw": (0, 0.1, 0.2, 0.3, 0.4, 0.5, 9), "pitch": (-9, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 9)}
    told: dict[str, Any] = {"faces": len(labels), "accuracy": round(float(right.mean()), 4)}
    told["nose"] = round(
        float(np.median([one.pitch for one in seen if one.pitch is not None])) + FRONTAL_NOSE_POSITION, 4
    )
    for name, bins in (edges | {"roll": (0, 10, 20, 30, 90)}).items():
        values = np.array([getattr(one, name) for one in seen])
        values = values if name == "pitch" else np.abs(values)
        told[name] = [_bin(values, right, low, high) for low, high in itertools.pairwise(bins)]
        told[f"{name} percentiles 90, 95, 99"] = np.percentile(np.abs(values), (90, 95, 99)).round(3).tolist()
    return told


def _bin(values: NDArray[np.float64], right: NDArray[np.bool_], low: float, high: float) -> dict[str, Any]:
    inside = (values >= low) & (values < high)
    share = round(float(right[inside].mean()), 4) if inside.any() else None
    return {"from": low, "to": high, "faces": int(inside.sum()), "accuracy": share}


def refused(model: Classifier, faces: Faces) -> dict[str, Any]:
    """What today's thresholds say of the faces as they are: how many are refused, and how those are read."""
    whole = Face(Box(0, 0, 48, 48))
    reasons = [assess_quality(np.zeros((48, 48, 3), np.uint8), whole, face).reason for face in faces.pixels]
    out = np.array([reason is not None for reason in reasons])
    right = answers(model, faces.pixels) == faces.labels
    told: dict[str, Any] = {reason: reasons.count(reason) for reason in sorted({r for r in reasons if r})}
    told["share"] = round(float(out.mean()), 4)
    told["accuracy_refused"] = round(float(right[out].mean()), 4) if out.any() else None
    told["accuracy_kept"] = round(float(right[~out].mean()), 4)
    return told


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    words.add_argument("--yunet", type=Path, help="YuNet's model file; without it pose is left out")
    words.add_argument("--model", default="base")
    words.add_argument("--faces", type=int, default=1000, help="how many faces the model never saw")
    given = words.parse_args()
    cv2.setNumThreads(1)
    model, faces = load_classifier(resolve_model(given.model)), held_out(given.data).some(given.faces, seed=8)
    figures: dict[str, Any] = {"faces": len(faces.labels), "accuracy": accuracy(model, faces.pixels, faces)}
    figures |= {name: sweep(model, faces, *how) for name, how in SWEEPS.items()}
    if given.yunet:
        figures["pose"] = pose(model, faces, given.yunet)
    figures["refused"] = refused(model, faces)
    print(write("quality", figures).read_text())


if __name__ == "__main__":
    main()
