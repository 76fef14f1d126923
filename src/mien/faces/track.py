"""Who is who: the faces of one frame after another, numbered as people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import exp, hypot, inf, log, sqrt

import numpy as np

from mien.faces.assign import assign
from mien.faces.looks import Look, blended, look_of, unlike
from mien.types import Box, Face, Pixels

#: Seconds that somebody may be hidden and keeps the number; until when one is looked for where one should be.
PATIENCE, NEARBY = 2.0, 0.4
#: A face is somebody when the detector is once so sure, or so much in sum over several frames.
SURE, SURE_IN_SUM = 0.8, 1.7
#: How far a face may be from where it was expected, in faces: at once, and more for each second unseen, up to so much.
REACH, REACH_A_SECOND, FARTHEST = 0.9, 3.0, 3.5
#: How much larger or smaller a face may be than expected, as a factor.
GROWTH = 1.8
#: Looks this far apart are two people: where one was just now, and where one comes back after a while.
UNLIKE, UNLIKE_LATER = 0.6, 0.3
#: Who looks this much like somebody who was there a moment ago is the same, even if farther away than anybody moves.
ALIKE, MOMENT = 0.12, 0.25
#: A face so near to where one was expected, in faces, is that one, if nobody else is within so many faces.
THERE, ALONE = 0.4, 1.5
#: Seconds after which the look of somebody is refreshed.
REFRESH = 0.2
#: Seconds over which speed and size are averaged: a detector trembles, and shrinks who is being hidden.
SPEED_OVER, SIZE_OVER = 0.15, 0.3
#: Seconds over which somebody who is out of sight is taken to slow down.
SLOWS_OVER = 0.5


@dataclass(slots=True)
class Person:
    """Somebody in the film. ``number`` is None until it is certain that this is somebody."""

    face: Face
    look: Look
    seen: float
    number: int | None = None
    velocity: tuple[float, float] = (0.0, 0.0)
    size: float = 0.0
    evidence: float = 0.0
    looked: float = 0.0

    @classmethod
    def new(cls, face: Face, look: Look, seconds: float) -> Person:
        return cls(face, look, seconds, size=_size(face.box), evidence=face.detection, looked=seconds)

    @property
    def certain(self) -> bool:
        return self.face.detection >= SURE or self.evidence >= SURE_IN_SUM

    def expected(self, seconds: float) -> Box:
        """Where the face should be, if it goes on as it went."""
        onward = SLOWS_OVER * (1 - exp((self.seen - seconds) / SLOWS_OVER))
        (x, y), (dx, dy), factor = _middle(self.face.box), self.velocity, self.size / _size(self.face.box)
        width, height = self.face.box.width * factor, self.face.box.height * factor
        left, top = round(x + dx * onward - width / 2), round(y + dy * onward - height / 2)
        return Box(left, top, max(round(width), 1), max(round(height), 1))

    def sighted(self, face: Face, seconds: float) -> None:
        gone = max(seconds - self.seen, 1e-3)
        if distance(self.expected(seconds), face.box) > REACH:  # a jump is no speed
            self.velocity = (0.0, 0.0)
        else:
            trust = 1 - exp(-gone / SPEED_OVER)
            (x, y), (to_x, to_y), (dx, dy) = _middle(self.face.box), _middle(face.box), self.velocity
            self.velocity = (dx + trust * ((to_x - x) / gone - dx), dy + trust * ((to_y - y) / gone - dy))
        self.size *= (_size(face.box) / self.size) ** (1 - exp(-gone / SIZE_OVER))
        self.face, self.seen, self.evidence = face, seconds, self.evidence + face.detection

    def looks(self, look: Look, seconds: float) -> None:
        """Remember a look, unless it is another's: somebody half hidden looks like whoever is in front."""
        share = 0.3 * max(1 - unlike(self.look, look) / UNLIKE_LATER, 0.0)
        self.look, self.looked = blended(self.look, look, share), seconds


