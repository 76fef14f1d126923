"""FER2013 and FER+ as arrays: what faces with labels are, which are twins, who learns and who is held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError, nearest
from mien.lab.recipe import Recipe
from mien.labels import EMOTIONS, VOTES

SIDE = 48
TRAINING, PUBLIC, PRIVATE = "Training", "PublicTest", "PrivateTest"
USAGES = (TRAINING, PUBLIC, PRIVATE)
#: What people could say of a face in FER+: our eight expressions, in our order, then these two.
ANSWERS = (*VOTES, "unknown", "nf")


@dataclass(frozen=True)
class Problem:
    """One row that was left out, counted from 1 without the header, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class Faces:
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

    def take(self, which: NDArray[np.generic]) -> Faces:
        """The faces at these places, or where this mask is true; problems belong to the file and are left behind."""
        parts = (self.pixels[which], self.labels[which], self.usage[which], self.votes[which])
        groups = None if self.groups is None else self.groups[which]
        return Faces(*parts, classes=self.classes, groups=groups)

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
    """The faces at a path, whatever their shape, with FER+ votes where they lie beside: see :mod:`mien.lab.sources`."""
    from mien.lab import sources  # which makes its faces of what stands here

    return sources.read(path).faces


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
    from mien.lab.splits import held_out  # which stands on what stands here

    faces = faces.only(recipe.data.classes)
    aside = held_out(recipe.data, faces)
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
