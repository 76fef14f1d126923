"""A film read so that a run which was stopped, even by a killed process or a lost machine, can go on later."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path

from mien import media
from mien.apps.film.wish import Watcher, Wish
from mien.errors import MienError
from mien.media import Choice
from mien.models.verdict import emotions_of
from mien.moments.journal import Journal, moments_of, run_of
from mien.moments.steady import Judge
from mien.types import Box, Moment, Reading

#: Seconds before the stop from which a run that goes on reads again, to find out who is who.
OVERLAP = 3.0

#: How much two boxes share (intersection over union) to be the same face of the same frame.
_SAME = 0.5


class Going:
    """One film's reading, with a journal of what was read.

    ``moments`` reads the film, and where ``resume`` is set takes what the journal holds first; ``again`` tells it all
    once more without finding a face. Both give frames too when they are asked for ``pixels``.
    """

    def __init__(self, engine: Watcher, wish: Wish, journal: Path, *, resume: bool = False) -> None:
        self.judge: Judge = partial(emotions_of, engine.card)
        self._engine, self._wish, self.journal = engine, wish, journal
        #: What was wrong with a film that could be read only in part; known when it has been read.
        self.complaint: str | None = None
        self._resume = resume and journal.exists()
        if self._resume:
            self._agree()

    def moments(self, pixels: bool) -> Generator[Moment]:
        if self._resume:
            yield from self._gone_on(pixels)
        else:
            yield from self._written(Journal(self.journal, self._wish.run(self._engine)), pixels, self._wish)

    def again(self, pixels: bool) -> Generator[Moment]:
        """Everything that the journal holds."""
        moments = moments_of(self.journal, self.judge)
        return self._with_pixels(moments) if pixels else moments

    def through(self) -> None:
        """The run is complete: nobody will go on with it."""
        self.journal.unlink(missing_ok=True)

    def _gone_on(self, pixels: bool) -> Generator[Moment]:
        tail: deque[Moment] = deque()
        highest = 0
        for moment in self.again(pixels):
            tail.append(replace(moment, pixels=None))
            highest = max([highest, *(reading.track or 0 for reading in moment)])
            while moment.seconds - tail[0].seconds > OVERLAP:
                tail.popleft()
            yield moment
        if not tail:
            yield from self._written(Journal(self.journal, self._wish.run(self._engine)), pixels, self._wish)
            return
        people = _People(tail, highest)
        rest = self._written(Journal.going_on(self.journal), pixels, replace(self._wish, start=tail[0].seconds), people)
        yield from rest

    def _written(self, journal: Journal, pixels: bool, wish: Wish, people: _People | None = None) -> Generator[Moment]:
        film = media.film(wish.source)
        with closing(journal):
            for moment in self._engine.watch(film, frames=pixels, **wish.choice()):
                named = people.named(moment) if people else moment
                if named is not None:
                    journal.add(named)
                    yield named
        self.complaint = film.complaint

    def _with_pixels(self, moments: Iterator[Moment]) -> Generator[Moment]:
        """The film's frames beside what was read of them before."""
        wish = self._wish
        choice = Choice(wish.every or 1, wish.fps, wish.start or 0.0, inf if wish.end is None else wish.end)
        film = media.film(wish.source)
        try:
            for moment, frame in zip(moments, film.frames(choice), strict=False):
                if moment.index != frame.index:
                    raise self._changed(["source"])
                yield replace(moment, pixels=frame.pixels)
        finally:
            film.close()

    def _agree(self) -> None:
        before, now = run_of(self.journal), self._wish.run(self._engine)
        if before is None:
            raise MienError(
                f"'{self.journal}' is no journal of a run that this version of mien can go on with",
                "It is written beside the outputs while a film is read",
                "Leave out --resume to begin anew",
            )
        if differences := before.differences(now):
            raise self._changed(differences)

    def _changed(self, names: list[str]) -> MienError:
        words = {"length": "the film's file", "source": "the film", "vote_labels": "the model", "labels": "the model"}
        told = ", ".join(dict.fromkeys(words.get(name, name.replace("_", "-")) for name in names))
        return MienError(
            f"The run cannot go on: it was begun with another choice of {told}",
            "The same film, read in the same way, was expected",
            "Give the same options as before, or leave out --resume to begin anew",
        )


class _People:
    """Who is who in a run that goes on: the tracker starts afresh, and numbers people from 1 again.

    The last seconds before the stop are read twice; faces in the same place of the same frame are the same person.
    """

    def __init__(self, tail: deque[Moment], highest: int) -> None:
        self._known = {moment.index: moment for moment in tail}
        self._last = tail[-1].index
        self._highest = highest
        self._met: Counter[tuple[int, int]] = Counter()
        self._numbers: dict[int, int] | None = None

    def named(self, moment: Moment) -> Moment | None:
        """The moment with the numbers of before; None for one that the journal holds already."""
        if moment.index <= self._last:
            self._meet(moment)
            return None
        if self._numbers is None:
            self._numbers = self._decided()
        readings = tuple(replace(reading, track=self._number(reading.track)) for reading in moment)
        return replace(moment, result=replace(moment.result, readings=readings))

    def _meet(self, moment: Moment) -> None:
        if (before := self._known.get(moment.index)) is None:
            return
        for reading in moment:
            same = max(before, key=lambda other: _shared(other, reading), default=None)
            if same and same.track and reading.track and _shared(same, reading) >= _SAME:
                self._met[reading.track, same.track] += 1

    def _decided(self) -> dict[int, int]:
        """Each new number's old one: those who met most often first, and nobody twice."""
        numbers: dict[int, int] = {}
        for (new, old), _ in self._met.most_common():
            if new not in numbers and old not in numbers.values():
                numbers[new] = old
        return numbers

    def _number(self, track: int | None) -> int | None:
        if track is None or self._numbers is None:
            return track
        if track not in self._numbers:
            self._highest += 1
            self._numbers[track] = self._highest
        return self._numbers[track]


def _shared(one: Reading, other: Reading) -> float:
    return _overlap(one.face.box, other.face.box)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(across, 0) * max(down, 0)
    return both / max(one.width * one.height + other.width * other.height - both, 1)
