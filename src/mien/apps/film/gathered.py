"""All that comes of a film in one reading: its tables, its report, its subtitles, and the painted film, in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from mien import media
from mien.apps.film.painted import Painted
from mien.apps.film.peaks import Peaks
from mien.apps.film.wish import Watcher, Wish
from mien.errors import MienError, OutputError
from mien.faces.cores import one_core_each
from mien.media import About
from mien.media.names import shown
from mien.models.verdict import emotions_of
from mien.moments import Record, Told
from mien.moments import table as tables
from mien.moments.page import Making, page

#: What comes of a film, and what kind each file is.
RESULTS = {
    "report.html": "text/html; charset=utf-8",
    "faces.csv": "text/csv; charset=utf-8",
    "events.csv": "text/csv; charset=utf-8",
    "subtitles.vtt": "text/vtt; charset=utf-8",
    "film.webm": "video/webm",
}

#: News go out no oftener than this, in seconds.
_PAUSE = 0.2

#: So many events are told in the facts; the table has them all.
_EVENTS = 400


@dataclass(frozen=True)
class Order:
    """A film, its name as people know it, where the results go, and what is wanted."""

    film: Path
    name: str
    folder: Path
    fps: float = 10.0
    end: float = inf
    hidden: bool = False


@dataclass(frozen=True)
class Gathered:
    """The files of :data:`RESULTS` that there are, by name, and the facts: ``found`` has people and events."""

    results: tuple[str, ...]
    facts: dict[str, Any]


def gather(
    engine: Watcher,
    order: Order,
    *,
    left: Callable[[], bool] = lambda: False,
    tell: Callable[[dict[str, Any]], None] = lambda facts: None,
    see: Callable[[Told], None] = lambda told: None,
) -> Gathered | None:
    """Read a film and leave the results in a folder; None, as soon as ``left`` says that nobody waits any more.

    ``tell`` hears now and then how far it is, in facts that JSON can hold; ``see`` sees every moment, with its pixels.
    OutputError where the folder takes no more.
    """
    try:
        return _gathered(engine, order, left, tell, see)
    except (MienError, OSError) as error:
        if left():
            # Whoever leaves may take the folder along while it is being written to.
            return None
        if isinstance(error, MienError):
            raise
        raise OutputError(
            f"The results of {shown(order.name)} could not be written: {error.strerror or error}",
            "A folder with room that may be written to was expected",
            "Make room, or name another place",
        ) from error


def _gathered(
    engine: Watcher,
    order: Order,
    left: Callable[[], bool],
    tell: Callable[[dict[str, Any]], None],
    see: Callable[[Told], None],
) -> Gathered | None:
    film = media.film(order.film)
    about = replace(film.about, name=order.name)
    wish = Wish(str(order.film), fps=order.fps, end=order.end)
    with ExitStack() as stack:
        stack.enter_context(closing(film))
        # One of several that want the cores; whoever waits for a picture comes first.
        stack.enter_context(one_core_each)
        gathering = _Gathering(engine, order, about, stack, wish, tell)
        moments = engine.watch(film, frames=True, **wish.choice())
        with closing(gathering.record.follow(moments)) as told_ones:  # type: ignore[type-var]
            for told in told_ones:
                if left():
                    return None
                gathering.add(told)
                see(told)
    return gathering.finished(film.complaint)


class _Gathering:
    """What is gathered while the film goes by."""

    def __init__(
        self,
        engine: Watcher,
        order: Order,
        about: About,
        stack: ExitStack,
        wish: Wish,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self._engine, self._order, self._about, self._tell = engine, order, about, tell
        self.record = Record(partial(emotions_of, engine.card))
        self._peaks = Peaks(hidden=order.hidden)
        self._painted = stack.enter_context(Painted(order.folder / "film.webm", wish, about, hide=order.hidden))
        self._rows = stack.enter_context((order.folder / "faces.csv").open("w", encoding="utf-8", newline="\n"))
        self._rows.write(tables.written([tables.columns(engine.card.labels)]))
        self._began = self._due = time.monotonic()

    def add(self, told: Told) -> None:
        self._rows.write(tables.written(tables.rows(told.moment)))
        self._painted.add(told.moment)
        self._peaks.add(told.moment, self.record)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _PAUSE
            self._tell(self._progress())

    def finished(self, complaint: str | None) -> Gathered:
        record, folder = self.record, self._order.folder
        record.finish()
        facts = {**self._progress(), "complaint": complaint}
        self._tell(facts)
        texts = {
            "report.html": page(record, self._making(complaint), self._peaks.of(record.events)),
            "events.csv": tables.written([tables.event_columns(), *map(tables.event_row, record.events)]),
            "subtitles.vtt": "\n".join(tables.subtitles(record.events)),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        results = tuple(name for name in RESULTS if (folder / name).exists())
        return Gathered(results, {**facts, **self._found()})

    def _making(self, complaint: str | None) -> Making:
        order, engine = self._order, self._engine
        read = f"{order.fps:g} frames a second at most"
        labels = tuple(engine.card.labels)
        making = Making(order.name, labels, engine.detector, engine.card.name, read, hidden=order.hidden)
        return replace(making, video="film.webm", unfinished=complaint)

    def _progress(self) -> dict[str, Any]:
        record, timeline = self.record, self.record.timeline
        length = self._about.seconds or (timeline.end if timeline.end else None)
        wanted = None if length is None else min(length, self._order.end)
        spent = time.monotonic() - self._began
        return {
            "size": list(self._about.size),
            "seconds": round(timeline.end, 3),
            "of": None if wanted is None else round(max(wanted, timeline.end), 3),
            "frames": record.frames,
            "frames_per_second": round(record.frames / spent, 1) if spent > 0 else None,
            "people": len(timeline.people),
            "events": len(record.events),
        }

    def _found(self) -> dict[str, Any]:
        everybody = sorted(self.record.timeline.people.values(), key=lambda one: one.number)
        return {
            "found": {
                "start": round(self.record.timeline.start, 3),
                "end": round(self.record.timeline.end, 3),
                "people": [
                    {
                        "person": one.number,
                        **{name: round(getattr(one, name), 3) for name in ("first", "last", "seen", "judged")},
                        "looks": {label: round(part, 4) for label, part in one.leading()},
                    }
                    for one in everybody
                ],
                "events": [event.to_dict() for event in self.record.events[:_EVENTS]],
            }
        }
