"""FER2013 and FER+ as arrays: read, checked, split.

Shapes: ``fer2013.csv`` (emotion, pixels, Usage; also with spaces in the column names), ``fer2013.npz`` (pixels,
emotion, usage), and FER+'s ``fer2013new.csv`` beside either, which has the same rows in the same order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError, nearest
from mien.lab.recipe import Recipe
from mien.labels import EMOTIONS, VOTES, canonical

SIDE = 48
PIXELS = SIDE * SIDE
TRAINING, PUBLIC, PRIVATE = "Training", "PublicTest", "PrivateTest"
USAGES = (TRAINING, PUBLIC, PRIVATE)
#: What people could say of a face in FER+: our eight expressions, in our order, then these two.
ANSWERS = (*VOTES, "unknown", "nf")
_FER_PLUS = "fer2013new.csv"


@dataclass(frozen=True)
class Problem:
    """One row that was left out, counted from 1 without the header, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class Faces:
    """Labelled gray faces.

    ``pixels`` uint8 (N, 48, 48); ``labels`` int64 (N,), an index into ``classes``; ``usage`` (N,) words, the official
    split; ``votes`` int16 (N, 10), how many people gave each of ANSWERS, all zero where nobody was asked.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    usage: NDArray[np.str_]
    votes: NDArray[np.int16]
    problems: tuple[Problem, ...] = ()
    classes: tuple[str, ...] = EMOTIONS

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.generic]) -> Faces:
        """The faces at these places, or where this mask is true; problems belong to the file and are left behind."""
        parts = (self.pixels[which], self.labels[which], self.usage[which], self.votes[which])
        return Faces(*parts, classes=self.classes)

    def only(self, classes: tuple[str, ...]) -> Faces:
        """The faces of these classes, in this order; labels count along it."""
        unknown = [name for name in classes if name not in self.classes]
        if unknown:
            there = f"known are {', '.join(self.classes)}"
            raise LabError(f"The data has no class '{unknown[0]}'", there, nearest(unknown[0], self.classes))
        places = np.array([classes.index(name) if name in classes else -1 for name in self.classes])
        found = self.take(places[self.labels] >= 0)
        return replace(found, labels=places[found.labels], classes=classes)

    def split(self, usage: str) -> Faces:
        """The faces of one official split; a LabError where there are none."""
        found = self.take(self.usage == usage)
        if not len(found):
            there = ", ".join(sorted(set(self.usage.tolist()))) or "none"
            raise LabError(
                f"The data has no {usage} faces",
                f"its splits are: {there}",
                "PrivateTest is often stripped from copies of FER2013",
            )
        return found

    def vote_shares(self) -> NDArray[np.float32]:
        """Shares of the eight expressions among the voters who named one, float32 (N, 8); zeros where nobody did."""
        counts = self.votes[:, : len(VOTES)].astype(np.float32)
        return counts / np.maximum(counts.sum(1, keepdims=True), 1)

    def faceless(self) -> NDArray[np.bool_]:
        """Where half of the voters or more saw no face, bool (N,)."""
        return self.votes[:, -1] * 2 >= np.maximum(self.votes.sum(1), 1)

    def blank(self) -> NDArray[np.bool_]:
        """Where all pixels are the same, bool (N,)."""
        flat = self.pixels.reshape(len(self), -1)
        return np.asarray(flat.min(1) == flat.max(1))


def read(path: str | Path) -> Faces:
    """The faces in a ``.csv`` or ``.npz`` file, with FER+ votes where ``fer2013new.csv`` lies beside it."""
    path = Path(path)
    if not path.is_file():
        raise LabError(
            f"There is no data at {path}",
            "fer2013.csv or fer2013.npz was expected",
            "Get FER2013 from Kaggle, see the guide",
        )
    faces = _read_npz(path) if path.suffix == ".npz" else _read_csv(path)
    voted = path.with_name(_FER_PLUS)
    if faces.votes.any() or not voted.is_file():
        return faces
    return _with_votes(faces, voted)


def twins(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A number for each face, the same for faces with the same pixels, int64 (N,)."""
    rows = np.ascontiguousarray(pixels.reshape(len(pixels), -1))
    keys = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, numbers = np.unique(keys, return_inverse=True)
    return np.asarray(numbers.ravel(), np.int64)


def without_twins(faces: Faces, usage: str) -> NDArray[np.bool_]:
    """Which faces of that split stand in no other split, bool over the faces of the split."""
    numbers = twins(faces.pixels)
    inside = faces.usage == usage
    return ~np.isin(numbers[inside], numbers[~inside])


def hold_out(faces: Faces, count: int, seed: int = 0) -> NDArray[np.bool_]:
    """A mask over ``faces`` that keeps ``count`` Training faces aside, classes in proportion.

    Only faces that have no twin anywhere and on which the voters saw a face: a fair sample of what the net never saw.
    """
    numbers = twins(faces.pixels)
    alone = np.bincount(numbers)[numbers] == 1
    fit = np.flatnonzero(alone & (faces.usage == TRAINING) & ~faces.blank() & ~faces.faceless())
    mask = np.zeros(len(faces), bool)
    mask[_in_proportion(fit, faces.labels[fit], count, np.random.default_rng(seed))] = True
    return mask


def divide(recipe: Recipe, faces: Faces) -> tuple[Faces, Faces]:
    """The Training faces of the recipe's classes to learn from, and those held out; other splits are in neither."""
    faces = faces.only(recipe.data.classes)
    aside = hold_out(faces, recipe.data.held_out)
    learned = (faces.usage == TRAINING) & ~aside & ~faces.blank()
    if recipe.data.drop_non_faces:
        learned &= ~faces.faceless()
    return faces.take(learned), faces.take(aside)


