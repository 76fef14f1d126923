"""What was read, as text and as files: JSON, a table, the painted picture, the report."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mien.apps.desktop.model_session import Bench, Choice
from mien.apps.desktop.pictures import Shot
from mien.apps.desktop.video_state import Reel
from mien.apps.desktop.worker import Steps
from mien.errors import MienError, OutputError
from mien.files import write_atomically
from mien.results import Failure, FrameResult

if TYPE_CHECKING:
    from mien.explain import Explanation
    from mien.video.timeline import SmoothedFrame, VideoSummary


def as_json(outcomes: Sequence[FrameResult | Failure]) -> str:
    """A line for each picture, as ``mien predict --json`` prints them."""
    return "".join(outcome.to_json() + "\n" for outcome in outcomes)


def as_csv(outcomes: Sequence[FrameResult | Failure], labels: Sequence[str]) -> str:
    """The table that ``mien predict --csv`` writes."""
    from mien.table import CsvTable

    stream = io.StringIO(newline="")
    table = CsvTable(stream, labels)
    for outcome in outcomes:
        table.write(outcome)
    return stream.getvalue()


def text_into(path: Path, text: str) -> Steps:
    """In the worker: the text as a file."""
    write(path, text)
    yield path


def painted_into(path: Path, bench: Bench, shot: Shot) -> Steps:
    """In the worker: the picture with boxes and labels, in its full size."""
    from mien import images
    from mien.draw import paint

    pixels = bench.pixels(shot.number, shot.source)
    yield None
    assert shot.result is not None, "what was not read cannot be painted"
    painted = paint(pixels, shot.result)
    yield None
    images.save_image(painted, path)
    yield path


def write_walkthrough(path: Path, bench: Bench, shot: Shot, face: int, choice: Choice) -> Steps:
    """In the worker: the page that leads this face through the network."""
    pixels = bench.pixels(shot.number, shot.source)
    engine = bench.engine(choice)
    yield None
    [told] = engine.explain_image(pixels, face + 1)
    yield None
    write(path, page_of(told, shot, pixels))
    yield path


def page_of(told: Explanation, shot: Shot, pixels: object) -> str:
    from dataclasses import replace

    import numpy as np

    from mien.explain.page import render_walkthrough

    return render_walkthrough(replace(told, source=shot.name), np.asarray(pixels, np.uint8))


def write(path: Path, text: str) -> None:
    """Whole or not at all. What is no text in a file's name is written as escapes."""
    try:
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(
            f"'{path}' could not be written: {error.strerror or error}",
            "A folder with room that may be written to was expected",
            "Choose another place",
        ) from error


# ==== mien.apps.desktop.film_files
# What comes of a film: report, tables, subtitles, lines of JSON, and the painted film. All in the worker.


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
    from mien.video.report import ReportOptions, render_report

    record = _record(reel)
    chosen = f"{reel.fps:g} frames a second at most"
    name, hidden = reel.path.name, wanted.hidden
    making = ReportOptions(name, reel.labels, reel.detector, reel.model, chosen, None, hidden, None, reel.unfinished)
    write(wanted.path, render_report(record, making, reel.peaks.of(record.events, hidden=hidden) if reel.peaks else {}))
    yield wanted.path


def events(reel: Reel, wanted: Wanted) -> Steps:
    from mien.video import tables

    write(wanted.path, tables.format_csv([tables.event_columns(), *map(tables.event_row, _record(reel).events)]))
    yield wanted.path


def subtitles(reel: Reel, wanted: Wanted) -> Steps:
    from mien.video import tables

    write(wanted.path, "\n".join(tables.webvtt_lines(_record(reel).events)))
    yield wanted.path


def faces(reel: Reel, wanted: Wanted) -> Steps:
    """A row for every face of every frame that was read, steadied."""
    from mien.video import tables

    lines = [tables.format_csv([tables.face_columns(reel.labels)])]
    for told in _again(reel, wanted):
        lines.append(tables.format_csv(tables.face_rows(told.moment)))
        yield None
    write(wanted.path, "".join(lines))
    yield wanted.path


def lines(reel: Reel, wanted: Wanted) -> Steps:
    """The lines that ``mien video --json`` writes."""
    from mien.images import source_name
    from mien.video import tables

    about, record = reel.about, _record(reel)
    assert about is not None, "it was read"
    facts = {"film": source_name(reel.path), "size": about.size, "seconds": about.seconds, "rate": about.rate}
    told = [{"kind": "film", **facts, "detector": reel.detector, "model": reel.model}]
    for each in _again(reel, wanted):
        told += [{"kind": "frame", **each.moment.to_dict()}, *map(tables.event_record, each.events)]
        yield None
    told += [*map(tables.event_record, record.last), *tables.track_records(record)]
    write(wanted.path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in told))
    yield wanted.path


def painted(reel: Reel, wanted: Wanted) -> Steps:
    """The film with boxes and labels; with hidden faces where that is wanted."""
    from mien import video
    from mien.video.annotate import AnnotatedVideo
    from mien.video.journal import AnalysisOptions

    assert reel.about is not None, "it was read"
    wish, follow = AnalysisOptions(str(reel.path), fps=reel.fps), _again(reel, wanted)
    if not reel.unchanged:
        raise _another(reel)
    with (
        closing(video.open_video(reel.path)) as film,
        AnnotatedVideo(wanted.path, wish, reel.about, hide=wanted.hidden) as out,
    ):
        for told, frame in zip(follow, film.frames(video.FrameSelection(fps=reel.fps)), strict=False):
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


def _again(reel: Reel, wanted: Wanted) -> Iterator[SmoothedFrame]:
    """Everything that was read, steadied once more; no face is looked for."""
    from mien.models.decision import build_emotions
    from mien.video.journal import read_frames
    from mien.video.timeline import VideoSummary

    judge = partial(build_emotions, wanted.bench.engine(wanted.choice).card)
    return VideoSummary(judge).follow(read_frames(reel.journal, judge))


def _another(reel: Reel) -> MienError:
    return MienError(
        f"'{reel.path.name}' is not the film any more that was read",
        "Boxes, and what hides faces, would stand in the wrong places of its pictures",
        "Read it again, and then save",
    )


def _record(reel: Reel) -> VideoSummary:
    assert reel.record is not None, "it was read"
    return reel.record