class Tracker:
    """Gives faces the numbers of people, for one film. Call it frame after frame."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._people: list[Person] = []
        self._given = 0

    def end(self) -> None:
        """Forget everybody: a new shot begins. Numbers are not given twice."""
        self._people = []

    def nearby(self, seconds: float) -> tuple[Box, ...]:
        """Where those who were seen just now should be."""
        return tuple(person.expected(seconds) for person in self._people if seconds - person.seen <= NEARBY)

    def step(self, pixels: Pixels, faces: Sequence[Face], seconds: float) -> tuple[int | None, ...]:
        """A number for each face, in their order; None for one that may be nobody: seen once, and not surely."""
        self._people = [person for person in self._people if seconds - person.seen <= self._wait(person)]
        look = cache(lambda place: look_of(pixels, faces[place].box))
        who = self._who(faces, look, seconds)
        for place, face in enumerate(faces):
            if (person := who.get(place)) is None:
                who[place] = Person.new(face, look(place), seconds)
                self._people.append(who[place])
                continue
            person.sighted(face, seconds)
            if seconds - person.looked >= REFRESH:
                person.looks(look(place), seconds)
        return tuple(self._number(who[place]) for place in range(len(faces)))

    def _wait(self, person: Person) -> float:
        return NEARBY if person.number is None else self._patience

    def _number(self, person: Person) -> int | None:
        if person.number is None and person.certain:
            self._given += 1
            person.number = self._given
        return person.number

    def _who(self, faces: Sequence[Face], look: Callable[[int], Look], seconds: float) -> dict[int, Person]:
        """Which of the known people each face is: who is alone where expected, who is likeliest, who looks the same."""
        who = self._alone(faces, seconds)
        for cost in (_as_expected, _by_look):
            known = {id(person) for person in who.values()}
            people = [person for person in self._people if id(person) not in known]
            left = [place for place in range(len(faces)) if place not in who]
            costs = [[cost(person, faces[place], partial(look, place), seconds) for place in left] for person in people]
            pairs = assign(np.array(costs, np.float64).reshape(len(people), len(left)))
            who |= {left[column]: people[row] for row, column in pairs}
        return who

    def _alone(self, faces: Sequence[Face], seconds: float) -> dict[int, Person]:
        """Those about whom there is no doubt, which in most frames is everybody: their looks need no comparing."""
        if not self._people or not faces:
            return {}
        expected = [person.expected(seconds) for person in self._people]
        far = np.array([[distance(box, face.box) for face in faces] for box in expected])
        near = far < ALONE
        return {
            place: person
            for row, person in enumerate(self._people)
            for place in np.flatnonzero(far[row] < THERE).tolist()
            if near[row].sum() == 1 and near[:, place].sum() == 1 and seconds - person.seen < MOMENT
        }


def _as_expected(person: Person, face: Face, look: Callable[[], Look], seconds: float) -> float:
    """How unlikely it is that this is the person, going on as before; infinite when it cannot be."""
    gone = max(seconds - person.seen - 0.05, 0.0)
    reach = min(REACH + REACH_A_SECOND * gone, FARTHEST)
    expected = person.expected(seconds)
    far, grown = distance(expected, face.box), abs(log(_size(face.box) / _size(expected))) / log(GROWTH)
    if far > reach or grown > 1:
        return inf
    other = unlike(person.look, look())
    return inf if other > max(UNLIKE - gone, UNLIKE_LATER) else far + 0.5 * grown + 4.0 * other


def _by_look(person: Person, face: Face, look: Callable[[], Look], seconds: float) -> float:
    """For somebody who jumped: only looks count."""
    if seconds - person.seen > MOMENT or distance(person.face.box, face.box) > FARTHEST:
        return inf
    other = unlike(person.look, look())
    return other if other < ALIKE else inf


def _middle(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def _size(box: Box) -> float:
    return sqrt(max(box.width * box.height, 1))


def distance(one: Box, other: Box) -> float:
    """Between the middles, in sides of a face."""
    return hypot(*np.subtract(_middle(one), _middle(other))) / sqrt(_size(one) * _size(other))
