"""The result files of a video, which all apps save: tables, report, subtitles and the annotated video."""

from __future__ import annotations

import io
import json
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
from mien.concurrency import single_core_opencv
from mien.errors import MienError, OutputError, SourceTooLarge
from mien.faces.crop import crop_square
from mien.images.sources import quote_source
from mien.models.decision import build_emotions
from mien.results import AnalyzedFrame, Box, Pixels, Reading
from mien.video import VideoInfo, tables
from mien.video.annotate import AnnotatedVideo, blur_image
from mien.video.events import Event
from mien.video.journal import AnalysisOptions, VideoAnalyzer
from mien.video.report import ReportOptions, render_report, timeline_record
from mien.video.timeline import SmoothedFrame, VideoSummary

#: The result files and their media types.
RESULT_FILES = {
    "report.html": "text/html; charset=utf-8",
    "faces.csv": "text/csv; charset=utf-8",
    "events.csv": "text/csv; charset=utf-8",
    "subtitles.vtt": "text/vtt; charset=utf-8",
    "timeline.json": "application/json",
    "annotated.webm": "video/webm",
}

#: Seconds between two progress reports.
_PROGRESS_SECONDS = 0.2

#: Side of the images of peaks in pixels, their margin in face sizes, and the most of them for one track.
PEAK_SIDE, PEAK_MARGIN, MAX_PEAKS = 128, 0.35, 8

#: How much higher a peak has to be before its image is replaced, and the quality of the JPEG files.
_PEAK_STEP, _JPEG_QUALITY = 0.02, 80


@dataclass(frozen=True)
class VideoRequest:
    """A video file, its name for people, the folder of the result files, and the options.

    ``max_pixels`` limits the pixels of a frame, ``time_limit`` the seconds that the analysis may take.
    """

    path: Path
    name: str
    folder: Path
    fps: float = 10.0
    end: float = inf
    blur_faces: bool = False
    max_pixels: int | None = None
    time_limit: float = inf


@dataclass(frozen=True)
class VideoResults:
    """The names of the files of :data:`RESULT_FILES` that were written, and facts for JSON with the summary."""

    files: tuple[str, ...]
    facts: dict[str, Any]


def save_video_results(
    engine: VideoAnalyzer,
    request: VideoRequest,
    *,
    is_cancelled: Callable[[], bool] = lambda: False,
    on_progress: Callable[[dict[str, Any]], None] = lambda facts: None,
    on_frame: Callable[[SmoothedFrame], None] = lambda frame: None,
) -> VideoResults | None:
    """Analyse a video and save the result files; None after ``is_cancelled`` returned True.

    ``on_progress`` gets the facts so far, in values for JSON, a few times a second; ``on_frame`` gets each frame with
    its pixels. OutputError if the files cannot be written.
    """
    try:
        return _save(engine, request, is_cancelled, on_progress, on_frame)
    except (MienError, OSError) as error:
        if is_cancelled():
            # Whoever cancels may delete the folder while files are being written.
            return None
        if isinstance(error, MienError):
            raise
        raise OutputError(
            f"The results of {quote_source(request.name)} could not be written: {error.strerror or error}",
            "A writable folder with enough free space was expected",
            "Free some space, or name another folder",
        ) from error


def _save(
    engine: VideoAnalyzer,
    request: VideoRequest,
    is_cancelled: Callable[[], bool],
    on_progress: Callable[[dict[str, Any]], None],
    on_frame: Callable[[SmoothedFrame], None],
) -> VideoResults | None:
    deadline = time.monotonic() + request.time_limit
    reader = video.open_video(request.path, max_pixels=request.max_pixels)
    info = replace(reader.info, name=request.name)
    options = AnalysisOptions(str(request.path), fps=request.fps, end=request.end)
    with ExitStack() as stack:
        stack.enter_context(closing(reader))
        # Several analyses share the cores, and requests for images come first.
        stack.enter_context(single_core_opencv)
        writer = _ResultWriter(engine, request, options, info, stack, on_progress)
        # Closed here, not when the generator is collected: its threads must have ended before the reader is closed.
        frames = stack.enter_context(closing(engine.analyze_video(reader, frames=True, **options.arguments())))
        for smoothed in writer.summary.process(frames):
            if is_cancelled():
                return None
            if time.monotonic() > deadline:
                raise SourceTooLarge(
                    f"The analysis of {quote_source(request.name)} took longer than {request.time_limit:g} seconds",
                    "A video that is analysed in that time was expected",
                    "Take a shorter part of it, fewer frames a second, or a smaller video",
                )
            writer.add(smoothed)
            on_frame(smoothed)
    return writer.finish(reader.damage)


