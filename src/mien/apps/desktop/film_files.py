"""What comes of a film: report, tables, subtitles, lines of JSON, and the painted film. All in the worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mien.apps.desktop.bench import Bench, Choice
from mien.apps.desktop.films import Reel
from mien.apps.desktop.outcomes import write
from mien.apps.desktop.worker import Steps

if TYPE_CHECKING:
    from mien.moments import Record, Told

#: Who writes a file of one kind.
Write: TypeAlias = Callable[[Reel, Path, Bench, Choice], Steps]


def report(reel: Reel, path: Path, bench: Bench, choice: Choice) -> Steps:
    """The page that ``mien video --report`` writes."""
    from mien.moments.page import Making, page

    record = _record(reel)
    chosen = f"{reel.fps:g} frames a second at most"
    making = Making(
        reel.path.name, reel.labels, reel.detector, reel.model, chosen, None, reel.hidden, None, reel.unfinished
    )
    write(path, page(record, making, reel.peaks.of(record.events) if reel.peaks else {}))
    yield path


def events(reel: Reel, path: Path, bench: Bench, choice: Choice) -> Steps:
    from mien.moments import table

    write(path, table.written([table.event_columns(), *map(table.event_row, _record(reel).events)]))
    yield path


def subtitles(reel: Reel, path: Path, bench: Bench, choice: Choice) -> Steps:
    from mien.moments import table

    write(path, "\n".join(table.subtitles(_record(reel).events)))
    yield path


def faces(reel: Reel, path: Path, bench: Bench, choice: Choice) -> Steps:
    """A row for every face of every frame that was read, steadied."""
    from mien.moments import table

    lines = [table.written([table.columns(reel.labels)])]
    for told in _again(reel, bench, choice):
        lines.append(table.written(table.rows(told.moment)))
        yield None
    write(path, "".join(lines))
    yield path


def lines(reel: Reel, path: Path, bench: Bench, choice: Choice) -> Steps:
    """The lines that ``mien video --json`` writes."""
    from mien.moments import table

    about, record = reel.about, _record(reel)
    assert about is not None, "it was read"
    facts = {"film": str(reel.path), "size": about.size, "seconds": about.seconds, "rate": about.rate}
    told = [{"kind": "film", **facts, "detector": reel.detector, "model": reel.model}]
    for each in _again(reel, bench, choice):
        told += [{"kind": "frame", **each.moment.to_dict()}, *map(table.event_line, each.events)]
        yield None
    told += [*map(table.event_line, record.last), *table.people_lines(record)]
    write(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in told))
    yield path


def painted(reel: Reel, path: Path, bench: Bench, choice: Choice) -> Steps:
    """The film with boxes and labels; with hidden faces where that was chosen."""
    from mien import media
    from mien.apps.film.painted import Painted
    from mien.apps.film.wish import Wish

    assert reel.about is not None, "it was read"
    wish, follow = Wish(str(reel.path), fps=reel.fps), _again(reel, bench, choice)
    with closing(media.film(reel.path)) as film, Painted(path, wish, reel.about, hide=reel.hidden) as out:
        for told, frame in zip(follow, film.frames(media.Choice(fps=reel.fps)), strict=False):
            out.add(replace(told.moment, pixels=frame.pixels))
            yield None
    yield path


#: Every kind by name: the words of the menu, the usual suffix, and who writes it.
KINDS: dict[str, tuple[str, str, Write]] = {
    "report": ("Report", ".html", report),
    "faces": ("Table of faces", ".csv", faces),
    "events": ("Table of events", ".csv", events),
    "json": ("Lines of JSON", ".jsonl", lines),
    "subtitles": ("Subtitles", ".vtt", subtitles),
    "film": ("Annotated film", ".webm", painted),
}


def _again(reel: Reel, bench: Bench, choice: Choice) -> Iterator[Told]:
    """Everything that was read, steadied once more; no face is looked for."""
    from mien.models.verdict import emotions_of
    from mien.moments import Record
    from mien.moments.journal import moments_of

    judge = partial(emotions_of, bench.engine(choice).card)
    return Record(judge).follow(moments_of(reel.journal, judge))


def _record(reel: Reel) -> Record:
    assert reel.record is not None, "it was read"
    return reel.record
