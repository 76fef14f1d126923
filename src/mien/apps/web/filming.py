"""A film read for a job: its tables, its report, its subtitles, and the painted film."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any

from mien import media
from mien.apps.film.painted import Painted
from mien.apps.film.peaks import Peaks
from mien.apps.film.wish import Wish
from mien.apps.web.jobs import Job
from mien.faces.cores import one_core_each
from mien.media import About
from mien.models.verdict import emotions_of
from mien.moments import Record, Told
from mien.moments import table as tables
from mien.moments.page import Making, page
from mien.words import looks

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

#: So many events are told in the job's own answer; the table has them all.
_EVENTS = 400


def read(job: Job) -> None:
    """Read the job's film and leave the results in its folder. Ends early, leaving nothing, when the job is left."""
    film = media.film(job.folder / "film")
    about = replace(film.about, name=job.name)
    wish = Wish(str(job.folder / "film"), fps=job.options["fps"], end=job.options["end"])
    with ExitStack() as stack:
        stack.enter_context(closing(film))
        # One of several that want the cores; requests come first.
        stack.enter_context(one_core_each)
        reading = _Reading(job, about, stack, wish)
        moments = job.engine.watch(film, frames=True, **wish.choice())
        with closing(reading.record.follow(moments)) as told_ones:  # type: ignore[type-var]
            for told in told_ones:
                if job.left.is_set():
                    return
                reading.add(told)
    reading.finish(film.complaint)


class _Reading:
    """What is gathered while the film goes by."""

    def __init__(self, job: Job, about: About, stack: ExitStack, wish: Wish) -> None:
        self._job, self._about = job, about
        self._hidden: bool = job.options["blur"]
        self.record = Record(partial(emotions_of, job.engine.card))
        self._peaks = Peaks(hidden=self._hidden)
        self._painted = stack.enter_context(Painted(job.folder / "film.webm", wish, about, hide=self._hidden))
        self._rows = stack.enter_context((job.folder / "faces.csv").open("w", encoding="utf-8", newline="\n"))
        self._rows.write(_lines([tables.columns(job.engine.labels)]))
        self._began = self._due = time.monotonic()

    def add(self, told: Told) -> None:
        self._rows.write(_lines(tables.rows(told.moment)))
        self._painted.add(told.moment)
        self._peaks.add(told.moment, self.record)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _PAUSE
            self._job.tell(facts=self._progress())

    def finish(self, complaint: str | None) -> None:
        record, folder = self.record, self._job.folder
        record.finish()
        self._job.tell(facts={**self._progress(), "complaint": complaint})
        making = Making(
            self._job.name,
            self._job.engine.labels,
            self._job.engine.detector,
            self._job.engine.card.name,
            f"{self._job.options['fps']:g} frames a second at most",
            hidden=self._hidden,
            video="film.webm",
            unfinished=complaint,
        )
        said = {label: looks(label).removeprefix("looks ") for label in self._job.engine.labels}
        texts = {
            "report.html": page(record, making, self._peaks.of(record.events)),
            "events.csv": _lines([tables.event_columns(), *map(tables.event_row, record.events)]),
            "subtitles.vtt": "\n".join(tables.subtitles(record.events, said)),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        self._job.tell(facts=self._found(), results=tuple(name for name in RESULTS if (folder / name).exists()))

    def _progress(self) -> dict[str, Any]:
        record, timeline = self.record, self.record.timeline
        length = self._about.seconds or (timeline.end if timeline.end else None)
        wanted = None if length is None else min(length, self._job.options["end"])
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


def _lines(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