def _in_proportion(
    places: NDArray[np.int64], labels: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """``count`` places, classes in proportion: shuffled within each class, spread evenly, then cut."""
    rank = np.empty(len(places))
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        rank[rng.permutation(inside)] = (np.arange(len(inside)) + rng.random()) / len(inside)
    return places[np.argsort(rank, kind="stable")[:count]]


def _read_npz(path: Path) -> Faces:
    with np.load(path, allow_pickle=False) as file:
        missing = [name for name in ("pixels", "emotion", "usage") if name not in file]
        if missing:
            raise LabError(f"{path.name} has no {', '.join(missing)}", "pixels, emotion and usage were expected", "")
        pixels, labels = file["pixels"].astype(np.uint8), file["emotion"].astype(np.int64)
        votes = _ours(file["votes"]) if "votes" in file else np.zeros((len(labels), len(ANSWERS)), np.int16)
        return Faces(pixels, labels, file["usage"].astype(np.str_), votes)


#: FER+'s own column order, which the npz keeps.
_FER_PLUS_COLUMNS = (
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


def _ours(votes: NDArray[np.generic], columns: Iterable[str] = _FER_PLUS_COLUMNS) -> NDArray[np.int16]:
    places = {canonical(name): place for place, name in enumerate(columns)}
    return votes[:, [places[answer] for answer in ANSWERS]].astype(np.int16)


def _read_csv(path: Path) -> Faces:
    with path.open("rb") as file:
        columns = [
            name.strip().strip('"').lower() for name in file.readline().decode("utf-8-sig", "replace").split(",")
        ]
        missing = [name for name in ("emotion", "pixels", "usage") if name not in columns]
        if missing:
            raise LabError(
                f"{path.name} is not FER2013: it has no column {', '.join(missing)}",
                "emotion, pixels, Usage were expected",
                "",
            )
        places = [columns.index(name) for name in ("emotion", "pixels", "usage")]
        return _gathered(_rows(file, places))


def _rows(lines: Iterable[bytes], places: list[int]) -> Iterator[tuple[int, NDArray[np.uint8], str] | str]:
    """Each row as label, pixels and usage, or, where it cannot be one, the reason."""
    for line in lines:
        cells = line.replace(b'"', b"").strip().split(b",")
        yield (
            _row(*(cells[place] for place in places))
            if len(cells) > max(places)
            else "too few columns, cut off perhaps"
        )


def _row(emotion: bytes, pixels: bytes, usage: bytes) -> tuple[int, NDArray[np.uint8], str] | str:
    if not emotion.strip().isdigit() or int(emotion) >= len(EMOTIONS):
        return f"label {emotion.decode('utf-8', 'replace')!r} is none of 0 to {len(EMOTIONS) - 1}"
    if pixels.translate(None, b"0123456789 "):
        return "pixels that are no numbers"
    values = np.fromstring(pixels, np.int64, sep=" ")
    if len(values) != PIXELS:
        return f"{len(values)} pixels instead of {PIXELS}"
    if values.max() > 255:
        return "pixels outside 0 to 255"
    return int(emotion), values.astype(np.uint8), usage.decode("utf-8", "replace").strip()


def _gathered(rows: Iterable[tuple[int, NDArray[np.uint8], str] | str]) -> Faces:
    good: list[tuple[int, NDArray[np.uint8], str]] = []
    problems = []
    for number, row in enumerate(rows, start=1):
        if isinstance(row, str):
            problems.append(Problem(number, row))
        else:
            good.append(row)
    if not good:
        raise LabError(
            "The file holds no readable face",
            "rows of emotion, pixels, Usage were expected",
            problems[0].reason if problems else "",
        )
    pixels = np.stack([row[1] for row in good]).reshape(-1, SIDE, SIDE)
    labels = np.array([row[0] for row in good], np.int64)
    return Faces(
        pixels,
        labels,
        np.array([row[2] for row in good]),
        np.zeros((len(good), len(ANSWERS)), np.int16),
        tuple(problems),
    )


def _with_votes(faces: Faces, path: Path) -> Faces:
    """FER+ rows belong to FER2013 rows by place, so a file with lost rows cannot be joined."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    header, body = rows[0], rows[1:]
    if len(body) != len(faces) or faces.problems:
        reason = f"{path.name} has {len(body)} rows and the faces are {len(faces)}"
        return replace(faces, problems=(*faces.problems, Problem(0, f"{reason}: its votes were not used")))
    votes = np.array([row[2:] for row in body], np.int16)
    return replace(faces, votes=_ours(votes, header[2:]))


def write_csv(faces: Faces, path: Path) -> Path:
    """The faces in the shape of ``fer2013.csv``; the path."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("emotion,pixels,Usage\n")
        for pixels, label, usage in zip(faces.pixels, faces.labels, faces.usage, strict=True):
            file.write(f"{label},{' '.join(map(str, pixels.ravel()))},{usage}\n")
    return path


def write_votes(faces: Faces, path: Path) -> Path:
    """The votes in the shape of ``fer2013new.csv``, in our column order, which reading follows; the path."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(["Usage", "Image name", *ANSWERS]) + "\n")
        for number, (usage, votes) in enumerate(zip(faces.usage, faces.votes, strict=True)):
            file.write(",".join([usage, f"fer{number:07}.png", *map(str, votes)]) + "\n")
    return path
