"""Golden files: normalisation of the recorded values, and their comparison."""

from __future__ import annotations

import base64
import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

# Normalisation: keys whose values change from run to run or from release to release.
VOLATILE = {"mien", "milliseconds", "frames_per_second", "date", "id", "request_id"}
JOB_ADDRESS = re.compile(r"(/videos/)[\w-]{20,}")
LONGEST_NUMBERS, LONGEST_RECORDS, FIRST = 40, 20, 3

# The tolerant comparison, for processors other than the one that wrote the files.
#: Only key paths are compared below these keys.
LOOSE = {"maps", "contributions", "layers", "logits", "votes_logits", "arrays", "bias", "placement", "regions"}
LOOSE |= {"activations", "per_class", "confusion", "mistakes", "coverage", "ece_by_chance", "mcnemar", "map", "runs"}
#: Nothing is compared below these keys: whether they have content depends on thresholds.
IGNORED = {"mixture", "uncertain", "counterfactual", "notes", "fingerprint", "tracks", "events"}
#: Labels that are compared only if the largest score leads by MARGIN.
DECISIONS, MARGIN = ("emotion", "dominant_emotion"), 0.1
#: Only key paths are compared in these files.
KEYS_ONLY = ("audit", "robustness")
#: Absolute tolerances of scores, metrics, percentages and pixels; the relative tolerances of numbers and of row counts.
SCORE, METRIC, PERCENT, PIXELS, RELATIVE, ROWS = 0.03, 0.15, 3.0, 2, 0.05, 0.2


# Normalisation


def normalise(value: Any, folder: Path, key: str = "") -> Any:
    """Plain JSON without values that change from run to run; long arrays are summarised, floats have 7 digits."""
    if (key in VOLATILE and isinstance(value, str | float)) or (key == "version" and isinstance(value, str)):
        return "VOLATILE"
    if isinstance(value, Mapping):
        return {str(name): normalise(inner, folder, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return normalise_list(list(value), folder, key)
    if isinstance(value, str):
        if key == "data" and len(value) > 200:
            return summarise(np.frombuffer(base64.b64decode(value), np.uint8))
        text = value.replace(str(folder), "FOLDER").replace(str(ROOT), "ROOT")
        return JOB_ADDRESS.sub(r"\1JOB", text.replace("\\", "/") if text != value else text)
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return value


def normalise_list(values: list[Any], folder: Path, key: str) -> Any:
    if values and all(isinstance(each, Mapping) for each in values) and len(values) > LONGEST_RECORDS:
        first, columns = values[0], {}
        for name in first:
            column = [each[name] for each in values if name in each]
            if all(isinstance(each, int | float) and not isinstance(each, bool) for each in column):
                columns[name] = summarise(np.asarray(column))
        return {"count": len(values), "first": normalise_list(values[:FIRST], folder, key), "columns": columns}
    try:
        numbers = np.asarray(values)
    except ValueError:  # lists of different lengths
        numbers = np.asarray([])
    if numbers.dtype.kind in "iuf" and numbers.size > LONGEST_NUMBERS and key not in ("confusion",):
        return summarise(numbers)
    return [normalise(each, folder, key) for each in values]


def summarise(numbers: np.ndarray) -> dict[str, Any]:
    statistics = {"mean": numbers.mean(), "min": numbers.min(), "max": numbers.max()}
    return {"shape": list(numbers.shape), **{name: float(f"{value:.7g}") for name, value in statistics.items()}}


# Comparison


def list_key_paths(value: Any, parent: str = "") -> Iterator[str]:
    """The paths of all keys inside a value; the items of a list share one path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{parent}.{key}".lstrip(".")
            yield from list_key_paths(inner, f"{parent}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from list_key_paths(inner, f"{parent}[]")


def list_differences(name: str, expected: Any, actual: Any, exact: bool) -> list[str]:
    """One line for each difference between the value of the golden file and the current value."""
    if not exact and name in KEYS_ONLY:
        return list(compare_keys(name, expected, actual))
    return list(compare(name, expected, actual, exact))


def compare(path: str, expected: Any, actual: Any, exact: bool) -> Iterator[str]:
    key = path.rpartition("/")[2]
    if not exact and key in IGNORED:
        return
    if not exact and key in LOOSE:
        yield from compare_keys(path, expected, actual)
    elif is_list_of_lines(key, expected) and is_list_of_lines(key, actual):
        yield from compare_rows(path, expected, actual, exact)
    elif isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            yield f"{path}: keys {sorted(expected.keys() ^ actual.keys())} exist on one side only"
        for name in sorted(expected.keys() & actual.keys()):
            if exact or not is_close_decision(name, expected):
                yield from compare(f"{path}/{name}", expected[name], actual[name], exact)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{path}: {len(expected)} items became {len(actual)}"
        for index, pair in enumerate(zip(expected, actual, strict=False)):
            yield from compare(f"{path}[{index}]", *pair, exact)
    elif not is_equal(path, expected, actual, exact):
        yield f"{path}: {expected!r} became {actual!r}"


def is_equal(path: str, expected: Any, actual: Any, exact: bool) -> bool:
    """Whether two single values are equal, numbers within the tolerance."""
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (expected, actual))
    if not numbers:
        return bool(expected == actual)
    if exact:
        return abs(expected - actual) <= 1e-6 * (1 + abs(expected))
    if isinstance(expected, int) and isinstance(actual, int):
        tolerance: float = PIXELS
    elif "/emotion/" in path:
        tolerance = PERCENT
    else:
        tolerance = METRIC if path.startswith(("evaluation", "data")) else SCORE
    return abs(expected - actual) <= tolerance + RELATIVE * abs(expected)


def is_close_decision(name: str, record: dict[str, Any]) -> bool:
    """Whether a label leads by so little that another processor may give another label."""
    if name not in DECISIONS or isinstance(record[name], dict):
        return False
    scores = next((record[key] for key in ("scores", "emotion") if isinstance(record.get(key), dict)), {})
    first, second = (*sorted(scores.values(), reverse=True), 0, 0)[:2]
    return bool((first - second) <= MARGIN * sum(scores.values()))


def compare_keys(path: str, expected: Any, actual: Any) -> Iterator[str]:
    if one_sided := set(list_key_paths(expected)) ^ set(list_key_paths(actual)):
        yield f"{path}: keys {sorted(one_sided)} exist on one side only"


def compare_rows(path: str, expected: list[str], actual: list[str], exact: bool) -> Iterator[str]:
    """Rows of a CSV table; the tolerant comparison compares only the number of rows and of cells."""
    if not exact:
        widths = [{len(cells) for cells in csv.reader(rows)} for rows in (expected, actual)]
        if abs(len(expected) - len(actual)) > ROWS * len(expected) + 1 or widths[0] != widths[1]:
            yield f"{path}: {len(expected)} rows with {widths[0]} cells became {len(actual)} with {widths[1]}"
        return
    if len(expected) != len(actual):
        yield f"{path}: {len(expected)} rows became {len(actual)}"
    for index, pair in enumerate(zip(csv.reader(expected), csv.reader(actual), strict=False)):
        cells = [[parse_number(cell) for cell in row] for row in pair]
        yield from compare(f"{path}[{index}]", *cells, exact)


def is_list_of_lines(key: str, value: Any) -> bool:
    """Whether the value is the list of lines of a CSV table; other ``rows`` are lists of records."""
    return key == "rows" and isinstance(value, list) and all(isinstance(each, str) for each in value)


def parse_number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell
