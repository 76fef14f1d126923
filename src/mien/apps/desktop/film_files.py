"""What comes of a film: report, tables, subtitles, lines of JSON, and the painted film. All in the worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mien.apps.desktop.bench import Bench, Choice
from mien.apps.desktop.films import Reel
from mien.apps.desktop.outcomes import write
from mien.apps.desktop.worker import Steps
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.moments import Record, Told


class Wanted(NamedTuple):
    """Where a file goes, who read the film, and whether faces are to be hidden in it."""

    path: Path
    bench: Bench
    choice: Choice
    hidden: bool = False


#: Who writes a file of one kind.
Write: TypeAlias = Callable[[Reel, Wanted], Steps]


def report(reel: Reel, wanted: Wanted) -> Steps:
    """The page that ``mien video --report`` writes."""
    from mien.moments.page import Making, page

    record = _record(reel)
    chosen = f"{reel.fps:g} frames a second at most"
    name, hidden = reel.path.name, wanted.hidden
    making = Making(name, reel.labels, reel.detector, reel.model, chosen, None, hidden, None, reel.unfinished)
    write(wanted.path, page(record, making, reel.peaks.of(record.events, hidden=hidden) if reel.peaks else {}))
    yield wanted.path


def events(reel: Reel, wanted: Wanted) -> Steps:
    from mien.moments import table

    write(wanted.path, table.written([table.event_columns(), *map(table.event_row, _record(reel).events)]))
    yield wanted.path


def subtitles(reel: Reel, wanted: Wanted) -> Steps:
    from mien.moments import table

    write(wanted.path, "\n".join(table.subtitles(_record(reel).events)))
    yield wanted.path


def faces(reel: Reel, wanted: Wanted) -> Steps:
    """A row for every face of every frame that was read, steadied."""
    from mien.moments import table

    lines = [table.written([table.columns(reel.labels)])]
    for told in _again(reel, wanted):
        lines.append(table.written(table.rows(told.moment)))
        yield None
    write(wanted.path, "".join(lines))
    yield wanted.path


def lines(reel: Reel, wanted: Wanted) -> Steps:
    """The lines that ``mien video --json`` writes."""
    from mien.media import name_of
    from mien.moments import table

    about, record = reel.about, _record(reel)
    assert about is not None, "it was read"
    facts = {"film": name_of(reel.path), "size": about.size, "seconds": about.seconds, "rate": about.rate}
    told = [{"kind": "film", **facts, "detector": reel.detector, "model": reel.model}]
    for each in _again(reel, wanted):
        told += [{"kind": "frame", **each.moment.to_dict()}, *map(table.event_line, each.events)]
        yield None
    told += [*map(table.event_line, record.last), *table.people_lines(record)]
    write(wanted.path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in told))
    yield wanted.path


def painted(reel: Reel, wanted: Wanted) -> Steps:
    """The film with boxes and labels; with hidden faces where that is wanted."""
    from mien import media
    from mien.apps.film.painted import Painted
    from mien.apps.film.wish import Wish

    assert reel.about is not None, "it was read"
    wish, follow = Wish(str(reel.path), fps=reel.fps), _again(reel, wanted)
    if not reel.unchanged:
        raise _another(reel)
    with closing(media.film(reel.path)) as film, Painted(wanted.path, wish, reel.about, hide=wanted.hidden) as out:
        for told, frame in zip(follow, film.frames(media.Choice(fps=reel.fps)), strict=False):
            if told.moment.index != frame.index:
                raise _another(reel)
            out.add(replace(told.moment, pixels=frame.pixels))
            yield None
    yield wanted.path


#: Every kind by name: the words of the menu, the usual suffix, and who writes it.
KINDS: dict[str, tuple[str, str, Write]] = {
    "report": ("Report", ".html", report),
    "faces": ("Table of faces", ".csv", faces),
    "events": ("Table of events", ".csv", events),
    "json": ("Lines of JSON", ".jsonl", lines),
    "subtitles": ("Subtitles", ".vtt", subtitles),
    "film": ("Annotated film", ".webm", painted),
}


def _again(reel: Reel, wanted: Wanted) -> Iterator[Told]:
    """Everything that was read, steadied once more; no face is looked for."""
    from mien.models.verdict import emotions_of
    from mien.moments import Record
    from mien.moments.journal import moments_of

    judge = partial(emotions_of, wanted.bench.engine(wanted.choice).card)
    return Record(judge).follow(moments_of(reel.journal, judge))


def _another(reel: Reel) -> MienError:
    return MienError(
        f"'{reel.path.name}' is not the film any more that was read",
        "Boxes, and what hides faces, would stand in the wrong places of its pictures",
        "Read it again, and then save",
    )


def _record(reel: Reel) -> Record:
    assert reel.record is not None, "it was read"
    return reel.record
