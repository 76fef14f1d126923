"""Is a model as good for some faces as for others? Its figures by group, with intervals, and the gap between them.

Groups come from a column of the data or of a table (age, source, skin tone), or are estimated from the faces: light,
contrast, detail, and where YuNet's file is installed the turn of the head, its lean, and how much of the crop it fills.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ExperimentError, MienError, suggest_name
from mien.evaluation.metrics import Labels, Scores, accuracy, accuracy_interval, calibration_error
from mien.faces.detectors import Detector, load_detector
from mien.models import find_model_file
from mien.results import Face

#: Groups of fewer faces are shown, and take no part in the gap: chance alone would make one.
MIN_GROUP_FACES = 30

#: More different numbers than this are cut into bands of equally many faces.
MAX_VALUES, BANDS = 12, 4

#: Draws of the bootstrap for figures other than accuracy.
DRAWS = 300

GroupNames = NDArray[np.str_]


@dataclass(frozen=True)
class MetricInterval:
    """A figure of one group and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupMetrics:
    """One group's faces: how many, and every figure by name."""

    name: str
    faces: int
    figures: Mapping[str, MetricInterval]

    @property
    def enough(self) -> bool:
        return self.faces >= MIN_GROUP_FACES


@dataclass(frozen=True)
class GroupedMetrics:
    """One column: its groups in their order, and by figure the gap between the best and the worst of them."""

    column: str
    groups: tuple[GroupMetrics, ...]
    gaps: Mapping[str, float]


def measure_groups(
    column: str, words: GroupNames, shares: Scores, labels: Labels, uncertain_below: float = 0.0
) -> GroupedMetrics:
    """Every figure for the faces of each word; shares (N, K), labels (N,), words (N,); an empty word is left out."""
    names = list(dict.fromkeys(sorted(set(words.tolist()) - {""}, key=_in_order)))
    groups = tuple(_group(name, shares[words == name], labels[words == name], uncertain_below) for name in names)
    told = [group for group in groups if group.enough]
    gaps = {
        name: max(each.figures[name].value for each in told) - min(each.figures[name].value for each in told)
        for name in (told[0].figures if len(told) > 1 else ())
    }
    return GroupedMetrics(column, groups, gaps)


def _in_order(word: str) -> tuple[float, str]:
    """Numbers by size, and words that begin with "1. " by that; other words by letter."""
    start = word.partition(" ")[0].rstrip(".:")
    try:
        return float(start), word
    except ValueError:
        return float("inf"), word


def _group(name: str, shares: Scores, labels: Labels, uncertain_below: float) -> GroupMetrics:
    figures = {"accuracy": MetricInterval(accuracy(shares, labels), *accuracy_interval(shares.argmax(1) == labels))}
    for word, figure in _FIGURES.items():
        figures[word] = _drawn(figure, shares, labels)
    if uncertain_below:
        doubted = shares.max(1) < uncertain_below
        figures["uncertain"] = MetricInterval(float(np.mean(doubted)), *accuracy_interval(doubted))
    return GroupMetrics(name, len(labels), figures)


def _drawn(figure: Callable[[Scores, Labels], float], shares: Scores, labels: Labels) -> MetricInterval:
    """A figure and the middle 95 % of it over bootstrap draws of the faces."""
    rng = np.random.default_rng(0)
    draws = [figure(shares[chosen], labels[chosen]) for chosen in rng.integers(0, len(labels), (DRAWS, len(labels)))]
    low, high = np.percentile(draws, (2.5, 97.5))
    return MetricInterval(figure(shares, labels), float(low), float(high))


def _balanced(shares: Scores, labels: Labels) -> float:
    """The mean recall of the classes that are there."""
    right = shares.argmax(1) == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


_FIGURES: dict[str, Callable[[Scores, Labels], float]] = {
    "balanced accuracy": _balanced,
    "calibration error": calibration_error,
}


def group_values(values: Sequence[str]) -> GroupNames:
    """A column's words; many different numbers become bands of equally many faces, "1. 18 to 31" and so on."""
    words = np.array([value.strip() for value in values], np.str_)
    there = words[words != ""]
    try:
        numbers = there.astype(float)
    except ValueError:
        return words
    if len(np.unique(numbers)) <= MAX_VALUES:
        return words
    bands = words.astype("<U64")
    bands[words != ""] = quantile_bands(numbers, "{low:g} to {high:g}")
    return bands


