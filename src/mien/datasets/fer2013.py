"""``fer2013.csv`` and ``icml_face_data.csv``: one row per face, its 2304 pixels written as decimal numbers.

The 74 million numbers are decoded in batches with whole-array arithmetic: the digit before a space is a unit, the one
before it a ten, the one before that a hundred. NumPy's own text readers are several times slower (30 to 60 MB/s).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mien.datasets import label_maps
from mien.datasets.dataset import (
    PRIVATE,
    PUBLIC,
    SIDE,
    TRAINING,
    FaceDataset,
    LabelMap,
    LoadedDataset,
    Problem,
    Progress,
    empty_votes,
)
from mien.errors import ExperimentError, suggest_name
from mien.labels import EMOTIONS

PIXELS = SIDE * SIDE
#: The number of faces of each of EMOTIONS in each split of the complete data set.
CLASS_COUNTS = {
    TRAINING: (3995, 436, 4097, 7215, 4830, 3171, 4965),
    PUBLIC: (467, 56, 496, 895, 653, 415, 607),
    PRIVATE: (491, 55, 528, 879, 594, 416, 626),
}
#: Bytes of the file per batch, so that the arrays of a batch fit into the processor's cache.
BATCH_BYTES = 1 << 20
_SPACE, _ZERO = np.uint8(32), np.uint8(48)
_COLUMNS = ("emotion", "pixels", "usage")


def decode_pixels(cells: list[bytes]) -> list[NDArray[np.uint8] | str]:
    """For each cell its 2304 pixels, uint8 (2304,), or the reason why it cannot be decoded."""
    pixels = _decode_batch(cells)
    if pixels is not None:
        return list(pixels)
    if len(cells) == 1:
        return [_decode_cell(cells[0])]
    middle = len(cells) // 2
    return decode_pixels(cells[:middle]) + decode_pixels(cells[middle:])


def _decode_batch(cells: list[bytes]) -> NDArray[np.uint8] | None:
    """(N, 2304), or None where a cell has anything but 2304 numbers of 0 to 255 with up to three digits."""
    # Two spaces in front, so that every position has a digit or a space two positions before it.
    text = np.frombuffer(b"".join([b"  ", b" ".join(cells), b" "]), np.uint8)
    values = text - _ZERO
    digit = values < 10
    if np.count_nonzero(digit) + np.count_nonzero(text == _SPACE) != text.size:
        return None
    values *= digit
    units, tens = values[2:-1], values[1:-2]
    hundreds = values[:-3] * digit[1:-2] * digit[2:-1]
    below_hundred = tens * np.uint8(10) + units
    ends = digit[2:-1] > digit[3:]
    too_large = (hundreds > 2).any() or ((hundreds == 2) & (below_hundred > 55)).any()
    too_long = (digit[:-3] & digit[1:-2] & digit[2:-1] & digit[3:]).any()
    if too_large or too_long or not _all_complete(ends, cells):
        return None
    return np.asarray((below_hundred + hundreds * np.uint8(100))[ends].reshape(-1, PIXELS))


def _all_complete(ends: NDArray[np.bool_], cells: list[bytes]) -> bool:
    """Whether every cell has exactly 2304 numbers; ``ends`` marks the last digit of each number."""
    start = 0
    for cell in cells:
        if np.count_nonzero(ends[start : start + len(cell)]) != PIXELS:
            return False
        start += len(cell) + 1
    return True


def _decode_cell(cell: bytes) -> NDArray[np.uint8] | str:
    if cell.translate(None, b"0123456789 \t"):
        return "pixels that are no numbers"
    numbers = [number.lstrip(b"0") for number in cell.split()]
    if len(numbers) != PIXELS:
        return f"{len(numbers)} pixels instead of {PIXELS}"
    if any(len(number) > 3 for number in numbers) or max(int(number or b"0") for number in numbers) > 255:
        return "pixels outside 0 to 255"
    return np.array([int(number or b"0") for number in numbers], np.uint8)


@dataclass(frozen=True)
class _Header:
    """The index of each column; ``usage`` and ``group`` are None where the table has no such column."""

    columns: tuple[str, ...]
    delimiter: bytes
    emotion: int
    pixels: int
    usage: int | None
    group: int | None


@dataclass(frozen=True)
class _Row:
    """A row with a valid label; its pixels are still text."""

    number: int
    label: int
    usage: str
    group: str
    pixels: bytes


def read_csv(path: Path, labels: LabelMap, group: str | None, progress: Progress | None = None) -> LoadedDataset:
    """The faces of a table. Rows without a readable face become problems, counted from 1 without the header."""
    rows: list[_Row] = []
    pixels: list[NDArray[np.uint8]] = []
    problems: list[Problem] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        header = _read_header(file, path.name, group)
        done = file.tell()
        for first, lines in _read_batches(file):
            batch_rows, batch_pixels, batch_problems = _parse_batch(lines, first, header, labels)
            rows += batch_rows
            pixels += [np.stack(batch_pixels).reshape(-1, SIDE, SIDE)] if batch_pixels else []
            problems += batch_problems
            done += sum(map(len, lines))
            if progress:
                progress(done, size)
    if not rows:
        reason = f"Row {problems[0].row}: {problems[0].reason}" if problems else "It has no rows at all"
        raise ExperimentError("The file has no readable face", "rows of emotion, pixels, Usage were expected", reason)
    return _to_dataset(path, header, rows, np.concatenate(pixels), problems)


def _to_dataset(
    path: Path, header: _Header, rows: list[_Row], pixels: NDArray[np.uint8], problems: list[Problem]
) -> LoadedDataset:
    labels = np.array([row.label for row in rows], np.int64)
    included = labels >= 0
    usage = np.array([row.usage for row in rows])
    groups = None if header.group is None else np.array([row.group for row in rows])
    faces = FaceDataset(pixels, labels, usage, empty_votes(len(rows)), groups=groups).take(included)
    remarks = []
    if header.usage is None:
        remarks.append("The table has no column Usage: all of its faces count as Training.")
    if excluded := int((~included).sum()):
        remarks.append(f"The label map excludes {excluded} faces.")
    numbers = np.array([row.number for row in rows], np.int64)[included]
    faces = replace(faces, problems=tuple(problems))
    return LoadedDataset(path, "table", faces, numbers, remarks=tuple(remarks))


def _read_header(file: BinaryIO, name: str, group: str | None) -> _Header:
    line = file.readline(1 << 16).decode("utf-8-sig", "replace")
    delimiter = max(",;\t", key=line.count)
    columns = [column.strip().strip('"').strip().lower() for column in line.split(delimiter)]
    missing = [column for column in _COLUMNS if column not in columns]
    if {"emotion", "pixels"} & set(missing):
        happened = f"{name} is not FER2013: it has no column {', '.join(missing)}"
        raise ExperimentError(happened, "emotion, pixels, Usage were expected", _suggest(columns))
    if group is not None and group.strip().lower() not in columns:
        raise ExperimentError(f"{name} has no column '{group}' to group by", f"It has {', '.join(columns)}", "")
    indices = {column: columns.index(column) for column in reversed(columns)}
    group_index = None if group is None else indices[group.strip().lower()]
    usage = indices.get("usage")
    return _Header(tuple(columns), delimiter.encode(), indices["emotion"], indices["pixels"], usage, group_index)


def _suggest(columns: list[str]) -> str:
    if "pixels" in columns:
        return "Kaggle's test.csv has no labels; train.csv or fer2013.csv has them"
    if "neutral" in columns:
        return "This looks like FER+'s fer2013new.csv, which has votes and no faces: name fer2013.csv beside it"
    return " ".join(filter(None, (suggest_name(column, columns) for column in _COLUMNS)))


def _read_batches(file: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """The number of the first row of each batch, and its lines; empty lines are no rows."""
    first = 1
    while lines := file.readlines(BATCH_BYTES):
        lines = [line for line in lines if not line.isspace()]
        yield first, lines
        first += len(lines)


def _parse_batch(
    lines: list[bytes], first: int, header: _Header, labels: LabelMap
) -> tuple[list[_Row], list[NDArray[np.uint8]], list[Problem]]:
    rows: list[_Row] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=first):
        row = _parse_row(line, number, header, labels)
        if isinstance(row, _Row):
            rows.append(row)
        else:
            problems.append(Problem(number, _mention_truncation(line, row)))
    decoded_rows, pixels = [], []
    for row, values in zip(rows, decode_pixels([row.pixels for row in rows]) if rows else [], strict=True):
        if isinstance(values, str):
            problems.append(Problem(row.number, _mention_truncation(lines[row.number - first], values)))
        else:
            decoded_rows.append(row)
            pixels.append(values)
    return decoded_rows, pixels, sorted(problems, key=lambda problem: problem.row)


def _parse_row(line: bytes, number: int, header: _Header, labels: LabelMap) -> _Row | str:
    """The row, or the reason why it is none."""
    cells = _split_cells(line, header)
    if len(cells) < len(header.columns):
        return "too few columns, perhaps cut off"
    word = cells[header.emotion].decode("utf-8", "replace").strip()
    label = label_maps.label_of_number(word, labels)
    if label == label_maps.UNKNOWN:
        return f"label {word!r} is none of 0 to {len(EMOTIONS) - 1}"
    usage = TRAINING
    if header.usage is not None:
        usage = label_maps.normalize_usage(cells[header.usage].decode("utf-8", "replace"))
    if not line.endswith(b"\n") and label_maps.is_truncated_usage(usage):
        return f"the split is {usage!r}"
    group = "" if header.group is None else cells[header.group].decode("utf-8", "replace").strip()
    return _Row(number, label, usage, group, cells[header.pixels].strip())


def _split_cells(line: bytes, header: _Header) -> list[bytes]:
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


def _mention_truncation(line: bytes, reason: str) -> str:
    """The reason; for a last line without a line end, that the file is cut off there."""
    return reason if line.endswith(b"\n") else f"the file is cut off in its last line ({reason})"
