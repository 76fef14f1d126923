"""Thresholds of face quality in ``mien.faces.quality``.

Validation faces are corrupted in steps: smaller, blurred, darker, brighter, lower contrast. At each step the quality
measure and the accuracy of the model are recorded; the threshold is the value at which ten points of accuracy are lost.
For pose, real faces in drawn scenes are grouped by their landmarks.

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
from _face_matching import select_match
from _results import write_or_print
from _scenes import Faces, draw_scenes, load_validation_faces
from numpy.typing import NDArray

from mien.faces.crop import FRAMINGS, crop_face, to_model_input
from mien.faces.detectors import load_detector
from mien.faces.quality import FRONTAL_NOSE_POSITION, QualityMeasures, assess_quality, measure_quality
from mien.models import Classifier, load_classifier, resolve_model
from mien.results import Box, Face

Gray = NDArray[np.uint8]
#: The accuracy lost at a threshold.
MAX_LOST = 0.10


def reduce_size(face: Gray, side: float) -> Gray:
    small = cv2.resize(face, (int(side), int(side)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC), np.uint8)


def blur(face: Gray, sigma: float) -> Gray:
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8) if sigma else face


def add_noise(gray: NDArray[np.floating[Any]]) -> Gray:
    """Add sensor noise of a camera in low light, clipped to 0 to 255."""
    noise = np.random.default_rng(0).normal(0, 2, gray.shape)
    return np.clip(gray + noise, 0, 255).astype(np.uint8)


def darken(face: Gray, factor: float) -> Gray:
    return add_noise(face * factor)


def brighten(face: Gray, factor: float) -> Gray:
    """Overexpose: bright areas are clipped first."""
    return add_noise(face / factor)


def reduce_contrast(face: Gray, factor: float) -> Gray:
    return add_noise(face.mean() + (face - face.mean()) * factor)


Corrupt = Callable[[Gray, float], Gray]
SWEEPS: dict[str, tuple[Corrupt, str, tuple[float, ...]]] = {
    "small": (reduce_size, "size", (48, 40, 32, 28, 24, 20, 18, 16, 14, 12, 10, 8)),
    "blurred": (blur, "sharpness", (0, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)),
    "dark": (darken, "brightness", (1.0, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02)),
    "bright": (brighten, "brightness", (1.0, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1)),
    "flat": (reduce_contrast, "contrast", (1.0, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)),
}


def run_sweep(
    model: Classifier, faces: Faces, corrupt: Corrupt, measure: str, steps: tuple[float, ...]
) -> dict[str, Any]:
    rows = []
    for step in steps:
        corrupted = np.stack([corrupt(face, step) for face in faces.pixels])
        size = int(step) if measure == "size" else 48
        face = Face(Box(0, 0, size, size))
        values = [getattr(measure_quality(face, crop), measure) for crop in corrupted]
        rows.append(
            {
                "step": step,
                measure: round(float(np.median(values)), 4),
                "accuracy": measure_accuracy(model, corrupted, faces),
            }
        )
    return {"steps": rows, "threshold": find_threshold(rows, measure)}


def find_threshold(rows: list[dict[str, float]], measure: str) -> float | None:
    """The value at which ten points of accuracy are lost, interpolated between two steps; None if they never are."""
    limit = rows[0]["accuracy"] - MAX_LOST
    for before, after in itertools.pairwise(rows):
        if after["accuracy"] < limit:
            fraction = (before["accuracy"] - limit) / (before["accuracy"] - after["accuracy"])
            return round(before[measure] + fraction * (after[measure] - before[measure]), 3)
    return None


def measure_accuracy(model: Classifier, crops: Gray, faces: Faces) -> float:
    return round(float((predict(model, crops) == faces.labels).mean()), 4)


def predict(model: Classifier, crops: Gray) -> NDArray[np.int64]:
    return np.asarray(model.run(to_model_input(crops, model.card.side, model.card.color)).scores.argmax(axis=1))


def measure_pose(model: Classifier, faces: Faces, yunet: Path) -> dict[str, Any]:
    """Accuracy by yaw, pitch and roll of real faces, with level eyes as in the engine."""
    detector = load_detector("yunet", yunet=yunet)
    measured: list[QualityMeasures] = []
    crops, labels = [], []
    for (image, (truth,)), label in zip(draw_scenes(faces, seed=7), faces.labels, strict=True):
        match = select_match(detector.detect(image), truth)
        if match is not None:
            crops.append(crop_face(image, match, FRAMINGS["yunet"], 48))
            measured.append(measure_quality(match, crops[-1]))
            labels.append(label)
    correct = predict(model, np.array(crops)) == np.array(labels)
    edges = {"yaw": (0, 0.1, 0.2, 0.3, 0.4, 0.5, 9), "pitch": (-9, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 9)}
    results: dict[str, Any] = {"faces": len(labels), "accuracy": round(float(correct.mean()), 4)}
    results["nose_position"] = round(
        float(np.median([each.pitch for each in measured if each.pitch is not None])) + FRONTAL_NOSE_POSITION, 4
    )
    for name, bins in (edges | {"roll": (0, 10, 20, 30, 90)}).items():
        values = np.array([getattr(each, name) for each in measured])
        values = values if name == "pitch" else np.abs(values)
        results[name] = [_measure_bin(values, correct, low, high) for low, high in itertools.pairwise(bins)]
        results[f"{name} percentiles 90, 95, 99"] = np.percentile(np.abs(values), (90, 95, 99)).round(3).tolist()
    return results


def _measure_bin(values: NDArray[np.float64], correct: NDArray[np.bool_], low: float, high: float) -> dict[str, Any]:
    inside = (values >= low) & (values < high)
    accuracy = round(float(correct[inside].mean()), 4) if inside.any() else None
    return {"from": low, "to": high, "faces": int(inside.sum()), "accuracy": accuracy}


def measure_rejected(model: Classifier, faces: Faces) -> dict[str, Any]:
    """How many faces the current thresholds reject, and the accuracy on them."""
    whole = Face(Box(0, 0, 48, 48))
    reasons = [assess_quality(np.zeros((48, 48, 3), np.uint8), whole, face).reason for face in faces.pixels]
    rejected = np.array([reason is not None for reason in reasons])
    correct = predict(model, faces.pixels) == faces.labels
    results: dict[str, Any] = {reason: reasons.count(reason) for reason in sorted({r for r in reasons if r})}
    results["rejected_fraction"] = round(float(rejected.mean()), 4)
    results["accuracy_rejected"] = round(float(correct[rejected].mean()), 4) if rejected.any() else None
    results["accuracy_accepted"] = round(float(correct[~rejected].mean()), 4)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    parser.add_argument("--yunet", type=Path, help="YuNet's model file; without it pose is not measured")
    parser.add_argument("--model", default="base", help="an embedded model or an .onnx file")
    parser.add_argument("--faces", type=int, default=1000, help="number of validation faces")
    parser.add_argument("--dry", action="store_true", help="print the figures, and write nothing")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model, faces = (
        load_classifier(resolve_model(options.model)),
        load_validation_faces(options.data).sample(options.faces, seed=8),
    )
    figures: dict[str, Any] = {"faces": len(faces.labels), "accuracy": measure_accuracy(model, faces.pixels, faces)}
    figures |= {name: run_sweep(model, faces, *parameters) for name, parameters in SWEEPS.items()}
    if options.yunet:
        figures["pose"] = measure_pose(model, faces, options.yunet)
    figures["rejected"] = measure_rejected(model, faces)
    write_or_print("quality", figures, options.dry)


if __name__ == "__main__":
    main()
