"""Labelled faces as arrays: the values that all readers of this package return, and FER2013's and FER+'s CSV files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import ExperimentError, suggest_name
from mien.labels import EMOTIONS, VOTES

#: Width and height of a face of FER2013 in pixels.
SIDE = 48
TRAINING, PUBLIC, PRIVATE = "Training", "PublicTest", "PrivateTest"
USAGES = (TRAINING, PUBLIC, PRIVATE)
#: The names of synthetic faces begin with it: files without "fer2013" in their name are not mistaken for FER2013.
SYNTHETIC = "synthetic"
SYNTHETIC_TABLE, SYNTHETIC_VOTES = f"{SYNTHETIC}.csv", f"{SYNTHETIC}_votes.csv"
#: What an annotator of FER+ could vote for: the eight expressions in our order, "unknown", and "nf" (no face).
VOTE_CATEGORIES = (*VOTES, "unknown", "nf")

#: Called with the amount that is done and the total, in bytes, files or faces.
Progress = Callable[[int, int], None]
#: Labels of a data set mapped to ours; an empty label excludes the class.
LabelMap = Mapping[str, str]


@dataclass(frozen=True)
class Problem:
    """A row that was excluded, counted from 1 without the header (0: not a single row), and the reason."""

    row: int
    reason: str


@dataclass(frozen=True)
class FaceDataset:
    """Labelled gray faces.

    ``pixels`` uint8 (N, 48, 48); ``labels`` int64 (N,), an index into ``classes``; ``usage`` (N,), the name of the
    split; ``votes`` int16 (N, 10), annotator votes for each of VOTE_CATEGORIES, all zero without annotators;
    ``problems`` are the rows that could not be read; ``groups`` (N,) names the group of each face (a person, a
    photograph), None where no group column was requested; ``synthetic``: faces among them are drawn, not photographed.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    usage: NDArray[np.str_]
    votes: NDArray[np.int16]
    problems: tuple[Problem, ...] = ()
    classes: tuple[str, ...] = EMOTIONS
    groups: NDArray[np.str_] | None = None
    synthetic: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.generic]) -> FaceDataset:
        """The faces at these indices or where this mask is true, without the problems."""
        arrays = (self.pixels[which], self.labels[which], self.usage[which], self.votes[which])
        groups = None if self.groups is None else self.groups[which]
        return FaceDataset(*arrays, classes=self.classes, groups=groups, synthetic=self.synthetic)

    def only(self, classes: tuple[str, ...]) -> FaceDataset:
        """The faces of these classes; labels are indices into them. A ExperimentError for an unknown class."""
        unknown = [name for name in classes if name not in self.classes]
        if unknown:
            expected = f"one of {', '.join(self.classes)} was expected"
            raise ExperimentError(
                f"The data has no class '{unknown[0]}'", expected, suggest_name(unknown[0], self.classes)
            )
        indices = np.array([classes.index(name) if name in classes else -1 for name in self.classes])
        faces = self.take(indices[self.labels] >= 0)
        return replace(faces, labels=indices[faces.labels], classes=classes)

    def split(self, usage: str) -> FaceDataset:
        """The faces of one split; an ExperimentError where there are none."""
        faces = self.take(self.usage == usage)
        if not len(faces):
            names = ", ".join(sorted(set(self.usage.tolist()))) or "none"
            raise ExperimentError(
                f"The data has no {usage} faces",
                f"its splits are: {names}",
                "PrivateTest is often removed from copies of FER2013",
            )
        return faces

    def vote_scores(self) -> NDArray[np.float32]:
        """The votes for the eight expressions as probabilities, float32 (N, 8); zeros where there is no such vote."""
        counts = self.votes[:, : len(VOTES)].astype(np.float32)
        return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1))

    def label_votes(self) -> NDArray[np.float32]:
        """The votes for the ``classes`` as probabilities, float32 (N, classes); zeros where there is no such vote."""
        columns = [self.votes[:, VOTES.index(name)] if name in VOTES else np.zeros(len(self)) for name in self.classes]
        counts = np.stack(columns, axis=1).astype(np.float32)
        return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1))

    def majority_labels(self, fraction: float = 0.5) -> NDArray[np.int64]:
        """The label that at least this fraction of the annotators chose, int64 (N,); -1 where there is none.

        It is -1 too where two expressions have equally many votes, and where the class is not one of ``classes``.
        """
        expressions = self.votes[:, : len(VOTES)].astype(np.int64)
        most = expressions.max(1, initial=0)
        is_clear = (most >= fraction * self.votes.sum(1)) & (most > 0) & ((expressions == most[:, None]).sum(1) == 1)
        index_of = np.array([self.classes.index(name) if name in self.classes else -1 for name in VOTES])
        return np.where(is_clear, index_of[expressions.argmax(1)], -1)

    def votes_of(self, index: int) -> dict[str, int]:
        """The annotator votes for one face by category, most votes first, without categories that have none."""
        names = (*VOTE_CATEGORIES[:-1], "no face")
        counts = {name: int(count) for name, count in zip(names, self.votes[index], strict=True) if count}
        return dict(sorted(counts.items(), key=lambda each: -each[1]))

    def faceless(self) -> NDArray[np.bool_]:
        """Mask (N,): half of the annotators or more voted for no face."""
        return np.asarray(self.votes[:, -1] * 2 >= np.maximum(self.votes.sum(1), 1))

    def blank(self) -> NDArray[np.bool_]:
        """Mask (N,): all pixels have the same value."""
        flat = self.pixels.reshape(len(self), -1)
        return np.asarray(flat.min(1) == flat.max(1))


@dataclass(frozen=True)
class LoadedDataset:
    """The faces of a file or folder, and where each of them came from.

    ``kind`` is "table", "folders" or "arrays"; ``rows`` int64 (N,) are the row numbers from 1 without the header (for
    folders: the number of the image); ``names`` are the image files below ``path``, empty for other kinds; ``remarks``
    are sentences on how an ambiguous source was understood.
    """

    path: Path
    kind: str
    faces: FaceDataset
    rows: NDArray[np.int64]
    names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.faces)

    def location(self, index: int) -> str:
        """Where the face is in the source: ``row 17``, or the name of the image file."""
        return self.names[index] if self.names else f"row {self.rows[index]}"


def empty_votes(count: int) -> NDArray[np.int16]:
    """Votes (count, 10) of faces without annotators."""
    return np.zeros((count, len(VOTE_CATEGORIES)), np.int16)


def write_csv(faces: FaceDataset, path: Path) -> Path:
    """Write the faces in the format of ``fer2013.csv``; the path."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("emotion,pixels,Usage\n")
        for pixels, label, usage in zip(faces.pixels, faces.labels, faces.usage, strict=True):
            file.write(f"{label},{' '.join(map(str, pixels.ravel()))},{usage}\n")
    return path


def write_votes(faces: FaceDataset, path: Path) -> Path:
    """Write the votes in the format of ``fer2013new.csv`` with the columns in our order; the path."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(["Usage", "Image name", *VOTE_CATEGORIES]) + "\n")
        for number, (usage, votes) in enumerate(zip(faces.usage, faces.votes, strict=True)):
            file.write(",".join([usage, f"fer{number:07}.png", *map(str, votes)]) + "\n")
    return path