class _ResultWriter:
    """Writes the result files while a video is analysed."""

    def __init__(
        self,
        engine: VideoAnalyzer,
        request: VideoRequest,
        options: AnalysisOptions,
        info: VideoInfo,
        stack: ExitStack,
        on_progress: Callable[[dict[str, Any]], None],
    ) -> None:
        self._engine, self._request, self._info, self._on_progress = engine, request, info, on_progress
        self.summary = VideoSummary(partial(build_emotions, engine.card))
        self._peaks = PeakImages(blur=request.blur_faces)
        annotated = AnnotatedVideo(request.folder / "annotated.webm", options, info, blur_faces=request.blur_faces)
        self._annotated = stack.enter_context(annotated)
        faces = (request.folder / "faces.csv").open("w", encoding="utf-8", newline="\n")
        self._faces = stack.enter_context(faces)
        self._faces.write(tables.format_csv([tables.face_columns(engine.card.labels)]))
        self._started = self._next_progress = time.monotonic()

    def add(self, smoothed: SmoothedFrame) -> None:
        self._faces.write(tables.format_csv(tables.face_rows(smoothed.frame)))
        self._annotated.add(smoothed.frame)
        self._peaks.add(smoothed.frame, self.summary)
        if time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + _PROGRESS_SECONDS
            self._on_progress(self._progress())

    def finish(self, damage: str | None) -> VideoResults:
        summary, engine, request = self.summary, self._engine, self._request
        summary.finish()
        facts = {**self._progress(), "damage": damage}
        self._on_progress(facts)
        options = ReportOptions(
            request.name,
            tuple(engine.card.labels),
            engine.detector,
            engine.card.name,
            f"{request.fps:g} frames a second at most",
            faces_blurred=request.blur_faces,
            player_source="annotated.webm",
            incomplete=damage,
        )
        images = self._peaks.images(summary.events)
        texts = {
            "report.html": render_report(summary, options, images),
            "timeline.json": json.dumps(timeline_record(summary, options.labels, images), separators=(",", ":")),
            "events.csv": tables.format_events(summary.events),
            "subtitles.vtt": tables.format_webvtt(summary.events),
        }
        for name, text in texts.items():
            (request.folder / name).write_text(text, encoding="utf-8", newline="\n")
        files = tuple(name for name in RESULT_FILES if (request.folder / name).exists())
        return VideoResults(files, {**facts, "summary": summary.to_dict()})

    def _progress(self) -> dict[str, Any]:
        summary, timeline = self.summary, self.summary.timeline
        duration = self._info.seconds or timeline.end or None
        end = None if duration is None else max(min(duration, self._request.end), timeline.end)
        elapsed = time.monotonic() - self._started
        return {
            "size": list(self._info.size),
            "seconds": round(timeline.end, 3),
            "of": None if end is None else round(end, 3),
            "frames": summary.frames,
            "frames_per_second": round(summary.frames / elapsed, 1) if elapsed > 0 else None,
            "tracks": len(timeline.tracks),
            "events": len(summary.events),
        }


@dataclass(frozen=True, eq=False)
class _PeakImage:
    start: float
    emotion: str
    peak: float
    jpeg: bytes


class PeakImages:
    """Small images of faces at the peaks of events; of each track the highest peaks other than neutral are kept.

    With ``blur`` only blurred images are stored; otherwise they can still be blurred when they are returned.
    """

    def __init__(self, *, blur: bool = False) -> None:
        self._blur = blur
        self._current: dict[int, _PeakImage] = {}
        self._retained: dict[int, list[_PeakImage]] = {}

    def add(self, frame: AnalyzedFrame, summary: VideoSummary) -> None:
        """Add a frame with its pixels, after the summary has processed it."""
        for reading in frame:
            event = summary.current_event(reading.track) if reading.track is not None else None
            if event and event.peak_at == frame.seconds and frame.pixels is not None:
                self._add_peak(event, reading, frame.pixels)

    def images(self, events: Iterable[Event], *, blur: bool = False) -> dict[Event, bytes]:
        """The events that have an image, as JPEG files."""
        images: dict[tuple[int, float], bytes] = {}
        for track in {*self._retained, *self._current}:
            current = [self._current[track]] if track in self._current else []
            for image in _highest([*self._retained.get(track, []), *current]):
                jpeg = _jpeg(blur_image(Image.open(io.BytesIO(image.jpeg)))) if blur else image.jpeg
                images[track, image.start] = jpeg
        return {event: images[event.track, event.start] for event in events if (event.track, event.start) in images}

    def _add_peak(self, event: Event, reading: Reading, pixels: Pixels) -> None:
        before = self._current.get(event.track)
        same_event = before is not None and before.start == event.start
        if before and same_event and event.peak < before.peak + _PEAK_STEP:
            return
        if before and not same_event:
            self._retained[event.track] = _highest([*self._retained.get(event.track, []), before])
        jpeg = encode_peak(pixels, reading.face.box, blur=self._blur)
        self._current[event.track] = _PeakImage(event.start, event.emotion, event.peak, jpeg)


def encode_peak(pixels: Pixels, box: Box, *, blur: bool) -> bytes:
    """The face with a margin, as a JPEG file of ``PEAK_SIDE`` pixels."""
    square = Image.fromarray(crop_square(pixels, box, PEAK_MARGIN))
    return _jpeg((blur_image(square) if blur else square).resize((PEAK_SIDE, PEAK_SIDE), Image.Resampling.BOX))


def _highest(images: list[_PeakImage]) -> list[_PeakImage]:
    return sorted(images, key=lambda image: (image.emotion == "neutral", -image.peak))[:MAX_PEAKS]


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
