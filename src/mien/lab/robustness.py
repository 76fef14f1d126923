"""How much accuracy is left when a face is badly boxed, turned, dark, blurred, compressed, small or half hidden.

Several models are asked about the very same pixels in the same run, so their rows can stand beside each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError
from mien.lab.corruptions import CORRUPTIONS, corrupted
from mien.lab.data import Faces
from mien.lab.evaluate import Answers, answers
from mien.lab.passes import Passes, Progress
from mien.lab.scores import interval
from mien.models import Classifier

#: How often all faces are looked at: as they are, and at every strength of every corruption.
ROUNDS = 1 + sum(len(each.strengths) for each in CORRUPTIONS.values())


@dataclass(frozen=True)
class Row:
    """One corruption at one strength: the accuracy under it, its 95 % interval, and what it is below plain faces."""

    corruption: str
    strength: float
    accuracy: float
    lost: float
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Held:
    """One model: its answers to the faces as they are, and a row for each corruption and strength."""

    answers: Answers
    rows: tuple[Row, ...]


def hold(
    classifiers: Sequence[Classifier], faces: Faces, split: str = "public", progress: Progress | None = None
) -> list[Held]:
    """Every model on the same faces of one split, plain and under everything; models must share their classes."""
    plain = [answers(each, faces, split, augmented=False) for each in classifiers]
    chosen = plain[0].faces
    for each in plain[1:]:
        if each.faces.classes != chosen.classes or len(each.faces) != len(chosen):
            happened = f"{plain[0].card.name} and {each.card.name} know different expressions"
            raise LabError(happened, "models of the same classes were expected", "Measure them one by one")
    tables = _tables(classifiers, chosen, progress)
    return [Held(*pair) for pair in zip(plain, tables, strict=True)]


def robustness(classifier: Classifier, faces: Faces) -> list[Row]:
    """A row for every corruption and strength, after one for the faces as they are, on all of these faces."""
    [rows] = _tables([classifier], faces, None)
    return list(rows)


def _tables(classifiers: Sequence[Classifier], faces: Faces, progress: Progress | None) -> list[tuple[Row, ...]]:
    total = ROUNDS * len(faces) * len(classifiers)
    passes = [Passes(each) for each in classifiers]
    done, rows = 0, [list[Row]() for _ in classifiers]
    for name, strength, pixels in _spoilt(faces.pixels):
        for one, table in zip(passes, rows, strict=True):
            right = one.over(pixels)[0].argmax(1) == faces.labels
            found = float(np.mean(right))
            clean = table[0].accuracy if table else found
            table.append(Row(name, strength, found, clean - found, *interval(right)))
            done += len(pixels)
            if progress:
                progress(done, total)
    return [tuple(table) for table in rows]


def _spoilt(pixels: NDArray[np.uint8]) -> Iterator[tuple[str, float, NDArray[np.uint8]]]:
    """The faces as they are, then under every corruption at every strength."""
    yield "none", 0.0, pixels
    for each in CORRUPTIONS.values():
        for strength in each.strengths:
            yield each.name, strength, corrupted(pixels, each.change, strength)
