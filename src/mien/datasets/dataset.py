"""FER2013 and FER+ as arrays: what faces with labels are, which are twins, who learns and who is held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError, nearest
from mien.labels import EMOTIONS, VOTES
from mien.training.recipe import Recipe

SIDE = 48
TRAINING, PUBLIC, PRIVATE = "Training", "PublicTest", "PrivateTest"
USAGES = (TRAINING, PUBLIC, PRIVATE)
#: What people could say of a face in FER+: our eight expressions, in our order, then these two.
VOTE_CATEGORIES = (*VOTES, "unknown", "nf")


@dataclass(frozen=True)
class Problem:
    """One row that was left out, counted from 1 without the header, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class FaceDataset:
    """Labelled gray faces.

    ``pixels`` uint8 (N, 48, 48); ``labels`` int64 (N,), an index into ``classes``; ``usage`` (N,) words, the official
    split; ``votes`` int16 (N, 10), how many people gave each of ANSWERS, all zero where nobody was asked; ``groups``
    (N,) words of who is who, None where nobody asked for them.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    usage: NDArray[np.str_]
    votes: NDArray[np.int16]
    problems: tuple[Problem, ...] = ()
    classes: tuple[str, ...] = EMOTIONS
    groups: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.generic]) -> FaceDataset:
        """The faces at these places, or where this mask is true; problems belong to the file and are left behind."""
        parts = (self.pixels[which], self.labels[which], self.usage[which], self.votes[which])
        groups = None if self.groups is None else self.groups[which]
        return FaceDataset(*parts, classes=self.classes, groups=groups)

    def only(self, classes: tuple[str, ...]) -> FaceDataset:
        """The faces of these classes, in this order; labels count along it."""
        unknown = [name for name in classes if name not in self.classes]
        if unknown:
            there = f"known are {', '.join(self.classes)}"
            raise LabError(f"The data has no class '{unknown[0]}'", there, nearest(unknown[0], self.classes))
        places = np.array([classes.index(name) if name in classes else -1 for name in self.classes])
        found = self.take(places[self.labels] >= 0)
        return replace(found, labels=places[found.labels], classes=classes)

    def split(self, usage: str) -> FaceDataset:
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


def load_faces(path: str | Path) -> FaceDataset:
    """The faces at a path, whatever their shape, with FER+ votes where they lie beside: see :mod:`mien.datasets.loading`."""
    from mien.datasets import loading  # which makes its faces of what stands here

    return loading.load_dataset(path).faces


def group_duplicates(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A number for each face, the same for faces with the same pixels, int64 (N,)."""
    rows = np.ascontiguousarray(pixels.reshape(len(pixels), -1))
    keys = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, numbers = np.unique(keys, return_inverse=True)
    return np.asarray(numbers.ravel(), np.int64)


def mask_without_duplicates(faces: FaceDataset, usage: str) -> NDArray[np.bool_]:
    """Which faces of that split stand in no other split, bool over the faces of the split."""
    numbers = group_duplicates(faces.pixels)
    inside = faces.usage == usage
    return ~np.isin(numbers[inside], numbers[~inside])


def sample_validation(faces: FaceDataset, count: int, seed: int = 0) -> NDArray[np.bool_]:
    """A mask over ``faces`` that keeps ``count`` Training faces aside, classes in proportion.

    Only faces that have no twin anywhere and on which the voters saw a face: a fair sample of what the net never saw.
    """
    numbers = group_duplicates(faces.pixels)
    alone = np.bincount(numbers)[numbers] == 1
    fit = np.flatnonzero(alone & (faces.usage == TRAINING) & ~faces.blank() & ~faces.faceless())
    mask = np.zeros(len(faces), bool)
    mask[_in_proportion(fit, faces.labels[fit], count, np.random.default_rng(seed))] = True
    return mask


def split_training_validation(recipe: Recipe, faces: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """The Training faces of the recipe's classes to learn from, and those held out; other splits are in neither."""
    from mien.datasets.splits import select_validation  # which stands on what stands here

    faces = faces.only(recipe.data.classes)
    aside = select_validation(recipe.data, faces)
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


def write_csv(faces: FaceDataset, path: Path) -> Path:
    """The faces in the shape of ``fer2013.csv``; the path."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("emotion,pixels,Usage\n")
        for pixels, label, usage in zip(faces.pixels, faces.labels, faces.usage, strict=True):
            file.write(f"{label},{' '.join(map(str, pixels.ravel()))},{usage}\n")
    return path


def write_votes(faces: FaceDataset, path: Path) -> Path:
    """The votes in the shape of ``fer2013new.csv``, in our column order, which reading follows; the path."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(["Usage", "Image name", *VOTE_CATEGORIES]) + "\n")
        for number, (usage, votes) in enumerate(zip(faces.usage, faces.votes, strict=True)):
            file.write(",".join([usage, f"fer{number:07}.png", *map(str, votes)]) + "\n")
    return path


# ==== mien.lab.sources.source
# What reading gives: the faces, where each came from, and what could not be read.

__all__ = [
    "PRIVATE",
    "PUBLIC",
    "SIDE",
    "TRAINING",
    "USAGES",
    "VOTE_CATEGORIES",
    "FaceDataset",
    "LoadedDataset",
    "Problem",
    "Progress",
]

#: Told how much is done and how much there is, in bytes or in files.
Progress = Callable[[int, int], None]
#: Other people's words for a class to ours; an empty word leaves the class out.
LabelMap = Mapping[str, str]


@dataclass(frozen=True)
class LoadedDataset:
    """Faces as they were found.

    ``shape`` is "table", "folders" or "arrays"; ``rows`` int64 (N,) counts each face's row from 1 without the header
    (for folders: its place among the pictures); ``names`` are the pictures' files below ``path``, empty for other
    shapes; ``groups`` (N,) are the words of the group column, None where none was asked for; ``remarks`` tell how
    something was understood that could have meant something else. Faults are in ``faces.problems``.
    """

    path: Path
    shape: str
    faces: FaceDataset
    rows: NDArray[np.int64]
    names: tuple[str, ...] = ()
    groups: NDArray[np.str_] | None = None
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.faces)

    def place(self, index: int) -> str:
        """Where a person finds this face: ``row 17``, or the picture's file."""
        return self.names[index] if self.names else f"row {self.rows[index]}"

    def remarked(self, *remarks: str) -> LoadedDataset:
        return replace(self, remarks=(*self.remarks, *remarks))

    def troubled(self, *problems: Problem) -> LoadedDataset:
        return replace(self, faces=replace(self.faces, problems=(*self.faces.problems, *problems)))


def empty_votes(count: int) -> NDArray[np.int16]:
    return np.zeros((count, len(VOTE_CATEGORIES)), np.int16)
