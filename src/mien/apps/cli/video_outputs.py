"""What ``mien video`` writes: tables as it goes, and the rest when it ends, however it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

from mien.apps.cli.paths import STDOUT
from mien.apps.cli.rows import stream_to, told_of
from mien.apps.cli.video import Request
from mien.apps.film.painted import Painted
from mien.apps.film.peaks import Peaks
from mien.apps.film.wish import Watcher, Wish
from mien.files import write_atomically
from mien.media import About
from mien.moments import Record, Told
from mien.moments import table as tables
from mien.moments.page import Making, page

Write: TypeAlias = Callable[[str], None]


class Outputs:
    """Everything that was asked for. ``add`` each moment, then ``finish``; both may raise an OutputError."""

    def __init__(self, request: Request, engine: Watcher, about: About, record: Record) -> None:
        self._request, self._engine, self._record = request, engine, record
        self._about = about
        self._stack = ExitStack()
        with ExitStack() as if_refused:
            if_refused.callback(self._stack.close)
            self._csv = self._stream(request.csv, "--csv")
            self._json = self._stream(request.json, "--json")
            self._film = self._painted()
            self._peaks = Peaks(hidden=request.blur_faces) if request.report else None
            self._begin()
            if_refused.pop_all()

    @property
    def pixels(self) -> bool:
        """Does anybody here need to see the frames?"""
        return self._film is not None or self._peaks is not None

    def add(self, told: Told) -> None:
        raw = told.read if self._request.raw else None
        if self._csv:
            self._csv(tables.written(tables.rows(told.moment, raw)))
        if self._json:
            self._json("".join(_json(line) for line in _told_lines(told, self._request.raw)))
        if self._film:
            self._film.add(told.moment)
        if self._peaks:
            self._peaks.add(told.moment, self._record)

    def finish(self, unfinished: str | None) -> None:
        """Close what is open and write what is written at the end."""
        record, request = self._record, self._request
        if self._json:
            self._json("".join(_json(line) for line in _last_lines(record)))
        self._stack.close()
        if request.events:
            rows = (tables.event_row(event) for event in record.events)
            _whole(request.events, "--events", tables.written([tables.event_columns(), *rows]))
        if request.vtt:
            _whole(request.vtt, "--vtt", "\n".join(tables.subtitles(record.events)))
        if request.report and self._peaks:
            _whole(request.report, "--report", page(record, self._making(unfinished), self._peaks.of(record.events)))

    def discard(self) -> None:
        """Nothing was read: leave no file behind that says nothing."""
        self._stack.close()
        for target in (self._request.csv, self._request.json):
            if target and target != STDOUT:
                Path(target).unlink(missing_ok=True)

    def _begin(self) -> None:
        if self._csv:
            self._csv(tables.written([tables.columns(self._engine.card.labels, self._request.raw)]))
        if self._json:
            about = self._about
            facts = {"film": self._request.source, "size": about.size, "seconds": about.seconds, "rate": about.rate}
            reader = {"detector": self._engine.detector, "model": self._engine.card.name}
            self._json(_json({"kind": "film", **facts, **reader}))

    def _stream(self, target: str | None, option: str) -> Write | None:
        if target is None:
            return None
        with told_of(target, option):
            stream = self._stack.enter_context(stream_to(target))

        def write(text: str) -> None:
            # In one piece: a run that is stopped leaves whole moments behind.
            with told_of(target, option):
                stream.write(text)
                stream.flush()

        return write

    def _painted(self) -> Painted | None:
        request = self._request
        if request.annotate is None:
            return None
        wish = Wish(request.source, request.every, request.fps, request.start, request.end, request.min_face)
        painted = Painted(Path(request.annotate), wish, self._about, hide=request.blur_faces)
        return self._stack.enter_context(painted)

    def _making(self, unfinished: str | None) -> Making:
        request, engine = self._request, self._engine
        return Making(
            Path(request.source).name,
            engine.card.labels,
            engine.detector,
            engine.card.name,
            _chosen(request),
            _baseline(request),
            request.blur_faces,
            _beside(request),
            unfinished,
        )


def _told_lines(told: Told, raw: bool) -> Iterator[dict[str, Any]]:
    line = {"kind": "frame", **told.moment.to_dict()}
    if raw:
        for face, read in zip(line["faces"], told.read, strict=True):
            face["raw"] = dict(read.emotions.shares)
    yield line
    yield from map(tables.event_line, told.events)


def _last_lines(record: Record) -> Iterator[dict[str, Any]]:
    """Each event that the end of the film ended, and each person."""
    yield from map(tables.event_line, record.last)
    yield from tables.people_lines(record)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _whole(target: str, option: str, text: str) -> None:
    """A file whole or not at all: one that was there stays until the new one is complete."""
    with told_of(target, option):
        write_atomically(target, text)


def _chosen(request: Request) -> str:
    frames = f"every {request.every}th frame" if request.every and request.every > 1 else "every frame"
    frames = f"{request.fps:g} frames a second at most" if request.fps else frames
    start = f" from {request.start:g} s" if request.start else ""
    end = f" until {request.end:g} s" if request.end is not None else ""
    return frames + start + end


def _baseline(request: Request) -> str | None:
    if request.baseline is None:
        return None
    seconds = request.baseline.seconds
    rest = "the median of the film" if seconds is None else f"the first {seconds:g} s in which they can be judged"
    return (
        f"Shares are relative to each person's own face at rest, which is {rest}: "
        "an expression counts by how far it goes beyond theirs."
    )


def _beside(request: Request) -> str | None:
    """The film that the page plays when it lies beside it: the painted one, or the original where faces may show."""
    if request.annotate:
        return Path(request.annotate).name
    plays = Path(request.source).suffix.lower() in (".mp4", ".webm", ".mov", ".m4v", ".ogv")
    return Path(request.source).name if plays and not request.blur_faces else None
