"""The analysis of a video as tables (faces, events), as lines of JSON, and as WebVTT subtitles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mien.results import AnalyzedFrame
from mien.table import Cell, escape_formula, format_csv_line
from mien.text import describe_label
from mien.video.events import Event
from mien.video.frames import VideoInfo
from mien.video.timeline import VideoSummary

_FACE_COLUMNS = ("frame", "seconds", "track", "x", "y", "width", "height", "detection", "emotion")
_REASON_COLUMNS = ("uncertain", "quality")
_EVENT_COLUMNS = ("track", "emotion", "start", "end", "seconds", "peak", "peak_at")


def face_columns(labels: Sequence[str], raw: bool = False) -> list[str]:
    """The columns of the table of faces; with ``raw`` the scores before smoothing are the last columns."""
    reserved = {*_FACE_COLUMNS, *_REASON_COLUMNS}
    scores = [f"score_{label}" if label in reserved else label for label in labels]
    return [*_FACE_COLUMNS, *scores, *_REASON_COLUMNS, *(f"raw_{label}" for label in labels if raw)]


def face_rows(frame: AnalyzedFrame, raw: AnalyzedFrame | None = None) -> Iterator[list[Cell]]:
    """The rows of one smoothed frame, largest face first; ``raw`` is the same frame before smoothing.

    ``uncertain`` and ``quality`` have a reason, or nothing for a leading emotion and a usable face.
    """
    raw_readings = [None] * len(frame.result) if raw is None else list(raw)
    for reading, raw_reading in zip(frame, raw_readings, strict=True):
        yield [
            frame.index,
            round(frame.seconds, 6),
            reading.track,
            *reading.face.box,
            round(reading.face.detection, 4),
            reading.emotions.top,
            *(round(each.score, 5) for each in reading.emotions.scores),
            reading.emotions.uncertain,
            None if reading.quality.ok else reading.quality.reason or "the face is not clear",
            *(round(each.score, 5) for each in (raw_reading.emotions.scores if raw_reading else ())),
        ]


def event_row(event: Event) -> list[Cell]:
    numbers = (event.start, event.end, event.seconds, event.peak, event.peak_at)
    return [event.track, event.emotion, *(round(number, 4) for number in numbers)]


def format_csv(rows: Iterable[Sequence[Cell]]) -> str:
    """The text of a table, one line a row. Labels come from model files; none is a formula in a spreadsheet."""
    return "".join(
        format_csv_line([escape_formula(cell) if isinstance(cell, str) else cell for cell in row]) for row in rows
    )


def format_events(events: Iterable[Event]) -> str:
    """The table of events as CSV."""
    return format_csv([_EVENT_COLUMNS, *map(event_row, events)])


def format_json_lines(records: Iterable[dict[str, Any]]) -> str:
    """JSON Lines: one object a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def video_record(source: str, info: VideoInfo, detector: str, model: str) -> dict[str, Any]:
    """The first line of JSON: the video, and what analysed it."""
    facts = {"video": source, "size": info.size, "seconds": info.seconds, "fps": info.fps}
    return {"kind": "video", **facts, "detector": detector, "model": model}


def event_record(event: Event) -> dict[str, Any]:
    """An event as a line of JSON."""
    return {"kind": "event", **event.to_dict()}


def track_records(summary: VideoSummary) -> Iterator[dict[str, Any]]:
    """The tracks of a video as lines of JSON."""
    for track in summary.timeline.tracks_by_number():
        yield {"kind": "track", **track.to_dict()}


def format_webvtt(events: Iterable[Event]) -> str:
    """WebVTT subtitles: a cue for each event, in order of their starts."""
    return "\n".join(_webvtt_lines(events))


def _webvtt_lines(events: Iterable[Event]) -> Iterator[str]:
    yield from ("WEBVTT", "", "NOTE What expressions look like to a model. No person is identified.", "")
    for number, event in enumerate(sorted(events, key=lambda event: (event.start, event.track)), 1):
        text = describe_label(event.emotion)
        for character, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\n", " ")):
            text = text.replace(character, escape)
        yield from (str(number), f"{_webvtt_time(event.start)} --> {_webvtt_time(event.end)}")
        yield from (f"<v Track {event.track}>track {event.track} {text} ({round(100 * event.peak)} %)", "")


def _webvtt_time(seconds: float) -> str:
    milliseconds = max(round(seconds * 1000), 0)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
