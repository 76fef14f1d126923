"""Golden files: what is removed from answers before they are recorded, and how two of them are compared."""

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

# The generous comparison, for processors other than that on which the files were written.
#: Only key paths are compared below these keys.
LOOSE = {"maps", "contributions", "layers", "logits", "votes_logits", "arrays", "bias", "placing", "look", "regions"}
LOOSE |= {"per_class", "confusion", "mistakes", "coverage", "ece_by_chance", "mcnemar", "map", "runs"}
#: Nothing is compared below these keys: whether they have content depends on thresholds.
IGNORED = {"mixture", "looks", "unjudged", "uncertain", "flip", "notes", "fingerprint", "persons", "events"}
#: Labels that are compared only where the largest share leads by MARGIN.
DECISIONS, MARGIN = ("emotion", "dominant_emotion"), 0.1
#: Only key paths are compared in these files.
KEYS_ONLY = ("audit", "robustness")
SHARE, FIGURE, PERCENT, PIXELS, RELATIVE, ROWS = 0.03, 0.15, 3.0, 2, 0.05, 0.2


# Normalisation


def normalised(value: Any, folder: Path, key: str = "") -> Any:
    """Plain JSON without what changes from run to run; long arrays are summarised, floats keep 7 digits."""
    if (key in VOLATILE and isinstance(value, str | float)) or (key == "version" and isinstance(value, str)):
        return "VOLATILE"
    if isinstance(value, Mapping):
        return {str(name): normalised(inner, folder, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return normalised_list(list(value), folder, key)
    if isinstance(value, str):
        if key == "data" and len(value) > 200:
            return summary(np.frombuffer(base64.b64decode(value), np.uint8))
        short = value.replace(str(folder), "FOLDER").replace(str(ROOT), "ROOT")
        return JOB_ADDRESS.sub(r"\1JOB", short.replace("\\", "/") if short != value else short)
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return value


def normalised_list(values: list[Any], folder: Path, key: str) -> Any:
    if values and all(isinstance(each, Mapping) for each in values) and len(values) > LONGEST_RECORDS:
        first, columns = values[0], {}
        for name in first:
            column = [each[name] for each in values if name in each]
            if all(isinstance(each, int | float) and not isinstance(each, bool) for each in column):
                columns[name] = summary(np.asarray(column))
        return {"count": len(values), "first": normalised_list(values[:FIRST], folder, key), "columns": columns}
    try:
        numbers = np.asarray(values)
    except ValueError:  # lists of different lengths
        numbers = np.asarray([])
    if numbers.dtype.kind in "iuf" and numbers.size > LONGEST_NUMBERS and key not in ("confusion",):
        return summary(numbers)
    return [normalised(each, folder, key) for each in values]


def summary(numbers: np.ndarray) -> dict[str, Any]:
    figures = {"mean": numbers.mean(), "min": numbers.min(), "max": numbers.max()}
    return {"shape": list(numbers.shape), **{name: float(f"{value:.7g}") for name, value in figures.items()}}


# Comparison


def key_paths(value: Any, above: str = "") -> Iterator[str]:
    """Every path of keys inside a value; the items of a list share one path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{above}.{key}".lstrip(".")
            yield from key_paths(inner, f"{above}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from key_paths(inner, f"{above}[]")


def differences(name: str, expected: Any, actual: Any, exact: bool) -> list[str]:
    """One line for each difference between the golden file and today's value."""
    if not exact and name in KEYS_ONLY:
        return list(different_keys(name, expected, actual))
    return list(compared(name, expected, actual, exact))


def compared(path: str, expected: Any, actual: Any, exact: bool) -> Iterator[str]:
    key = path.rpartition("/")[2]
    if not exact and key in IGNORED:
        return
    if not exact and key in LOOSE:
        yield from different_keys(path, expected, actual)
    elif are_lines(key, expected) and are_lines(key, actual):
        yield from different_rows(path, expected, actual, exact)
    elif isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            yield f"{path}: keys {sorted(expected.keys() ^ actual.keys())} stand on one side only"
        for name in sorted(expected.keys() & actual.keys()):
            if exact or not is_close_decision(name, expected):
                yield from compared(f"{path}/{name}", expected[name], actual[name], exact)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{path}: {len(expected)} items became {len(actual)}"
        for place, pair in enumerate(zip(expected, actual, strict=False)):
            yield from compared(f"{path}[{place}]", *pair, exact)
    elif not same(path, expected, actual, exact):
        yield f"{path}: {expected!r} became {actual!r}"


def same(path: str, expected: Any, actual: Any, exact: bool) -> bool:
    """Whether two single values are equal, numbers within the tolerance."""
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (expected, actual))
    if not numbers:
        return bool(expected == actual)
    if exact:
        return abs(expected - actual) <= 1e-6 * (1 + abs(expected))
    if isinstance(expected, int) and isinstance(actual, int):
        least: float = PIXELS
    elif "/emotion/" in path:
        least = PERCENT
    else:
        least = FIGURE if path.startswith(("evaluation", "data")) else SHARE
    return abs(expected - actual) <= least + RELATIVE * abs(expected)


def is_close_decision(name: str, beside: dict[str, Any]) -> bool:
    """Whether a label was decided by so little that another processor may decide otherwise."""
    if name not in DECISIONS or isinstance(beside[name], dict):
        return False
    shares = next((beside[key] for key in ("scores", "emotion") if isinstance(beside.get(key), dict)), {})
    first, second = (*sorted(shares.values(), reverse=True), 0, 0)[:2]
    return bool((first - second) <= MARGIN * sum(shares.values()))


def different_keys(path: str, expected: Any, actual: Any) -> Iterator[str]:
    if one_sided := set(key_paths(expected)) ^ set(key_paths(actual)):
        yield f"{path}: keys {sorted(one_sided)} stand on one side only"


def different_rows(path: str, expected: list[str], actual: list[str], exact: bool) -> Iterator[str]:
    """Rows of a table: in the generous comparison only how many they are and how many cells they have."""
    if not exact:
        widths = [{len(cells) for cells in csv.reader(rows)} for rows in (expected, actual)]
        if abs(len(expected) - len(actual)) > ROWS * len(expected) + 1 or widths[0] != widths[1]:
            yield f"{path}: {len(expected)} rows with {widths[0]} cells became {len(actual)} with {widths[1]}"
        return
    if len(expected) != len(actual):
        yield f"{path}: {len(expected)} rows became {len(actual)}"
    for place, pair in enumerate(zip(csv.reader(expected), csv.reader(actual), strict=False)):
        cells = [[as_number(cell) for cell in row] for row in pair]
        yield from compared(f"{path}[{place}]", *cells, exact)


def are_lines(key: str, value: Any) -> bool:
    """Whether this is the list of lines that ``rows`` is in a table (figures have rows too, which are records)."""
    return key == "rows" and isinstance(value, list) and all(isinstance(each, str) for each in value)


def as_number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell
