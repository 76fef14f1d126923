"""Metrics by group of faces, with intervals, and the gap between the best and the worst group.

Groups come from a column of the data or of a table (age, source, skin tone), or are estimated from the faces:
brightness, contrast, sharpness, and where YuNet's file is installed the head pose and the size of the face.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import SIDE
from mien.errors import ExperimentError, MienError, suggest_name
from mien.evaluation.metrics import Labels, Scores, accuracy, accuracy_interval, calibration_error
from mien.faces.crop import measure_eye_slope
from mien.faces.detectors import Detector, load_detector
from mien.models import find_model_file
from mien.results import Face

#: Smaller groups are listed but do not count for the gap, which would be due to chance.
MIN_GROUP_FACES = 30

#: Columns with more different numbers are divided into bands of equally many faces.
MAX_VALUES, BANDS = 12, 4

#: Bootstrap draws of the metrics other than accuracy.
DRAWS = 300

#: A crop is enlarged by this factor and padded by so many pixels before YuNet detects the face in it.
_DETECTION_SCALE, _DETECTION_PADDING = 3, 36

GroupNames = NDArray[np.str_]


@dataclass(frozen=True)
class MetricInterval:
    """A metric of one group and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupMetrics:
    """The number of faces of one group, and its metrics by name."""

    name: str
    faces: int
    metrics: Mapping[str, MetricInterval]

    @property
    def large_enough(self) -> bool:
        return self.faces >= MIN_GROUP_FACES


@dataclass(frozen=True)
class GroupedMetrics:
    """The groups of one column in order, and by metric the gap between the best and the worst of them."""

    column: str
    groups: tuple[GroupMetrics, ...]
    gaps: Mapping[str, float]


def measure_groups(
    column: str, names: GroupNames, scores: Scores, labels: Labels, uncertain_below: float = 0.0
) -> GroupedMetrics:
    """All metrics for each group; scores (N, K), labels (N,), names (N,) of which empty ones are in no group."""
    order = sorted(set(names.tolist()) - {""}, key=_sort_key)
    groups = tuple(_measure(name, scores[names == name], labels[names == name], uncertain_below) for name in order)
    compared = [group for group in groups if group.large_enough]
    gaps = {}
    for metric in compared[0].metrics if len(compared) > 1 else ():
        values = [group.metrics[metric].value for group in compared]
        gaps[metric] = max(values) - min(values)
    return GroupedMetrics(column, groups, gaps)


def _sort_key(name: str) -> tuple[float, str]:
    """Numbers, and names that begin with "1. ", by number; other names alphabetically after them."""
    start = name.partition(" ")[0].rstrip(".:")
    try:
        return float(start), name
    except ValueError:
        return float("inf"), name


def _measure(name: str, scores: Scores, labels: Labels, uncertain_below: float) -> GroupMetrics:
    interval = accuracy_interval(scores.argmax(1) == labels)
    metrics = {"accuracy": MetricInterval(accuracy(scores, labels), *interval)}
    for metric, function in _BOOTSTRAPPED.items():
        metrics[metric] = _bootstrap(function, scores, labels)
    if uncertain_below:
        uncertain = scores.max(1) < uncertain_below
        metrics["uncertain"] = MetricInterval(float(np.mean(uncertain)), *accuracy_interval(uncertain))
    return GroupMetrics(name, len(labels), metrics)


def _bootstrap(metric: Callable[[Scores, Labels], float], scores: Scores, labels: Labels) -> MetricInterval:
    rng = np.random.default_rng(0)
    draws = [metric(scores[chosen], labels[chosen]) for chosen in rng.integers(0, len(labels), (DRAWS, len(labels)))]
    low, high = np.percentile(draws, (2.5, 97.5))
    return MetricInterval(metric(scores, labels), float(low), float(high))


def _balanced_accuracy(scores: Scores, labels: Labels) -> float:
    """The mean recall of the classes with faces."""
    correct = scores.argmax(1) == labels
    return float(np.mean([correct[labels == label].mean() for label in np.unique(labels)]))


_BOOTSTRAPPED: dict[str, Callable[[Scores, Labels], float]] = {
    "balanced accuracy": _balanced_accuracy,
    "calibration error": calibration_error,
}


def group_values(values: Sequence[str]) -> GroupNames:
    """The group names of a column; many different numbers become bands of equally many faces, "1. 18 to 31"."""
    names = np.array([value.strip() for value in values], np.str_)
    try:
        numbers = names[names != ""].astype(float)
    except ValueError:
        return names
    if len(np.unique(numbers)) <= MAX_VALUES:
        return names
    bands = names.astype("<U64")
    bands[names != ""] = quantile_bands(numbers, "{low:g} to {high:g}")
    return bands


def quantile_bands(numbers: NDArray[np.floating], template: str, bands: int = BANDS) -> GroupNames:
    """Numbers divided into bands of about equally many, with names such as "1. 18 to 31"."""
    edges = np.quantile(numbers, np.linspace(0, 1, bands + 1)[1:-1])
    band_of = np.searchsorted(edges, numbers, side="right")
    names = {}
    for band in np.unique(band_of):
        members = numbers[band_of == band]
        names[band] = f"{band + 1}. {template.format(low=members.min(), high=members.max())}"
    return np.array([names[band] for band in band_of], np.str_)


def read_column(path: Path, column: str, count: int) -> list[str]:
    """A column of a CSV with one row per face of the data, in its order; an ExperimentError otherwise."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = list(rows.fieldnames or [])
            values = [row.get(column) or "" for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        expected = "a CSV with a column of groups was expected"
        raise ExperimentError(f"'{path}' cannot be read: {error}", expected) from None
    if column not in columns:
        happened = f"'{path}' has no column '{column}'"
        raise ExperimentError(happened, f"it has {', '.join(columns)}", suggest_name(column, columns))
    if len(values) != count:
        happened = f"'{path}' has {len(values):,} rows for {count:,} faces"
        raise ExperimentError(happened, "one row per face of the data, in its order, was expected")
    return values


def estimate_groups(pixels: NDArray[np.uint8]) -> tuple[dict[str, GroupNames], list[str]]:
    """Groups that are measured on the faces (N, 48, 48), by column, and why others are missing."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    detail = np.array([cv2.Laplacian(face, cv2.CV_32F).var() for face in pixels])
    columns = {
        "brightness": _thirds(flat.mean(1), ("dark", "medium", "bright")),
        "contrast": _thirds(flat.std(1), ("low", "medium", "high")),
        "sharpness": _thirds(detail, ("soft", "medium", "sharp")),
    }
    try:
        yunet = find_model_file("yunet")
    except MienError:
        yunet = None
    if yunet is None:
        return columns, ["head pose and size of the face need YuNet: mien models pull yunet"]
    return columns | _estimate_pose(pixels, load_detector("yunet", yunet=yunet)), []


def _thirds(numbers: NDArray[np.floating], names: tuple[str, str, str]) -> GroupNames:
    edges = np.quantile(numbers, (1 / 3, 2 / 3))
    return np.array([f"{band + 1}. {names[band]}" for band in np.searchsorted(edges, numbers)], np.str_)


def _estimate_pose(pixels: NDArray[np.uint8], detector: Detector) -> dict[str, GroupNames]:
    """Groups by YuNet's five landmarks."""
    faces = [_detect_largest(face, detector) for face in pixels]
    return {
        column: _bands([None if face is None else measure(face) for face in faces], bands)
        for column, (measure, bands) in _POSE_GROUPS.items()
    }


def _detect_largest(face: NDArray[np.uint8], detector: Detector) -> Face | None:
    scale, padding = _DETECTION_SCALE, _DETECTION_PADDING
    large = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    large = cv2.copyMakeBorder(large, padding, padding, padding, padding, cv2.BORDER_REPLICATE)
    faces = detector.detect(np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB), np.uint8))
    return faces[0] if faces and faces[0].landmarks else None


def _measure_yaw(face: Face) -> float:
    """The distance of the nose from the middle between the eyes, as a fraction of half their distance."""
    right, left, nose, *_ = face.landmarks or ()
    return abs((nose.x - right.x) - (left.x - nose.x)) / max(abs(left.x - right.x), 1e-6)


def _measure_roll(face: Face) -> float:
    """The angle of the line between the eyes in degrees."""
    return abs(measure_eye_slope(face))


def _measure_size(face: Face) -> float:
    """The size of the box as a fraction of that of the crop."""
    return float(np.sqrt(face.box.width * face.box.height)) / (SIDE * _DETECTION_SCALE)


def _bands(values: Sequence[float | None], bands: Sequence[tuple[float, str]]) -> GroupNames:
    """The name of the first band whose limit is above each value."""
    missing = "4. no face found by YuNet"
    return np.array(
        [missing if value is None else next(name for limit, name in bands if value < limit) for value in values],
        np.str_,
    )


#: By column the measurement of a face, and the limit and name of each group.
_POSE_GROUPS: dict[str, tuple[Callable[[Face], float], Sequence[tuple[float, str]]]] = {
    "yaw": (_measure_yaw, ((0.15, "1. frontal"), (0.4, "2. half turned"), (9, "3. turned away"))),
    "roll": (_measure_roll, ((4, "1. up to 4°"), (10, "2. 4° to 10°"), (360, "3. more than 10°"))),
    "size in the crop": (
        _measure_size,
        ((0.8, "1. smaller than the crop"), (1.0, "2. as large as the crop"), (9, "3. larger than the crop")),
    ),
}
