"""FER+'s ``fer2013new.csv``: the votes of ten annotators for each face of FER2013."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import SYNTHETIC, VOTE_CATEGORIES, LoadedDataset, Problem
from mien.datasets.label_maps import normalize_usage
from mien.labels import normalize_label

FILE_NAME = "fer2013new.csv"
#: FER+'s own column order, which arrays of votes keep.
COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "nf",
)


def to_vote_categories(votes: NDArray[np.generic], columns: Iterable[str] = COLUMNS) -> NDArray[np.int16]:
    """Votes (N, 10) in the order of VOTE_CATEGORIES, from the order of these columns."""
    indices = {normalize_label(name): index for index, name in enumerate(columns)}
    return votes[:, [indices[category] for category in VOTE_CATEGORIES]].astype(np.int16)


def to_ferplus_columns(votes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Votes (N, 10) in FER+'s column order, from the order of VOTE_CATEGORIES."""
    return votes[:, [VOTE_CATEGORIES.index(normalize_label(name)) for name in COLUMNS]]


def add_votes(loaded: LoadedDataset, path: Path) -> LoadedDataset:
    """The same faces with their votes; a problem instead where the rows of the two files do not match."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = list(csv.reader(file)) or [[]]
        body = [row for row in lines if row]
        counts = np.array([row[2:12] for row in body], np.int16).reshape(-1, len(VOTE_CATEGORIES))
        votes = to_vote_categories(counts, [column.strip() for column in header[2:12]])
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError) as error:
        return _with_problem(loaded, f"{path.name} is not FER+'s table ({error})")
    indices = _match_names(loaded, body) if loaded.names else _match_rows(loaded, body)
    if isinstance(indices, str):
        return _with_problem(loaded, f"{path.name} {indices}")
    return replace(loaded, faces=replace(loaded.faces, votes=votes[indices]))


def _with_problem(loaded: LoadedDataset, reason: str) -> LoadedDataset:
    problem = Problem(0, f"{reason}: its votes were not used")
    return replace(loaded, faces=replace(loaded.faces, problems=(*loaded.faces.problems, problem)))


def _match_rows(loaded: LoadedDataset, body: Sequence[list[str]]) -> NDArray[np.int64] | str:
    """The index of each face's votes, or why there is none.

    FER+ has the rows of FER2013 in the same order, unreadable rows included. The faces may be fewer at the end, as
    where PrivateTest was removed. The split of each row must agree: otherwise the order is another one.
    """
    total = max([int(loaded.rows[-1]), *(problem.row for problem in loaded.faces.problems)])
    if len(body) < total:
        return f"has {len(body):,} rows and the faces are {total:,}"
    usage = np.array([normalize_usage(row[0]) for row in body])[loaded.rows - 1]
    if different := np.flatnonzero(usage != loaded.faces.usage).tolist():
        row = int(loaded.rows[different[0]])
        return f"says {usage[different[0]]} of row {row:,}, and the faces say {loaded.faces.usage[different[0]]}"
    return loaded.rows - 1


def _match_names(loaded: LoadedDataset, body: Sequence[list[str]]) -> NDArray[np.int64] | str:
    """The same for images named by split and FER2013's row, ``Training_17.png``, or by FER+, ``fer0000017.png``."""
    rows = {_row_number(row[1]): (index, normalize_usage(row[0])) for index, row in enumerate(body) if row[1].strip()}
    matches = [rows.get(_row_number(name)) for name in loaded.names]
    indices = [match[0] for match in matches if match is not None]
    same_splits = (_has_split(name, match[1]) for name, match in zip(loaded.names, matches, strict=True) if match)
    if len(indices) < len(matches) or not all(same_splits):
        return "names other images than those in the folders"
    return np.array(indices, np.int64)


def _row_number(name: str) -> int:
    digits = re.findall(r"[0-9]+", PurePath(name).stem)
    return int(digits[-1]) if digits and len(digits[-1]) < 10 else -1


def _has_split(name: str, usage: str) -> bool:
    stem = PurePath(name).stem.removeprefix(f"{SYNTHETIC}_")
    return stem.startswith("fer") or normalize_usage(stem.partition("_")[0]) == usage
