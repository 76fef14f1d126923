"""How long each moment lasts: until the next one is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from mien.results import AnalyzedFrame, Reading

#: How long a film's only frame lasts.
_ALONE = 0.04


class TimedFrame(NamedTuple):
    """A moment, and the second at which it is over."""

    moment: AnalyzedFrame
    until: float

    @property
    def seconds(self) -> float:
        return self.until - self.moment.seconds


class FrameTimer:
    """Finds out how long moments last, one behind."""

    def __init__(self) -> None:
        self._held: AnalyzedFrame | None = None
        self._length = _ALONE

    def step(self, moment: AnalyzedFrame) -> TimedFrame | None:
        """The moment before this one, which is over now; None for the first."""
        held, self._held = self._held, moment
        if held is None:
            return None
        self._length = max(moment.seconds - held.seconds, 0.0)
        return TimedFrame(held, held.seconds + self._length)

    def last(self) -> TimedFrame | None:
        """What is still held, which lasts as long as the one before; None when nothing is."""
        held, self._held = self._held, None
        return None if held is None else TimedFrame(held, held.seconds + self._length)


def time_frames(moments: Iterable[AnalyzedFrame]) -> Iterator[TimedFrame]:
    """Each moment as soon as the next one is known, and the last."""
    behind = FrameTimer()
    for moment in moments:
        if over := behind.step(moment):
            yield over
    if over := behind.last():
        yield over


# ==== mien.moments.events
# Events: who showed which expression, from when to when.
#
# An event lasts while a person's steadied expression stays the same and stands out. A face that is hidden, turned or
# doubtful for a moment does not end it; what lasts less than the shortest event is no event.

#: The shortest event, and the longest gap inside one, in seconds.
MIN_EVENT_SECONDS, MAX_GAP_SECONDS = 0.3, 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """A person's expression that lasted. Times in seconds of the film; ``peak`` is the largest share it had."""

    person: int
    label: str
    start: float
    end: float
    peak: float
    peak_at: float

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def __str__(self) -> str:
        return f"person {self.person}: {self.label} from {self.start:.1f} to {self.end:.1f} s, peak {self.peak:.2f}"

    def to_dict(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(slots=True)
class _Course:
    """What one person shows: the event that is going on and, while that is young, the one it may only interrupt."""

    current: Event
    held: Event | None = None


class EventDetector:
    """Finds the events of one film as it goes on. ``step`` and ``finish`` give those that are over."""

    def __init__(self, shortest: float = MIN_EVENT_SECONDS, gap: float = MAX_GAP_SECONDS) -> None:
        self._shortest, self._gap = shortest, gap
        self._courses: dict[int, _Course] = {}

    def step(self, span: TimedFrame) -> tuple[Event, ...]:
        over = [event for now in _shown(span) for event in self._go_on(now)]
        gone = [person for person, course in self._courses.items() if span.until - course.current.end > self._gap]
        return (*over, *(event for person in gone for event in self._closed(person)))

    def finish(self) -> tuple[Event, ...]:
        """The film is over, and with it every event."""
        return tuple(event for person in sorted(self._courses) for event in self._closed(person))

    def current(self, person: int) -> Event | None:
        """What the person shows now, as far as it has come; the same ``start`` means the same event."""
        course = self._courses.get(person)
        return course.current if course else None

    def _go_on(self, now: Event) -> Iterator[Event]:
        course = self._courses.setdefault(now.person, _Course(now))
        if course.current.label == now.label:
            course.current = _joined(course.current, now)
        elif self._long(course.current):
            course.held, course.current = course.current, now
        elif course.held and course.held.label == now.label:  # the interruption was too short to be an event
            course.current, course.held = _joined(course.held, now), None
        else:
            course.current = now
        if course.held and self._long(course.current):
            yield course.held
            course.held = None

    def _closed(self, person: int) -> Iterator[Event]:
        course = self._courses.pop(person)
        yield from (event for event in (course.held, course.current) if event and self._long(event))

    def _long(self, event: Event) -> bool:
        return event.seconds >= self._shortest - 1e-9


def _shown(span: TimedFrame) -> Iterator[Event]:
    """What each person shows in this one moment, if it can be judged and an expression stands out."""
    for reading in span.moment:
        if reading.track is not None and is_clear(reading):
            label, share = reading.emotions.ranked()[0]
            yield Event(reading.track, label, span.moment.seconds, span.until, share, span.moment.seconds)


def is_clear(reading: Reading) -> bool:
    return reading.quality.ok and reading.emotions.uncertain is None


def _joined(one: Event, then: Event) -> Event:
    higher = then if then.peak > one.peak else one
    return replace(one, end=then.end, peak=higher.peak, peak_at=higher.peak_at)
