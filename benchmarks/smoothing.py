"""Stability and delay of smoothing: the filter of ``mien.video.smoothing`` compared with others.

Validation faces become sequences with known change points (``_face_sequences.py``). The settings of each filter are
selected on one half of the people and measured on the other: how often the leading label changes while the face does
not, and how long after a change of the scores without noise the new label leads. Changes from or to a face without a
clear leading label (15 points) are left out of the delays.

    python benchmarks/smoothing.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from _face_sequences import FaceSequence, make_changing_sequence, make_still_sequence
from _results import write_result
from _scenes import Faces, load_portrait, load_validation_faces
from _smoothing_filters import Floats, SmoothingFilter, filter_families, mean_since_change
from _tables import Figures, format_percent, format_table
from numpy.typing import NDArray

from mien.engine import Engine
from mien.faces.detectors import load_detector
from mien.labels import EMOTIONS
from mien.models import Classifier, load_classifier, resolve_model
from mien.video.baseline import TYPICAL_RESTING_SCORE
from mien.video.smoothing import LEAD_MARGIN

PEOPLE, STILL_SECONDS, SHOT_SECONDS, FPS = 60, 10.0, 2.5, 30.0
CLEAR_LEAD, MAX_DELAY = 0.15, 0.2


class SequenceScores(NamedTuple):
    """The scores of a sequence with noise and without (``noiseless``); ``changes`` are indexes of frames."""

    values: Floats
    noiseless: Floats
    changes: tuple[int, ...]


class Half(NamedTuple):
    unchanged: list[SequenceScores]
    changing: list[SequenceScores]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, or an .npz of its columns")
    parser.add_argument("--yunet", type=Path, required=True, help="the file of YuNet's model")
    options = parser.parse_args()
    model = load_classifier(resolve_model("base"), threads=1)
    faces = load_validation_faces(options.data).pixels
    rng = np.random.default_rng(1)
    faces = faces[rng.permutation(len(faces))]
    tuning, test = (make_half(model, rng, faces[number * 5 * PEOPLE :]) for number in (0, 1))
    threshold = model.card.uncertain_below
    figures: dict[str, Any] = {
        "noise": measure_noise(model, options.yunet),
        "people": PEOPLE,
        "in_time_s": MAX_DELAY,
    }
    figures["filters"] = {name: select_setting(filters, tuning, test, threshold) for name, filters in filter_families()}
    figures["rates"] = {f"{fps:g}": measure_rate(model, faces, fps, threshold) for fps in (30.0, 15.0, 10.0, 5.0)}
    figures["at_rest"] = measure_at_rest(model, load_validation_faces(options.data))
    print(write_result("smoothing", figures))


def measure_at_rest(model: Classifier, faces: Faces) -> dict[str, Any]:
    """The scores of faces with the label neutral: how high the score of another label is at rest."""
    neutral = scores(model, faces.pixels[faces.labels == EMOTIONS.index("neutral")])
    middle, high = np.quantile(neutral, (0.5, 0.75), axis=0)
    by_label = {
        label: {"median": round(float(middle[i]), 3), "p75": round(float(high[i]), 3)}
        for i, label in enumerate(EMOTIONS)
    }
    return {"faces": len(neutral), "typical": TYPICAL_RESTING_SCORE, "scores": by_label}


def make_half(model: Classifier, rng: np.random.Generator, faces: NDArray[np.uint8], fps: float = FPS) -> Half:
    """Sixty unchanged faces, and sixty sequences of four faces with cuts or transitions of 0.2 s."""
    unchanged = [
        classify_sequence(model, make_still_sequence(rng, face, STILL_SECONDS, fps), fps) for face in faces[:PEOPLE]
    ]
    groups = faces[PEOPLE : 5 * PEOPLE].reshape(PEOPLE, 4, 48, 48)
    changing = [
        make_changing_sequence(rng, list(group), SHOT_SECONDS, fps, 0.2 * (number % 2))
        for number, group in enumerate(groups)
    ]
    return Half(unchanged, [classify_sequence(model, sequence, fps) for sequence in changing])


def classify_sequence(model: Classifier, sequence: FaceSequence, fps: float) -> SequenceScores:
    changes = tuple(round(second * fps) for second in sequence.changes)
    return SequenceScores(scores(model, sequence.crops), scores(model, sequence.noiseless), changes)


def scores(model: Classifier, crops: NDArray[np.uint8]) -> Floats:
    groups = (crops[first : first + 64, ..., None] for first in range(0, len(crops), 64))
    return np.concatenate([model.run(group).scores for group in groups]).astype(float)


def select_setting(filters: dict[str, SmoothingFilter], tuning: Half, test: Half, threshold: float) -> dict[str, Any]:
    """The setting with the fewest changes, among those with at most 5 % late changes if there are any."""
    candidates = {name: measure(smoothing_filter, tuning, threshold) for name, smoothing_filter in filters.items()}
    fast_enough = {name: row for name, row in candidates.items() if row["late"] <= 0.05}
    setting = (
        min(fast_enough, key=lambda name: fast_enough[name]["changes_with_uncertainty_per_minute"])
        if fast_enough
        else min(candidates, key=lambda name: candidates[name]["late"])
    )
    return {"setting": setting, "candidates": len(filters), **measure(filters[setting], test, threshold)}


def measure_rate(model: Classifier, faces: NDArray[np.uint8], fps: float, threshold: float) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    return measure(mean_since_change, make_half(model, rng, faces[5 * PEOPLE :], fps), threshold, fps)


def measure(smoothing_filter: SmoothingFilter, half: Half, threshold: float, fps: float = FPS) -> dict[str, Any]:
    flicker = [count_changes(smoothing_filter, each, threshold, fps) for each in half.unchanged]
    delays = np.array([delay for each in half.changing for delay in measure_delays(smoothing_filter, each, fps)])
    minutes = sum(len(each.values) for each in half.unchanged) / fps / 60
    return {
        "label_changes_per_minute": round(sum(row[0] for row in flicker) / minutes, 2),
        "changes_with_uncertainty_per_minute": round(sum(row[1] for row in flicker) / minutes, 2),
        "score_error": round(float(np.mean([row[2] for row in flicker])), 4),
        "delay_ms": {"median": _ms(np.median(delays)), "p95": _ms(np.quantile(delays, 0.95))},
        "late": round(float((delays > MAX_DELAY + 1e-6).mean()), 4),
        "changes": len(delays),
    }


def count_changes(
    smoothing_filter: SmoothingFilter, scores: SequenceScores, threshold: float, fps: float
) -> tuple[int, int, float]:
    """Changes of the label, changes of the label or its uncertainty, and the mean error of the scores."""
    values, leaders = smoothing_filter(scores.values, 1 / fps)
    displayed = leaders * 2 + is_uncertain(
        values[np.arange(len(leaders)), leaders], threshold, smoothing_filter is mean_since_change
    )
    error = np.abs(values - scores.values.mean(axis=0)).sum(axis=1).mean() / 2
    return int((np.diff(leaders) != 0).sum()), int((np.diff(displayed) != 0).sum()), float(error)


def is_uncertain(leading: Floats, threshold: float, hysteresis: bool) -> NDArray[np.int64]:
    """Whether each frame is uncertain; the threshold of mien has a hysteresis."""
    uncertain, offset = [], 0.0
    for score in leading:
        uncertain.append(int(score < threshold + offset))
        offset = (LEAD_MARGIN / 2 if uncertain[-1] else -LEAD_MARGIN / 2) if hysteresis else 0.0
    return np.array(uncertain)


def measure_delays(smoothing_filter: SmoothingFilter, scores: SequenceScores, fps: float) -> list[float]:
    """Seconds from the frame in which the scores without noise change to the one in which the label changes."""
    _, leaders = smoothing_filter(scores.values, 1 / fps)
    ends = [0, *scores.changes, len(leaders)]
    settling = round(0.25 * fps)
    means = [scores.values[first + settling : last].mean(axis=0) for first, last in pairwise(ends)]
    return [
        _delay(leaders[first:last], scores.noiseless[first:last], int(after.argmax())) / fps
        for before, after, first, last in zip(means, means[1:], ends[1:], ends[2:], strict=False)
        if before.argmax() != after.argmax() and min(_lead(before), _lead(after)) >= CLEAR_LEAD
    ]


def _delay(leaders: NDArray[np.int64], noiseless: Floats, label: int) -> int:
    start = int((noiseless.argmax(axis=1) == label).argmax())
    is_leading = leaders[start:] == label
    return int(is_leading.argmax()) if is_leading.any() else len(leaders)


def _lead(values: Floats) -> float:
    first, second = np.sort(values)[:-3:-1]
    return float(first - second)


def _ms(seconds: Any) -> int:
    return round(float(seconds) * 1000)


def measure_noise(model: Classifier, yunet: Path) -> dict[str, Any]:
    """The noise of boxes and scores on videos of two drifting portraits, with sensor noise and JPEG."""
    return {
        f"{detector} {name}": measure_detector_noise(Engine(model, load_detector(detector, yunet=yunet)), name)
        for detector in ("yunet", "haar")
        for name in ("astronaut", "hopper")
    }


def measure_detector_noise(engine: Engine, name: str) -> dict[str, Any]:
    rng, drift, boxes, values = np.random.default_rng(0), 0.0, [], []
    image = load_portrait(name)
    image = cv2.resize(image, (round(image.shape[1] * 480 / image.shape[0]), 480), interpolation=cv2.INTER_AREA)
    for _ in range(60):
        drift = 0.97 * drift + float(rng.normal(0, 0.7))
        for reading in engine.read(add_camera_noise(rng, image, drift)).readings[:1]:
            x, y, width, height = reading.face.box
            boxes.append((x + width / 2 - drift, y + height / 2 - drift / 2, width, height))
            values.append([score.score for score in reading.emotions.scores])
    spread, side = np.std(boxes, axis=0), float(np.mean(boxes, axis=0)[2:].mean())
    middle, size = (round(float(part.max()) / side, 4) for part in (spread[:2], spread[2:]))
    return {"frames": len(boxes), "centre": middle, "size": size, "score": round(float(np.std(values, 0).max()), 4)}


def add_camera_noise(rng: np.random.Generator, image: NDArray[np.uint8], drift: float) -> NDArray[np.uint8]:
    moved = np.array([[1, 0, drift], [0, 1, drift / 2]])
    shifted = cv2.warpAffine(image, moved, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    noisy = np.clip(shifted + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def format_smoothing_table(figures: Figures) -> str:
    rows = [
        (
            name,
            row["setting"],
            row["label_changes_per_minute"],
            row["changes_with_uncertainty_per_minute"],
            row["delay_ms"]["median"],
            row["delay_ms"]["p95"],
            format_percent(row["late"]),
            f"{row['score_error']:.3f}",
        )
        for name, row in figures["filters"].items()
    ]
    header = [
        "filter",
        "best setting",
        "label changes a minute",
        "with uncertainty",
        "delay, median ms",
        "95 %, ms",
        "later than 200 ms",
        "score error",
    ]
    return format_table(header, rows)


def format_smoothing_rates_table(figures: Figures) -> str:
    rows = [
        (
            f"{rate} frames/s",
            row["label_changes_per_minute"],
            row["delay_ms"]["median"],
            row["delay_ms"]["p95"],
            format_percent(row["late"]),
        )
        for rate, row in figures["rates"].items()
    ]
    return format_table(
        ["mien's filter at", "label changes a minute", "delay, median ms", "95 %, ms", "> 200 ms"], rows
    )


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "smoothing": ("smoothing", format_smoothing_table),
    "smoothing-rates": ("smoothing", format_smoothing_rates_table),
}


if __name__ == "__main__":
    main()
