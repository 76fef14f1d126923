"""Numbers written as text, 74 million of them: decoded a batch at a time with whole-array arithmetic.

numpy's own readers take the real CSV at 30 to 60 MB/s. Here no number is ever looked at alone: the digit before a
blank is a unit, the one before it a ten, the one before that a hundred.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mien.datasets import label_maps
from mien.datasets.dataset import SIDE, TRAINING, FaceDataset, LabelMap, LoadedDataset, Problem, Progress, empty_votes
from mien.errors import LabError, nearest
from mien.labels import EMOTIONS

PIXELS = SIDE * SIDE
_BLANK, _ZERO = np.uint8(32), np.uint8(48)


def decode_pixels(cells: list[bytes]) -> list[NDArray[np.uint8] | str]:
    """For each cell its 2304 pixels, uint8 (2304,), or the reason why it has none."""
    clean = _clean(cells)
    if clean is not None:
        return list(clean)
    if len(cells) == 1:
        return [_slowly(cells[0])]
    middle = len(cells) // 2
    return decode_pixels(cells[:middle]) + decode_pixels(cells[middle:])


def _clean(cells: list[bytes]) -> NDArray[np.uint8] | None:
    """(N, 2304), or None where any cell holds anything but 2304 numbers of 0 to 255 in up to three digits."""
    # Two blanks in front, so that every place has a digit or a blank two places before it.
    text = np.frombuffer(b"".join([b"  ", b" ".join(cells), b" "]), np.uint8)
    values = text - _ZERO
    digit = values < 10
    if np.count_nonzero(digit) + np.count_nonzero(text == _BLANK) != text.size:
        return None
    values *= digit
    units, tens = values[2:-1], values[1:-2]
    hundreds = values[:-3] * digit[1:-2] * digit[2:-1]
    below = tens * np.uint8(10) + units
    ends = digit[2:-1] > digit[3:]
    if _too_large(hundreds, below) or _too_long(digit) or not _counted(ends, cells):
        return None
    return (below + hundreds * np.uint8(100))[ends].reshape(-1, PIXELS)


def _too_large(hundreds: NDArray[np.uint8], below: NDArray[np.uint8]) -> bool:
    return bool((hundreds > 2).any() or ((hundreds == 2) & (below > 55)).any())


def _too_long(digit: NDArray[np.bool_]) -> bool:
    return bool((digit[:-3] & digit[1:-2] & digit[2:-1] & digit[3:]).any())


def _counted(ends: NDArray[np.bool_], cells: list[bytes]) -> bool:
    start = 0
    for cell in cells:
        if np.count_nonzero(ends[start : start + len(cell)]) != PIXELS:
            return False
        start += len(cell) + 1
    return True


def _slowly(cell: bytes) -> NDArray[np.uint8] | str:
    if cell.translate(None, b"0123456789 \t"):
        return "pixels that are no numbers"
    numbers = [number.lstrip(b"0") for number in cell.split()]
    if len(numbers) != PIXELS:
        return f"{len(numbers)} pixels instead of {PIXELS}"
    if any(len(number) > 3 for number in numbers) or max(int(number or b"0") for number in numbers) > 255:
        return "pixels outside 0 to 255"
    return np.array([int(number or b"0") for number in numbers], np.uint8)


# ==== mien.lab.sources.table
# ``fer2013.csv`` and ``icml_face_data.csv``: a row a face, its pixels written out as numbers.

#: So much of the file is taken at once: the arrays made of it then stay in the processor's cache.
BATCH_BYTES = 1 << 20
_COLUMNS = ("emotion", "pixels", "usage")


@dataclass(frozen=True)
class _Header:
    """Which column is where. ``usage`` and ``group`` are None where the table has no such column."""

    columns: tuple[str, ...]
    delimiter: bytes
    emotion: int
    pixels: int
    usage: int | None
    group: int | None


@dataclass(frozen=True)
class _Row:
    """A row whose words are understood; its pixels are still text."""

    number: int
    label: int
    usage: str
    group: str
    pixels: bytes


def read_csv(path: Path, labels: LabelMap, group: str | None, progress: Progress | None = None) -> LoadedDataset:
    """The faces of a table. Rows that hold none are problems, counted from 1 without the header."""
    with path.open("rb") as file:
        header = _header(file, path.name, group)
        rows, pixels, problems = _gathered(file, header, labels, progress, path.stat().st_size)
    if not rows:
        reason = f"Row {problems[0].row}: {problems[0].reason}" if problems else "It has no rows at all"
        raise LabError("The file holds no readable face", "rows of emotion, pixels, Usage were expected", reason)
    return _source(path, header, rows, np.concatenate(pixels), problems)


def _source(
    path: Path, header: _Header, rows: list[_Row], pixels: NDArray[np.uint8], problems: list[Problem]
) -> LoadedDataset:
    labels = np.array([row.label for row in rows], np.int64)
    kept = labels >= 0
    usage, groups = np.array([row.usage for row in rows]), np.array([row.group for row in rows])
    left = int((~kept).sum())
    faces = FaceDataset(pixels[kept], labels[kept], usage[kept], empty_votes(int(kept.sum())), tuple(problems))
    numbers = np.array([row.number for row in rows], np.int64)[kept]
    found = LoadedDataset(path, "table", faces, numbers, groups=None if header.group is None else groups[kept])
    no_usage = "The table has no column Usage: all of its faces count as Training."
    said = [no_usage] if header.usage is None else []
    return found.remarked(*said, *([f"The label map leaves out {left} faces."] if left else []))


def _header(file: BinaryIO, name: str, group: str | None) -> _Header:
    line = file.readline(1 << 16).decode("utf-8-sig", "replace")
    delimiter = max(",;\t", key=line.count)
    columns = [column.strip().strip('"').strip().lower() for column in line.split(delimiter)]
    missing = [column for column in _COLUMNS if column not in columns]
    if {"emotion", "pixels"} & set(missing):
        happened = f"{name} is not FER2013: it has no column {', '.join(missing)}"
        raise LabError(happened, "emotion, pixels, Usage were expected", _advice(columns))
    if group is not None and group.strip().lower() not in columns:
        raise LabError(f"{name} has no column '{group}' to group by", f"It has {', '.join(columns)}", "")
    places = {column: columns.index(column) for column in reversed(columns)}
    grouped = None if group is None else places[group.strip().lower()]
    usage = places.get("usage")
    return _Header(tuple(columns), delimiter.encode(), places["emotion"], places["pixels"], usage, grouped)


def _advice(columns: list[str]) -> str:
    if "pixels" in columns:
        return "Kaggle's test.csv has no labels; train.csv or fer2013.csv has them"
    if "neutral" in columns:
        return "This looks like FER+'s fer2013new.csv, which has votes and no faces: name fer2013.csv beside it"
    return " ".join(filter(None, (nearest(column, columns) for column in _COLUMNS)))


def _gathered(
    file: BinaryIO, header: _Header, labels: LabelMap, progress: Progress | None, size: int
) -> tuple[list[_Row], list[NDArray[np.uint8]], list[Problem]]:
    rows: list[_Row] = []
    pixels: list[NDArray[np.uint8]] = []
    problems: list[Problem] = []
    done = file.tell()
    for first, lines in _batches(file):
        understood, troubles = _understood(lines, first, header, labels)
        good, values, more = _with_pixels(understood, lines, first)
        rows += good
        problems += sorted([*troubles, *more], key=lambda problem: problem.row)
        pixels += [np.stack(values).reshape(-1, SIDE, SIDE)] if values else []
        done += sum(map(len, lines))
        if progress:
            progress(done, size)
    return rows, pixels, problems


def _batches(file: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """The number of the first row, and the rows; empty lines are no rows."""
    first = 1
    while lines := file.readlines(BATCH_BYTES):
        lines = [line for line in lines if not line.isspace()]
        yield first, lines
        first += len(lines)


def _understood(lines: list[bytes], first: int, header: _Header, labels: LabelMap) -> tuple[list[_Row], list[Problem]]:
    rows: list[_Row] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=first):
        row = _row(line, number, header, labels)
        if isinstance(row, _Row):
            rows.append(row)
        else:
            problems.append(Problem(number, _said_of_the_last(line, row)))
    return rows, problems


def _row(line: bytes, number: int, header: _Header, labels: LabelMap) -> _Row | str:
    cells = _cells(line, header)
    if len(cells) < len(header.columns):
        return "too few columns, cut off perhaps"
    word = cells[header.emotion].decode("utf-8", "replace").strip()
    label = label_maps.label_of_number(word, labels)
    if label == label_maps.UNKNOWN:
        return f"label {word!r} is none of 0 to {len(EMOTIONS) - 1}"
    usage = (
        TRAINING if header.usage is None else label_maps.normalize_usage(cells[header.usage].decode("utf-8", "replace"))
    )
    if not line.endswith(b"\n") and label_maps.is_truncated_usage(usage):
        return f"the split is {usage!r}"
    group = "" if header.group is None else cells[header.group].decode("utf-8", "replace").strip()
    return _Row(number, label, usage, group, cells[header.pixels].strip())


def _cells(line: bytes, header: _Header) -> list[bytes]:
    cells = line.rstrip(b"\r\n").split(header.delimiter)
    if b'"' not in line:
        return cells
    if len(cells) == len(header.columns):
        return [cell.strip().strip(b'"') for cell in cells]
    try:
        [row] = csv.reader([line.decode("utf-8", "replace")], delimiter=header.delimiter.decode())
    except (csv.Error, ValueError):
        return []
    return [cell.encode() for cell in row]


def _with_pixels(
    rows: list[_Row], lines: list[bytes], first: int
) -> tuple[list[_Row], list[NDArray[np.uint8]], list[Problem]]:
    good, values, problems = [], [], []
    for row, found in zip(rows, decode_pixels([row.pixels for row in rows]) if rows else [], strict=True):
        if isinstance(found, str):
            problems.append(Problem(row.number, _said_of_the_last(lines[row.number - first], found)))
        else:
            good.append(row)
            values.append(found)
    return good, values, problems


def _said_of_the_last(line: bytes, reason: str) -> str:
    """A line without its end is the last one, and what is wrong with it is that the file stops there."""
    return reason if line.endswith(b"\n") else f"the file is cut off in its last line ({reason})"
