"""What a film showed, gathered as it goes by: steadied moments, events, people and their timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mien.moments.baseline import Baseline
from mien.moments.events import Event, Events
from mien.moments.spans import Span, Spans
from mien.moments.steady import Judge, Steadier
from mien.moments.timeline import Timeline
from mien.types import Moment


class Told(NamedTuple):
    """One moment steadied, as it was ``read``, until when it lasts, and the events that were found to be over."""

    moment: Moment
    read: Moment
    until: float
    events: tuple[Event, ...]


class Record:
    """One film's record. ``follow`` is fed the moments and hands them on; the rest fills as it goes.

    It holds no pixels, and its size depends on the people in the film and their events, not on its length.
    """

    def __init__(self, judge: Judge, baseline: Baseline | None = None) -> None:
        """``judge`` is the rules of the model's card; ``baseline`` has learned what people look like at rest."""
        self.timeline = Timeline()
        self.events: list[Event] = []
        #: The events that only the end of the film ended.
        self.last: tuple[Event, ...] = ()
        self.frames = 0
        self.size = (0, 0)
        self._judge, self._baseline = judge, baseline
        self._finder, self._behind, self._steadier = Events(), Spans(), Steadier(judge)

    def follow(self, moments: Iterable[Moment]) -> Iterator[Told]:
        """Each moment when it is known how long it lasts."""
        for moment in moments:
            if over := self._behind.step(moment):
                yield self._told(over)
        yield from self.rest()

    def rest(self) -> Iterator[Told]:
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

    def _told(self, read: Span) -> Told:
        relative = self._baseline.relative(read.moment, self._judge) if self._baseline else read.moment
        moment = self._steadier.step(relative)
        return Told(moment, read.moment, read.until, self._add(Span(moment, read.until)))

    def _add(self, span: Span) -> tuple[Event, ...]:
        self.frames += 1
        self.size = span.moment.result.size
        self.timeline.add(span)
        over = self._finder.step(span)
        self.events.extend(over)
        return over
