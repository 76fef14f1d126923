"""How long each moment lasts: until the next one is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mien.types import Moment

#: How long a film's only frame lasts.
_ALONE = 0.04


class Span(NamedTuple):
    """A moment, and the second at which it is over."""

    moment: Moment
    until: float

    @property
    def seconds(self) -> float:
        return self.until - self.moment.seconds


class Spans:
    """Finds out how long moments last, one behind."""

    def __init__(self) -> None:
        self._held: Moment | None = None
        self._length = _ALONE

    def step(self, moment: Moment) -> Span | None:
        """The moment before this one, which is over now; None for the first."""
        held, self._held = self._held, moment
        if held is None:
            return None
        self._length = max(moment.seconds - held.seconds, 0.0)
        return Span(held, held.seconds + self._length)

    def last(self) -> Span | None:
        """What is still held, which lasts as long as the one before; None when nothing is."""
        held, self._held = self._held, None
        return None if held is None else Span(held, held.seconds + self._length)


def spans(moments: Iterable[Moment]) -> Iterator[Span]:
    """Each moment as soon as the next one is known, and the last."""
    behind = Spans()
    for moment in moments:
        if over := behind.step(moment):
            yield over
    if over := behind.last():
        yield over
