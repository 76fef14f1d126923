"""A film as tables: a row for each face in each frame, and a row for each event. As lines of JSON, and as subtitles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mien.results import AnalyzedFrame, Reading
from mien.table import Cell, escape_formula, format_csv_line
from mien.text import describe_label
from mien.video.events import Event
from mien.video.timeline import VideoSummary

_PLACE = ("frame", "seconds", "person", "x", "y", "w", "h", "detection", "emotion")
_JUDGEMENT = ("uncertain", "quality")


def face_columns(labels: Sequence[str], raw: bool = False) -> list[str]:
    """The columns of a film's table; with ``raw`` the shares as they were read, before steadying, stand at the end."""
    taken = {*_PLACE, *_JUDGEMENT}
    shares = [f"share_{label}" if label in taken else label for label in labels]
    return [*_PLACE, *shares, *_JUDGEMENT, *(f"raw_{label}" for label in labels if raw)]


def face_rows(moment: AnalyzedFrame, read: AnalyzedFrame | None = None) -> Iterator[list[Cell]]:
    """The rows of one moment, largest face first; ``read`` is the same moment before it was steadied.

    ``uncertain`` and ``quality`` hold a reason, or nothing where an expression stands out and the face can be judged.
    """
    before = [None] * len(moment.result) if read is None else list(read)
    for reading, raw in zip(moment, before, strict=True):
        yield [
            moment.index,
            round(moment.seconds, 6),
            reading.track,
            *reading.face.box,
            round(reading.face.detection, 4),
            reading.emotions.top,
            *(round(share.score, 5) for share in reading.emotions.scores),
            reading.emotions.uncertain,
            _reason(reading),
            *(round(share.score, 5) for share in (raw.emotions.scores if raw else ())),
        ]


def event_columns() -> list[str]:
    return ["person", "emotion", "start", "end", "seconds", "peak", "peak_at"]


def event_row(event: Event) -> list[Cell]:
    times = [round(value, 4) for value in (event.start, event.end, event.seconds, event.peak, event.peak_at)]
    return [event.person, event.label, *times]


def format_csv(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as the text of a table, one line each; labels come out of model files, and none becomes a formula."""
    return "".join(format_csv_line([escape_formula(cell) if isinstance(cell, str) else cell for cell in row]) for row in rows)


def event_record(event: Event) -> dict[str, Any]:
    """An event as a line of JSON."""
    return {"kind": "event", **event.to_dict()}


def track_records(record: VideoSummary) -> Iterator[dict[str, Any]]:
    """The people of a film that was followed to its end, as lines of JSON."""
    for person in sorted(record.timeline.people.values(), key=lambda one: one.number):
        yield {
            "kind": "person",
            "person": person.number,
            **{name: round(getattr(person, name), 3) for name in ("first", "last", "seen", "judged", "doubted")},
            "looks": {label: round(part, 4) for label, part in person.leading()},
            "unjudged": {reason: round(seconds, 3) for reason, seconds in person.unjudged.items()},
        }


def webvtt_lines(events: Iterable[Event]) -> Iterator[str]:
    """WebVTT, line by line: a cue for each event, by when they begin. Any player shows it over the film."""
    yield from ("WEBVTT", "", "NOTE What expressions look like to a model. No person is identified.", "")
    for number, event in enumerate(sorted(events, key=lambda event: (event.start, event.person)), 1):
        said = _cue_text(describe_label(event.label))
        yield from (str(number), f"{_clock(event.start)} --> {_clock(event.end)}")
        yield from (f"<v Person {event.person}>person {event.person} {said} ({event.peak:.0%})".replace("%", " %"), "")


def _reason(reading: Reading) -> str | None:
    return None if reading.quality.ok else reading.quality.reason or "the face is not clear"


def _cue_text(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def _clock(seconds: float) -> str:
    thousandths = max(round(seconds * 1000), 0)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
