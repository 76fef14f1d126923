"""What reading gives: the faces, where each came from, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.lab.data import ANSWERS, PRIVATE, PUBLIC, SIDE, TRAINING, USAGES, Faces, Problem

__all__ = ["ANSWERS", "PRIVATE", "PUBLIC", "SIDE", "TRAINING", "USAGES", "Faces", "Problem", "Progress", "Source"]

#: Told how much is done and how much there is, in bytes or in files.
Progress = Callable[[int, int], None]
#: Other people's words for a class to ours; an empty word leaves the class out.
LabelMap = Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """Faces as they were found.

    ``shape`` is "table", "folders" or "arrays"; ``rows`` int64 (N,) counts each face's row from 1 without the header
    (for folders: its place among the pictures); ``names`` are the pictures' files below ``path``, empty for other
    shapes; ``groups`` (N,) are the words of the group column, None where none was asked for; ``remarks`` tell how
    something was understood that could have meant something else. Faults are in ``faces.problems``.
    """

    path: Path
    shape: str
    faces: Faces
    rows: NDArray[np.int64]
    names: tuple[str, ...] = ()
    groups: NDArray[np.str_] | None = None
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.faces)

    def place(self, index: int) -> str:
        """Where a person finds this face: ``row 17``, or the picture's file."""
        return self.names[index] if self.names else f"row {self.rows[index]}"

    def remarked(self, *remarks: str) -> Source:
        return replace(self, remarks=(*self.remarks, *remarks))

    def troubled(self, *problems: Problem) -> Source:
        return replace(self, faces=replace(self.faces, problems=(*self.faces.problems, *problems)))


def no_votes(count: int) -> NDArray[np.int16]:
    return np.zeros((count, len(ANSWERS)), np.int16)
