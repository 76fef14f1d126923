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


def spans(moments: Iterable[Moment]) -> Iterator[Span]:
    """Each moment as soon as the next one is known; the last lasts as long as the one before."""
    held: Moment | None = None
    length = _ALONE
    for moment in moments:
        if held is not None:
            length = max(moment.seconds - held.seconds, 0.0)
            yield Span(held, held.seconds + length)
        held = moment
    if held is not None:
        yield Span(held, held.seconds + length)