def quantile_bands(numbers: NDArray[np.floating], told: str, bands: int = BANDS) -> GroupNames:
    """Numbers in bands of about equally many: words such as "1. 18 to 31"."""
    edges = np.quantile(numbers, np.linspace(0, 1, bands + 1)[1:-1])
    place = np.searchsorted(edges, numbers, side="right")
    words = {}
    for band in np.unique(place):
        inside = numbers[place == band]
        words[band] = f"{band + 1}. {told.format(low=inside.min(), high=inside.max())}"
    return np.array([words[band] for band in place], np.str_)


def read_column(path: Path, column: str, count: int) -> list[str]:
    """A column of a CSV that has a row for each face of the data, in its order; a LabError where it does not fit."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            known = list(rows.fieldnames or [])
            values = [row.get(column) or "" for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ExperimentError(f"'{path}' cannot be read: {error}", "a CSV with a column of groups was expected") from None
    if column not in known:
        happened = f"'{path}' has no column '{column}'"
        raise ExperimentError(happened, f"it has {', '.join(known)}", suggest_name(column, known))
    if len(values) != count:
        happened = f"'{path}' has {len(values):,} rows for {count:,} faces"
        raise ExperimentError(happened, "a row for each face of the data, in its order, was expected")
    return values


def estimate_groups(pixels: NDArray[np.uint8]) -> tuple[dict[str, GroupNames], list[str]]:
    """Groups that can be seen in the faces (N, 48, 48) themselves, by column; and why others are missing."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    detail = np.array([cv2.Laplacian(face, cv2.CV_32F).var() for face in pixels])
    columns = {
        "light": _thirds(flat.mean(1), ("dark", "between", "bright")),
        "contrast": _thirds(flat.std(1), ("flat", "between", "strong")),
        "detail": _thirds(detail, ("soft", "between", "sharp")),
    }
    try:
        yunet = find_model_file("yunet")
    except MienError:
        yunet = None
    if yunet is None:
        return columns, ["turn, lean and size of the head need YuNet: mien models pull yunet"]
    return columns | _posed(pixels, load_detector("yunet", yunet=yunet)), []


def _thirds(numbers: NDArray[np.floating], names: tuple[str, str, str]) -> GroupNames:
    edges = np.quantile(numbers, (1 / 3, 2 / 3))
    return np.array([f"{band + 1}. {names[band]}" for band in np.searchsorted(edges, numbers)], np.str_)


def _posed(pixels: NDArray[np.uint8], detector: Detector) -> dict[str, GroupNames]:
    """By the five landmarks; where no face was found the words are "4. not found"."""
    found = [_largest(face, detector) for face in pixels]
    missing = "4. no face found by YuNet"
    turns = ((0.15, "1. to the camera"), (0.4, "2. half turned"), (9, "3. turned away"))
    leans = ((4, "1. upright"), (10, "2. leaning"), (360, "3. leaning more than 10°"))
    sizes = ((0.8, "1. small in the crop"), (1.0, "2. fills it"), (9, "3. larger than the crop"))
    return {
        "turn of the head": _named([each and _turn(each) for each in found], turns, missing),
        "lean of the head": _named([each and _lean(each) for each in found], leans, missing),
        "size in the crop": _named([each and _size(each) for each in found], sizes, missing),
    }


#: A crop is enlarged so often, and a quarter of it is put around, before YuNet looks at it.
_ENLARGED, _AROUND = 3, 36


def _largest(face: NDArray[np.uint8], detector: Detector) -> Face | None:
    large = cv2.resize(face, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
    large = cv2.copyMakeBorder(large, _AROUND, _AROUND, _AROUND, _AROUND, cv2.BORDER_REPLICATE)
    found = detector.detect(np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB), np.uint8))
    return found[0] if found and found[0].landmarks else None


def _turn(face: Face) -> float:
    """How far the nose is from the middle between the eyes, as part of half their distance."""
    right, left, nose, *_ = face.landmarks or ()
    return abs((nose.x - right.x) - (left.x - nose.x)) / max(abs(left.x - right.x), 1e-6)


def _lean(face: Face) -> float:
    right, left, *_ = face.landmarks or ()
    return float(abs(np.degrees(np.arctan2(left.y - right.y, left.x - right.x))))


def _size(face: Face) -> float:
    return float(np.sqrt(face.box.width * face.box.height)) / (48 * _ENLARGED)


def _named(values: Sequence[float | None], names: Sequence[tuple[float, str]], missing: str) -> GroupNames:
    said = [missing if value is None else next(name for below, name in names if value < below) for value in values]
    return np.array(said, np.str_)
