"""Small pictures of the peaks of events, kept while a film goes by."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from PIL import Image

from mien import video
from mien.apps.session.portraits import crop_square
from mien.concurrency import single_core_opencv
from mien.errors import MienError, OutputError
from mien.images.sources import quote_source
from mien.models.decision import build_emotions
from mien.results import AnalyzedFrame, Box, Pixels, Reading
from mien.video import VideoInfo, tables
from mien.video.annotate import AnnotatedVideo
from mien.video.anonymize import blur_image
from mien.video.events import Event
from mien.video.journal import AnalysisOptions, VideoAnalyzer
from mien.video.report import ReportOptions, render_report
from mien.video.timeline import SmoothedFrame, VideoSummary

#: The side of a picture in pixels, how much around the face it shows, and how many are kept for one person.
PEAK_SIDE, PEAK_MARGIN, MAX_PEAKS = 128, 0.35, 8

#: A peak has to be so much higher before it gets another picture.
_HIGHER = 0.02

_QUALITY = 80


@dataclass(frozen=True, eq=False)
class _Picture:
    start: float
    label: str
    peak: float
    jpeg: bytes


class PeakImages:
    """Gathers pictures by person; the highest peaks of expressions other than neutral stay.

    With ``hidden`` no face is gathered in the first place; without, faces can still be hidden when they are asked for.
    """

    def __init__(self, *, hidden: bool = False) -> None:
        self._hidden = hidden
        self._current: dict[int, _Picture] = {}
        self._kept: dict[int, list[_Picture]] = {}

    def add(self, moment: AnalyzedFrame, record: VideoSummary) -> None:
        """``moment`` has its pixels, and ``record`` has heard of it."""
        for reading in moment:
            event = record.current(reading.track) if reading.track is not None else None
            if event and event.peak_at == moment.seconds and moment.pixels is not None:
                self._take(event, reading, moment.pixels)

    def of(self, events: Iterable[Event], *, hidden: bool = False) -> dict[Event, bytes]:
        """The events that have a picture, as JPEG; ``hidden`` leaves nothing of the faces in them."""
        pictures = {
            (person, one.start): _hidden(one.jpeg) if hidden else one.jpeg
            for person in {*self._kept, *self._current}
            for one in self._best([*self._kept.get(person, []), *self._now(person)])
        }
        return {
            event: pictures[event.person, event.start] for event in events if (event.person, event.start) in pictures
        }

    def _take(self, event: Event, reading: Reading, pixels: Pixels) -> None:
        before = self._current.get(event.person)
        same = before is not None and before.start == event.start
        if before and same and event.peak < before.peak + _HIGHER:
            return
        if before and not same:
            self._kept[event.person] = self._best([*self._kept.get(event.person, []), before])
        jpeg = _portrait(pixels, reading.face.box, self._hidden)
        self._current[event.person] = _Picture(event.start, event.label, event.peak, jpeg)

    def _now(self, person: int) -> list[_Picture]:
        return [self._current[person]] if person in self._current else []

    def _best(self, pictures: list[_Picture]) -> list[_Picture]:
        return sorted(pictures, key=lambda one: (one.label == "neutral", -one.peak))[:MAX_PEAKS]


def _portrait(pixels: Pixels, box: Box, hidden: bool) -> bytes:
    cut = Image.fromarray(crop_square(pixels, box, PEAK_MARGIN))
    return _jpeg((blur_image(cut) if hidden else cut).resize((PEAK_SIDE, PEAK_SIDE), Image.Resampling.BOX))


def _hidden(jpeg: bytes) -> bytes:
    return _jpeg(blur_image(Image.open(io.BytesIO(jpeg))))


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


# ==== mien.apps.film.gathered
# All that comes of a film in one reading: its tables, its report, its subtitles, and the painted film, in a folder.

#: What comes of a film, and what kind each file is.
RESULT_FILES = {
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
class VideoRequest:
    """A film, its name as people know it, where the results go, and what is wanted."""

    film: Path
    name: str
    folder: Path
    fps: float = 10.0
    end: float = inf
    hidden: bool = False


@dataclass(frozen=True)
class VideoResults:
    """The files of :data:`RESULTS` that there are, by name, and the facts: ``found`` has people and events."""

    results: tuple[str, ...]
    facts: dict[str, Any]


def save_video_results(
    engine: VideoAnalyzer,
    order: VideoRequest,
    *,
    left: Callable[[], bool] = lambda: False,
    tell: Callable[[dict[str, Any]], None] = lambda facts: None,
    see: Callable[[SmoothedFrame], None] = lambda told: None,
) -> VideoResults | None:
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
            f"The results of {quote_source(order.name)} could not be written: {error.strerror or error}",
            "A folder with room that may be written to was expected",
            "Make room, or name another place",
        ) from error


def _gathered(
    engine: VideoAnalyzer,
    order: VideoRequest,
    left: Callable[[], bool],
    tell: Callable[[dict[str, Any]], None],
    see: Callable[[SmoothedFrame], None],
) -> VideoResults | None:
    film = video.open_video(order.film)
    about = replace(film.about, name=order.name)
    wish = AnalysisOptions(str(order.film), fps=order.fps, end=order.end)
    with ExitStack() as stack:
        stack.enter_context(closing(film))
        # One of several that want the cores; whoever waits for a picture comes first.
        stack.enter_context(single_core_opencv)
        gathering = _Gathering(engine, order, about, stack, wish, tell)
        moments = engine.analyze_video(film, frames=True, **wish.choice())
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
        engine: VideoAnalyzer,
        order: VideoRequest,
        about: VideoInfo,
        stack: ExitStack,
        wish: AnalysisOptions,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self._engine, self._order, self._about, self._tell = engine, order, about, tell
        self.record = VideoSummary(partial(build_emotions, engine.card))
        self._peaks = PeakImages(hidden=order.hidden)
        self._painted = stack.enter_context(AnnotatedVideo(order.folder / "film.webm", wish, about, hide=order.hidden))
        self._rows = stack.enter_context((order.folder / "faces.csv").open("w", encoding="utf-8", newline="\n"))
        self._rows.write(tables.format_csv([tables.face_columns(engine.card.labels)]))
        self._began = self._due = time.monotonic()

    def add(self, told: SmoothedFrame) -> None:
        self._rows.write(tables.format_csv(tables.face_rows(told.moment)))
        self._painted.add(told.moment)
        self._peaks.add(told.moment, self.record)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _PAUSE
            self._tell(self._progress())

    def finished(self, complaint: str | None) -> VideoResults:
        record, folder = self.record, self._order.folder
        record.finish()
        facts = {**self._progress(), "complaint": complaint}
        self._tell(facts)
        texts = {
            "report.html": render_report(record, self._making(complaint), self._peaks.of(record.events)),
            "events.csv": tables.format_csv([tables.event_columns(), *map(tables.event_row, record.events)]),
            "subtitles.vtt": "\n".join(tables.webvtt_lines(record.events)),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        results = tuple(name for name in RESULT_FILES if (folder / name).exists())
        return VideoResults(results, {**facts, **self._found()})

    def _making(self, complaint: str | None) -> ReportOptions:
        order, engine = self._order, self._engine
        read = f"{order.fps:g} frames a second at most"
        labels = tuple(engine.card.labels)
        making = ReportOptions(order.name, labels, engine.detector, engine.card.name, read, hidden=order.hidden)
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
