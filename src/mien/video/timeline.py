"""Each person's film in one small value: how long they were seen and judged, and what they showed when.

Its size does not grow with the film: time is divided into steps, and when there are too many, two become one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mien.results import AnalyzedFrame, Reading
from mien.video.baseline import Baseline
from mien.video.events import Event, EventDetector, FrameTimer, TimedFrame
from mien.video.smoothing import DecisionRule, ScoreArray, Smoother

#: The most steps in which the film's time is divided, and the seconds of a step to begin with.
MAX_STEPS, MIN_STEP_SECONDS = 480, 0.1

#: Why time of a face has no expression to show, besides the reasons of its quality.
UNCERTAIN_REASON = "no expression stands out"


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """A stretch of time: mean ``shares`` while the face could be judged, and for which part of it that was so."""

    start: float
    end: float
    shares: tuple[float, ...]
    judged: float
    seen: float


@dataclass
class TrackSummary:
    """One person in a film. All in seconds; ``unjudged`` by reason; ``looks`` by label, while one stood out."""

    number: int
    first: float
    last: float
    seen: float = 0.0
    judged: float = 0.0
    doubted: float = 0.0
    unjudged: dict[str, float] = field(default_factory=dict)
    looks: dict[str, float] = field(default_factory=dict)
    total: ScoreArray = field(default_factory=lambda: np.zeros(0))

    def shares(self) -> ScoreArray:
        """The mean shares over the time in which the face could be judged; empty when it never could."""
        return self.total / self.judged if self.judged else self.total

    def leading(self) -> list[tuple[str, float]]:
        """Labels by how much of the judged time they led in, longest first, as parts of it."""
        parts = [(label, seconds / self.judged) for label, seconds in self.looks.items() if self.judged]
        return sorted(parts, key=lambda part: -part[1])


class Timeline:
    """Gathers people and their steps, span by span."""

    def __init__(self) -> None:
        self.people: dict[int, TrackSummary] = {}
        self.end = 0.0
        self._origin: float | None = None
        self._width = MIN_STEP_SECONDS
        self._steps: dict[int, dict[int, ScoreArray]] = {}

    @property
    def start(self) -> float:
        return self._origin or 0.0

    def add(self, span: TimedFrame) -> None:
        if self._origin is None:
            self._origin = span.moment.seconds
        self.end = max(self.end, span.until)
        while (self.end - self.start) / self._width > MAX_STEPS:
            self._halve()
        for reading in span.moment:
            if reading.track is not None:
                self._count(reading, reading.track, span)

    def steps(self, number: int) -> Iterator[TimelineStep]:
        """A person's steps in order; where the person is not seen there are none."""
        for place, cell in sorted(self._steps.get(number, {}).items()):
            *shares, judged, seen = map(float, cell)
            start = self.start + place * self._width
            mean = tuple(share / judged for share in shares) if judged else ()
            yield TimelineStep(start, start + self._width, mean, judged / self._width, seen / self._width)

    @property
    def unjudged(self) -> dict[str, float]:
        """Seconds of faces that could not be judged, over all people, by reason, most first."""
        reasons: dict[str, float] = {}
        for person in self.people.values():
            for reason, seconds in person.unjudged.items():
                reasons[reason] = reasons.get(reason, 0.0) + seconds
        return dict(sorted(reasons.items(), key=lambda part: -part[1]))

    def by_presence(self) -> list[TrackSummary]:
        """People by how long they were seen, longest first."""
        return sorted(self.people.values(), key=lambda person: -person.seen)

    def _count(self, reading: Reading, number: int, span: TimedFrame) -> None:
        start, length = span.moment.seconds, span.seconds
        person = self.people.setdefault(number, TrackSummary(number, start, start))
        person.last, person.seen = span.until, person.seen + length
        shares = np.array([share.score for share in reading.emotions.scores])
        if reading.quality.ok:
            _judge(person, reading, shares, length)
        else:
            reason = reason_category(reading.quality.reason)
            person.unjudged[reason] = person.unjudged.get(reason, 0.0) + length
        self._spread(number, shares, reading.quality.ok, start, span.until)

    def _spread(self, number: int, shares: ScoreArray, judged: bool, start: float, until: float) -> None:
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
            merged: dict[int, ScoreArray] = {}
            for place, cell in steps.items():
                half = place // 2
                merged[half] = merged[half] + cell if half in merged else cell
            self._steps[number] = merged


def _judge(person: TrackSummary, reading: Reading, shares: ScoreArray, length: float) -> None:
    person.judged += length
    person.total = person.total + shares * length if len(person.total) else shares * length
    if reading.emotions.uncertain:
        person.doubted += length
    else:
        label = reading.emotions.top
        person.looks[label] = person.looks.get(label, 0.0) + length


def reason_category(reason: str | None) -> str:
    """A reason without its numbers, so that frames can be counted by it."""
    return re.sub(r"only \d+ pixels wide", "too small", reason or "the face is not clear")


# ==== mien.moments.record
# What a film showed, gathered as it goes by: steadied moments, events, people and their timeline.


class SmoothedFrame(NamedTuple):
    """One moment steadied, as it was ``read``, until when it lasts, and the events that were found to be over."""

    moment: AnalyzedFrame
    read: AnalyzedFrame
    until: float
    events: tuple[Event, ...]


class VideoSummary:
    """One film's record. ``follow`` is fed the moments and hands them on; the rest fills as it goes.

    It holds no pixels, and its size depends on the people in the film and their events, not on its length.
    """

    def __init__(self, judge: DecisionRule, baseline: Baseline | None = None) -> None:
        """``judge`` is the rules of the model's card; ``baseline`` has learned what people look like at rest."""
        self.timeline = Timeline()
        self.events: list[Event] = []
        #: The events that only the end of the film ended.
        self.last: tuple[Event, ...] = ()
        self.frames = 0
        self.size = (0, 0)
        self._judge, self._baseline = judge, baseline
        self._finder, self._behind, self._steadier = EventDetector(), FrameTimer(), Smoother(judge)

    def follow(self, moments: Iterable[AnalyzedFrame]) -> Iterator[SmoothedFrame]:
        """Each moment when it is known how long it lasts."""
        for moment in moments:
            if over := self._behind.step(moment):
                yield self._told(over)
        yield from self.rest()

    def rest(self) -> Iterator[SmoothedFrame]:
        """The moment that is still held, for one who stopped following in the middle."""
        if over := self._behind.last():
            yield self._told(over)

    def finish(self) -> tuple[Event, ...]:
        """The film is over, or was left: close what is open. Calling it again changes nothing."""
        over = self._finder.finish()
        self.last += over
        self.events.extend(over)
        self.events.sort(key=lambda event: (event.start, event.person))
        return over

    def current(self, person: int) -> Event | None:
        """What a person shows now, as far as it has come."""
        return self._finder.current(person)

    def _told(self, read: TimedFrame) -> SmoothedFrame:
        relative = self._baseline.relative(read.moment, self._judge) if self._baseline else read.moment
        moment = self._steadier.step(relative)
        return SmoothedFrame(moment, read.moment, read.until, self._add(TimedFrame(moment, read.until)))

    def _add(self, span: TimedFrame) -> tuple[Event, ...]:
        self.frames += 1
        self.size = span.moment.result.size
        self.timeline.add(span)
        over = self._finder.step(span)
        self.events.extend(over)
        return over
