"""FER+'s ``fer2013new.csv``: what ten people said of each face, beside the faces or in an array."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import VOTE_CATEGORIES, LoadedDataset, Problem
from mien.datasets.label_maps import normalize_usage
from mien.labels import canonical

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
    """Votes (N, 10) in the order of ANSWERS, whatever the order of their columns."""
    places = {canonical(name): place for place, name in enumerate(columns)}
    return votes[:, [places[answer] for answer in VOTE_CATEGORIES]].astype(np.int16)


def to_ferplus_columns(votes: NDArray[np.int16]) -> NDArray[np.int16]:
    """The reverse: votes (N, 10) in FER+'s own column order."""
    return votes[:, [VOTE_CATEGORIES.index(canonical(name)) for name in COLUMNS]]


def add_votes(source: LoadedDataset, path: Path) -> LoadedDataset:
    """The same faces with their votes. Where rows cannot be told to belong together, a problem says so instead."""
    try:
        header, body = _table(path)
        votes = to_vote_categories(
            np.array([row[2:12] for row in body], np.int16).reshape(-1, len(VOTE_CATEGORIES)), header[2:12]
        )
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError) as error:
        return source.troubled(Problem(0, f"{path.name} is not FER+'s table ({error}): its votes were not used"))
    places = _by_name(source, body) if source.names else _by_row(source, body)
    if isinstance(places, str):
        return source.troubled(Problem(0, f"{path.name} {places}: its votes were not used"))
    return replace(source, faces=replace(source.faces, votes=votes[places]))


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        header, *body = list(csv.reader(file)) or [[]]
    return [column.strip() for column in header], [row for row in body if row]


def _by_row(source: LoadedDataset, body: Sequence[list[str]]) -> NDArray[np.int64] | str:
    """FER+ has the rows of FER2013 in FER2013's order, so a face's row is its place; rows left out count too.

    Faces at whose end some are missing, as where PrivateTest was stripped, have their votes all the same. Each must be
    of the split that FER+ says it is of: in another order they are not those that were voted on.
    """
    total = max([int(source.rows[-1]), *(problem.row for problem in source.faces.problems)])
    if len(body) < total:
        return f"has {len(body):,} rows and the faces are {total:,}"
    theirs = np.array([normalize_usage(row[0]) for row in body])[source.rows - 1]
    if strange := np.flatnonzero(theirs != source.faces.usage).tolist():
        row = int(source.rows[strange[0]])
        return f"says {theirs[strange[0]]} of row {row:,}, and the faces say {source.faces.usage[strange[0]]}"
    return source.rows - 1


def _by_name(source: LoadedDataset, body: Sequence[list[str]]) -> NDArray[np.int64] | str:
    """Pictures that are named by split and FER2013's row, ``Training_17.png``, or by FER+, ``fer0000017.png``."""
    known = {_number(row[1]): (place, normalize_usage(row[0])) for place, row in enumerate(body) if row[1].strip()}
    found = [known.get(_number(name)) for name in source.names]
    if None in found or not all(map(_same_split, source.names, (usage for _, usage in filter(None, found)))):
        return "names other pictures than those in the folders"
    return np.array([place for place, _ in filter(None, found)], np.int64)


def _number(name: str) -> int:
    digits = re.findall(r"[0-9]+", PurePath(name).stem)
    return int(digits[-1]) if digits and len(digits[-1]) < 10 else -1


def _same_split(name: str, usage: str) -> bool:
    stem = PurePath(name).stem
    return stem.startswith("fer") or normalize_usage(stem.partition("_")[0]) == usage
