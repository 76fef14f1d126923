"""A film in the worker's hands: read, looked at from any place on, played, and made into files."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple

from mien.apps.desktop.bench import Bench, Choice
from mien.apps.desktop.shots import scaled
from mien.apps.desktop.viewing import fitted
from mien.apps.desktop.worker import Steps
from mien.types import Moment, Pixels

if TYPE_CHECKING:
    from mien.apps.film.going import Going
    from mien.apps.film.peaks import Peaks
    from mien.media import About
    from mien.moments import Event, Record
    from mien.moments.timeline import Person, Step

#: Seconds between two pieces of news, and frames a second when it plays.
_PAUSE, _PLAYED = 0.2, 15.0

#: The most moments that are held for looking at the film again; of a longer film every second one stays.
_HELD = 4000


class Glimpse(NamedTuple):
    """One frame as it is shown, with boxes where they are known."""

    seconds: float
    pixels: Pixels


class Seen(NamedTuple):
    """A person as far as the film was read."""

    person: Person
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Course:
    """The film as far as it was read; ``people`` by how long they were seen."""

    start: float = 0.0
    end: float = 0.0
    frames: int = 0
    people: tuple[Seen, ...] = ()
    events: tuple[Event, ...] = ()


class Moments:
    """The moments of a film, thinned so that they never fill the memory."""

    def __init__(self) -> None:
        self._held: list[Moment] = []
        self._every, self._count = 1, 0

    def add(self, moment: Moment) -> None:
        if self._count % self._every == 0:
            self._held.append(replace(moment, pixels=None))
        self._count += 1
        if len(self._held) > _HELD:
            self._held, self._every = self._held[::2], self._every * 2

    def at(self, seconds: float) -> Moment | None:
        """The last moment that had begun then."""
        place = bisect_right(self._held, seconds + 1e-3, key=lambda moment: moment.seconds)
        return self._held[place - 1] if place else None


class Reel:
    """One film that is open, and what was read of it. ``folder`` is private, and goes with the window."""

    def __init__(self, path: Path, folder: Path, fps: float, number: int) -> None:
        self.path, self.fps = path, fps
        self.journal = folder / f"{number}.journal"
        self.moments = Moments()
        self.about: About | None = None
        self.record: Record | None = None
        self.peaks: Peaks | None = None
        self.unfinished: str | None = None
        #: The room for a frame on the screen; the window says so.
        self.room = (960, 540)
        self._stamp: tuple[int, int] | None = None
        self.labels: tuple[str, ...] = ()
        self.detector = self.model = ""

    def reading(self, bench: Bench, choice: Choice) -> Steps:
        """Read it from the beginning to the end; news are its facts, glimpses, and its course."""
        from mien import media
        from mien.apps.film.peaks import Peaks
        from mien.faces.cores import one_core_each
        from mien.moments import Record

        self._stamp = _stamp(self.path)
        with closing(media.film(self.path)) as film:
            self.about = film.about
        yield self.about
        going = self._going(bench, choice)
        record = self.record = Record(going.judge)
        self.peaks, due = Peaks(), 0.0
        # One of several that want the cores; whoever sits before the window comes first.
        with one_core_each, closing(going.moments(pixels=True)) as moments:
            for told in record.follow(moments):
                self.peaks.add(told.moment, record)
                self.moments.add(told.moment)
                yield self._glimpse(told.moment) if (late := monotonic() >= due) else None
                if late:
                    yield course_of(record)
                    due = monotonic() + _PAUSE
        record.finish()
        self.unfinished = going.complaint
        yield course_of(record)

    @property
    def unchanged(self) -> bool:
        """Is the film's file the one that was read?"""
        return _stamp(self.path) == self._stamp

    def stopped(self) -> Course:
        """It was left in the middle: what was read until then."""
        if self.record is None:
            return Course()
        for told in self.record.rest():
            self.moments.add(told.moment)
        self.record.finish()
        self.unfinished = "Stopped before the end; this holds the film up to there."
        return course_of(self.record)

    def forgetting(self) -> Steps:
        """Nobody looks at it any more: what was written down of it goes."""
        self.journal.unlink(missing_ok=True)
        yield None

    def looking(self, seconds: float) -> Steps:
        """The frame that is shown then, with what was read of it."""
        from mien import media
        from mien.media import Choice as Frames

        last = self.about.seconds - 0.05 if self.about and self.about.seconds else seconds
        with closing(media.film(self.path)) as film:
            frame = next(film.frames(Frames(start=max(min(seconds, last), 0.0))), None)
        if frame is not None:
            yield self._shown(frame.pixels, frame.seconds)

    def playing(self, seconds: float) -> Steps:
        """From there to the end, at the film's own pace; what comes too late is left out."""
        from mien import media
        from mien.media import Choice as Frames

        with closing(media.film(self.path)) as film:
            began = monotonic() - seconds
            for frame in film.frames(Frames(fps=_PLAYED, start=seconds)):
                late = monotonic() - began - frame.seconds
                if late > 1 / _PLAYED:
                    yield None
                    continue
                # In short pieces: others want the worker too.
                while (wait := began + frame.seconds - monotonic()) > 0:
                    sleep(min(wait, 0.03))
                    yield None
                yield self._shown(frame.pixels, frame.seconds)

    def _going(self, bench: Bench, choice: Choice) -> Going:
        from mien.apps.film.going import Going
        from mien.apps.film.wish import Wish

        engine = bench.engine(choice)
        self.labels, self.detector, self.model = engine.labels, engine.detector, engine.card.name
        return Going(engine, Wish(str(self.path), fps=self.fps), self.journal)

    def _glimpse(self, moment: Moment) -> Glimpse:
        assert moment.pixels is not None, "frames were asked for"
        return self._painted(moment.pixels, moment)

    def _shown(self, pixels: Pixels, seconds: float) -> Glimpse:
        moment = self.moments.at(seconds)
        return self._painted(pixels, replace(moment, seconds=seconds) if moment else None, seconds)

    def _painted(self, pixels: Pixels, moment: Moment | None, seconds: float = 0.0) -> Glimpse:
        from mien.apps.film.painted import shown
        from mien.draw import paint

        small = fitted(pixels, self.room)
        if moment is None:
            return Glimpse(seconds, small)
        return Glimpse(moment.seconds, paint(small, shown(scaled(moment.result, small.shape[1] / pixels.shape[1]))))


def course_of(record: Record) -> Course:
    """What the window needs, as values that no other thread changes."""
    timeline = record.timeline
    people = tuple(Seen(_copied(one), tuple(timeline.steps(one.number))) for one in timeline.by_presence()[:12])
    return Course(timeline.start, timeline.end, record.frames, people, tuple(record.events))


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes with a file; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def _copied(person: Person) -> Person:
    """A person as of now; the film goes on, and would go on counting in the same tables."""
    return replace(person, looks=dict(person.looks), unjudged=dict(person.unjudged))
