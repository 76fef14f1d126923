"""Who is who: faces of one frame after another, numbered as people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

from mien.types import Box, Face


@dataclass(slots=True)
class _Person:
    number: int
    face: Face
    seen: float


class Tracker:
    """Gives faces the numbers of people, for one film. Call it frame after frame."""

    def __init__(self, patience: float = 1.0) -> None:
        self._patience = patience
        self._people: list[_Person] = []
        self._given = 0

    def end(self) -> None:
        """Forget everybody: a new shot begins. Numbers are not given twice."""
        self._people = []

    def step(self, faces: Sequence[Face], seconds: float) -> tuple[int, ...]:
        """A number for each face, in the order of the faces."""
        self._people = [person for person in self._people if seconds - person.seen <= self._patience]
        free = list(self._people)
        numbers = []
        for face in faces:
            near = min(free, key=lambda person: _distance(person.face.box, face.box), default=None)
            if near is None or _distance(near.face.box, face.box) > 1.0:
                self._given += 1
                near = _Person(self._given, face, seconds)
                self._people.append(near)
            else:
                free.remove(near)
            near.face, near.seen = face, seconds
            numbers.append(near.number)
        return tuple(numbers)


def _distance(one: Box, other: Box) -> float:
    """Between the middles, in sides of a face."""
    across = one.x + one.width / 2 - other.x - other.width / 2
    down = one.y + one.height / 2 - other.y - other.height / 2
    return hypot(across, down) / sqrt(max(one.width * other.width, 1))
