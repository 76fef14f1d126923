"""Each person's film in one small value: how long they were seen and judged, and what they showed when.

Its size does not grow with the film: time is divided into steps, and when there are too many, two become one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mien.moments.spans import Span
from mien.moments.steady import Shares
from mien.types import Reading

#: The most steps in which the film's time is divided, and the seconds of a step to begin with.
MOST, FINEST = 480, 0.1

#: Why time of a face has no expression to show, besides the reasons of its quality.
DOUBT = "no expression stands out"


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of time: mean ``shares`` while the face could be judged, and for which part of it that was so."""

    start: float
    end: float
    shares: tuple[float, ...]
    judged: float
    seen: float


@dataclass
class Person:
    """One person in a film. All in seconds; ``unjudged`` by reason; ``looks`` by label, while one stood out."""

    number: int
    first: float
    last: float
    seen: float = 0.0
    judged: float = 0.0
    doubted: float = 0.0
    unjudged: dict[str, float] = field(default_factory=dict)
    looks: dict[str, float] = field(default_factory=dict)
    total: Shares = field(default_factory=lambda: np.zeros(0))

    def shares(self) -> Shares:
        """The mean shares over the time in which the face could be judged; empty when it never could."""
        return self.total / self.judged if self.judged else self.total

    def leading(self) -> list[tuple[str, float]]:
        """Labels by how much of the judged time they led in, longest first, as parts of it."""
        parts = [(label, seconds / self.judged) for label, seconds in self.looks.items() if self.judged]
        return sorted(parts, key=lambda part: -part[1])


class Timeline:
    """Gathers people and their steps, span by span."""

    def __init__(self) -> None:
        self.people: dict[int, Person] = {}
        self.end = 0.0
        self._origin: float | None = None
        self._width = FINEST
        self._steps: dict[int, dict[int, Shares]] = {}

    @property
    def start(self) -> float:
        return self._origin or 0.0

    def add(self, span: Span) -> None:
        if self._origin is None:
            self._origin = span.moment.seconds
        self.end = max(self.end, span.until)
        while (self.end - self.start) / self._width > MOST:
            self._halve()
        for reading in span.moment:
            if reading.track is not None:
                self._count(reading, reading.track, span)

    def steps(self, number: int) -> Iterator[Step]:
        """A person's steps in order; where the person is not seen there are none."""
        for place, cell in sorted(self._steps.get(number, {}).items()):
            *shares, judged, seen = map(float, cell)
            start = self.start + place * self._width
            mean = tuple(share / judged for share in shares) if judged else ()
            yield Step(start, start + self._width, mean, judged / self._width, seen / self._width)

    @property
    def unjudged(self) -> dict[str, float]:
        """Seconds of faces that could not be judged, over all people, by reason, most first."""
        reasons: dict[str, float] = {}
        for person in self.people.values():
            for reason, seconds in person.unjudged.items():
                reasons[reason] = reasons.get(reason, 0.0) + seconds
        return dict(sorted(reasons.items(), key=lambda part: -part[1]))

    def by_presence(self) -> list[Person]:
        """People by how long they were seen, longest first."""
        return sorted(self.people.values(), key=lambda person: -person.seen)

    def _count(self, reading: Reading, number: int, span: Span) -> None:
        start, length = span.moment.seconds, span.seconds
        person = self.people.setdefault(number, Person(number, start, start))
        person.last, person.seen = span.until, person.seen + length
        shares = np.array([share.share for share in reading.emotions.shares])
        if reading.quality.ok:
            _judge(person, reading, shares, length)
        else:
            reason = kind_of(reading.quality.reason)
            person.unjudged[reason] = person.unjudged.get(reason, 0.0) + length
        self._spread(number, shares, reading.quality.ok, start, span.until)

    def _spread(self, number: int, shares: Shares, judged: bool, start: float, until: float) -> None:
        """A long frame covers several steps, each for its part."""
        steps = self._steps.setdefault(number, {})
        first, last = (int((second - self.start) / self._width + 1e-9) for second in (start, until))
        for place in range(first, last + 1):
            begins = self.start + place * self._width
            part = min(until, begins + self._width) - max(start, begins)
            if part > 1e-9:
                cell = np.append(shares * part, (part, part)) if judged else np.append(shares * 0, (0, part))
                steps[place] = steps[place] + cell if place in steps else cell

    def _halve(self) -> None:
        self._width *= 2
        for number, steps in self._steps.items():
            merged: dict[int, Shares] = {}
            for place, cell in steps.items():
                half = place // 2
                merged[half] = merged[half] + cell if half in merged else cell
            self._steps[number] = merged


def _judge(person: Person, reading: Reading, shares: Shares, length: float) -> None:
    person.judged += length
    person.total = person.total + shares * length if len(person.total) else shares * length
    if reading.emotions.uncertain:
        person.doubted += length
    else:
        label = reading.emotions.top
        person.looks[label] = person.looks.get(label, 0.0) + length


def kind_of(reason: str | None) -> str:
    """A reason without its numbers, so that frames can be counted by it."""
    return re.sub(r"only \d+ pixels wide", "too small", reason or "the face is not clear")
