"""The open video: its analysis in the background, its playback, and what is known of its tracks and events."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from mien.apps.desktop.images import fit_image, scale_result
from mien.apps.desktop.state import AppState, ModelSelection, ModelSession
from mien.apps.desktop.worker import BACKGROUND, IMMEDIATE, SOON, Steps, Task
from mien.errors import MienError
from mien.results import AnalyzedFrame, Pixels

if TYPE_CHECKING:
    from mien.video import VideoInfo
    from mien.video.events import Event
    from mien.video.results import PeakImages
    from mien.video.timeline import TimelineStep, TrackSummary, VideoSummary


#: The suffixes of video files; every other file is opened as an image, whose error says what it is.
VIDEO_SUFFIXES = frozenset(
    [".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv"]
)

#: The choices of frames per second to analyse.
FRAME_RATES = (5.0, 10.0, 30.0)

#: Seconds between two updates during the analysis, and frames per second of the playback.
_UPDATE_INTERVAL, _PLAYBACK_FPS = 0.2, 15.0

#: The most analysed frames in memory for the playback.
_MAX_FRAMES = 4000

#: The most tracks that the timeline shows.
_MAX_TRACKS = 12


class DisplayFrame(NamedTuple):
    """One frame in the size of its view, with boxes where faces were analysed."""

    seconds: float
    pixels: Pixels


class TrackTimeline(NamedTuple):
    """One track up to now."""

    summary: TrackSummary
    steps: tuple[TimelineStep, ...]


@dataclass(frozen=True)
class VideoProgress:
    """The video as far as it was analysed; ``tracks`` with the longest visible first, those that could not be judged
    last, and ``description`` as all apps show it.
    """

    start: float = 0.0
    end: float = 0.0
    frames: int = 0
    tracks: tuple[TrackTimeline, ...] = ()
    events: tuple[Event, ...] = ()
    description: str = ""
    track_count: int = 0


class FrameHistory:
    """The analysed frames of a video without pixels, thinned out so that their number stays bounded."""

    def __init__(self) -> None:
        self._frames: list[AnalyzedFrame] = []
        self._every, self._count = 1, 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: AnalyzedFrame) -> None:
        if self._count % self._every == 0:
            self._frames.append(replace(frame, pixels=None))
        self._count += 1
        if len(self._frames) > _MAX_FRAMES:
            self._frames, self._every = self._frames[::2], self._every * 2

    def at(self, seconds: float) -> AnalyzedFrame | None:
        """The last frame at or before this time; None before the first."""
        index = bisect_right(self._frames, seconds + 1e-3, key=lambda frame: frame.seconds)
        return self._frames[index - 1] if index else None


class OpenVideo:
    """One video file and its analysis. Its steps run in the worker.

    ``journal_path`` is a private file with every analysed frame; it is deleted with the window. ``incomplete`` says why
    the analysis does not reach the end of the video.
    """

    def __init__(self, path: Path, folder: Path, fps: float, number: int, selection: ModelSelection) -> None:
        self.path, self.fps, self.selection = path, fps, selection
        self.journal_path = folder / f"{number}.journal"
        self.history = FrameHistory()
        self.info: VideoInfo | None = None
        self.summary: VideoSummary | None = None
        self.peaks: PeakImages | None = None
        self.incomplete: str | None = None
        #: Width and height of the view.
        self.view_size = (960, 540)
        self._file_stamp: tuple[int, int] | None = None
        self.labels: tuple[str, ...] = ()
        self.detector = self.model = ""

    def analyze(self, session: ModelSession) -> Steps:
        """Analyse it from beginning to end. Results are VideoInfo, DisplayFrame and VideoProgress."""
        from mien import video
        from mien.concurrency import single_core_opencv
        from mien.video.journal import AnalysisOptions, ResumableAnalysis
        from mien.video.results import PeakImages
        from mien.video.timeline import VideoSummary

        self._file_stamp = _file_stamp(self.path)
        with closing(video.open_video(self.path)) as reader:
            self.info = reader.info
        yield self.info
        engine = session.engine(self.selection)
        self.labels, self.detector, self.model = engine.labels, engine.detector, engine.card.name
        options = AnalysisOptions(str(self.path), fps=self.fps)
        analysis = ResumableAnalysis(engine, options, self.journal_path)
        summary = self.summary = VideoSummary(analysis.decide)
        self.peaks, next_update = PeakImages(), 0.0
        # On one core: the other cores stay free for the user's requests.
        with single_core_opencv, closing(analysis.frames(pixels=True)) as frames:
            for smoothed in summary.process(frames):
                frame = smoothed.frame
                self.peaks.add(frame, summary)
                self.history.add(frame)
                if monotonic() < next_update:
                    yield None
                    continue
                assert frame.pixels is not None, "frames were requested with pixels"
                yield self._annotate(frame.pixels, frame, frame.seconds)
                yield _measure_progress(summary)
                next_update = monotonic() + _UPDATE_INTERVAL
        summary.finish()
        self.incomplete = analysis.damage
        yield _measure_progress(summary)

    @property
    def unchanged(self) -> bool:
        """Whether the file is still the one that was analysed."""
        return _file_stamp(self.path) == self._file_stamp

    def finish_early(self) -> VideoProgress:
        """The progress of an analysis that was cancelled."""
        if self.summary is None:
            return VideoProgress()
        for smoothed in self.summary.flush():
            self.history.add(smoothed.frame)
        self.summary.finish()
        self.incomplete = "Stopped before the end: this holds the video up to there."
        return _measure_progress(self.summary)

    def delete_journal(self) -> Steps:
        self.journal_path.unlink(missing_ok=True)
        yield None

    def read_frame(self, seconds: float) -> Steps:
        """The frame at this time, with the faces that were analysed."""
        from mien import video

        last = self.info.seconds - 0.05 if self.info and self.info.seconds else seconds
        selection = video.FrameSelection(start=max(min(seconds, last), 0.0))
        with closing(video.open_video(self.path)) as reader:
            frame = next(reader.frames(selection), None)
        if frame is not None:
            yield self._annotate(frame.pixels, self.history.at(frame.seconds), frame.seconds)

    def play(self, seconds: float) -> Steps:
        """All frames from this time on, at the speed of the video; late frames are dropped."""
        from mien import video

        with closing(video.open_video(self.path)) as reader:
            started = monotonic() - seconds
            for frame in reader.frames(video.FrameSelection(fps=_PLAYBACK_FPS, start=seconds)):
                late = monotonic() - started - frame.seconds
                if late > 1 / _PLAYBACK_FPS:
                    yield None
                    continue
                # Short waits: other tasks need the worker too.
                while (wait := started + frame.seconds - monotonic()) > 0:
                    sleep(min(wait, 0.03))
                    yield None
                yield self._annotate(frame.pixels, self.history.at(frame.seconds), frame.seconds)

    def _annotate(self, pixels: Pixels, frame: AnalyzedFrame | None, seconds: float) -> DisplayFrame:
        from mien.draw import draw_readings
        from mien.video.annotate import simplify_labels

        fitted = fit_image(pixels, self.view_size)
        if frame is not None:
            result = scale_result(frame.result, fitted.shape[1] / pixels.shape[1])
            fitted = draw_readings(fitted, simplify_labels(result))
        return DisplayFrame(seconds, fitted)


def _measure_progress(summary: VideoSummary) -> VideoProgress:
    """Values that the analysis does not change any more, for the thread of the window."""
    timeline = summary.timeline
    by_duration = timeline.tracks_by_duration()
    judged = [track for track in by_duration if track.judged_seconds]
    unjudged = [track for track in by_duration if not track.judged_seconds]
    tracks = tuple(
        TrackTimeline(
            replace(
                track,
                emotion_seconds=dict(track.emotion_seconds),
                unjudged_seconds=dict(track.unjudged_seconds),
            ),
            tuple(timeline.steps(track.number)),
        )
        for track in [*judged, *unjudged][:_MAX_TRACKS]
    )
    events, description = tuple(summary.events), summary.describe()
    return VideoProgress(
        timeline.start, timeline.end, summary.frames, tracks, events, description, len(timeline.tracks)
    )


def _file_stamp(path: Path) -> tuple[int, int] | None:
    """The size and modification time of a file; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


class VideoState:
    """The open video, the progress of its analysis, and its playback.

    ``stage`` is none, analysing, complete, stopped (by the user) or failed. Topics: ``video`` (stage or playback),
    ``progress`` (more was analysed), ``frame`` (another frame is displayed).
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        self.stage = "none"
        self.video: OpenVideo | None = None
        self.error: MienError | None = None
        self.progress = VideoProgress()
        self.frame: DisplayFrame | None = None
        self.fps, self.playing = 10.0, False
        #: Whether faces are blurred in the files that are saved from now on.
        self.blur_faces = False
        self._view_size = (960, 540)
        self._numbers, self._folder = count(1), TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True)
        #: The position to display next, until its frame arrives.
        self._next_position: float | None = None
        self._analysis: Task | None = None
        self._playback: Task | None = None

    @property
    def duration(self) -> float | None:
        """Seconds of the video; None where the file does not say and its end was not reached."""
        info = self.video.info if self.video else None
        seconds = info.seconds if info else None
        if seconds is None and self.stage in ("complete", "stopped"):
            return self.progress.end
        return max(seconds, self.progress.end) if seconds else None

    @property
    def position(self) -> float:
        """Seconds of the displayed frame."""
        return self.frame.seconds if self.frame else 0.0

    @property
    def has_results(self) -> bool:
        """Whether files can be saved."""
        return self.stage in ("complete", "stopped") and self.progress.frames > 0

    def open(self, path: Path) -> None:
        """Analyse this video from its beginning."""
        self.cancel()
        if self.video:
            # After everything that is still to be saved of it; not cancelled with the other tasks.
            self._state.worker.submit(Task(self.video.delete_journal()), BACKGROUND)
        video = OpenVideo(path, Path(self._folder.name), self.fps, next(self._numbers), self._state.selection)
        self.video, self.stage, self.error = video, "analysing", None
        video.view_size = self._view_size
        self.progress, self.frame = VideoProgress(), None
        self._analysis = self._state.submit(
            video.analyze(self._state.session),
            lambda update: self._apply(video, update),
            priority=BACKGROUND,
            on_error=lambda error: self._fail(video, error),
            on_end=lambda: self._end(video),
        )
        self._state.events.publish("video", "progress", "frame")

    def analyze_again(self) -> None:
        """Analyse the open video again, with the current options."""
        if self.video:
            self.open(self.video.path)

    def cancel(self) -> None:
        """Stop the analysis, keeping its results, and the playback."""
        self.pause()
        if self._analysis and not self._analysis.finished:
            self._analysis.cancel()

    def close(self) -> None:
        self._folder.cleanup()

    def resize_view(self, width: int, height: int) -> None:
        """Display frames in this size from now on."""
        if (width, height) != self._view_size and min(width, height) > 8:
            self._view_size = width, height
            if self.video:
                self.video.view_size = self._view_size
                if self.frame and self.stage != "analysing" and not self.playing:
                    self.seek(self.position)

    # Playback

    def seek(self, seconds: float) -> None:
        """Display the frame at this time, and continue to play if it plays."""
        was_playing = self.playing
        self._stop_playback()
        if self.video is None or self.stage == "analysing":
            return
        seconds = min(max(seconds, 0.0), self.duration or seconds)
        if was_playing:
            self._start_playback(seconds)
            return
        self._next_position = seconds
        self._playback = self._state.submit(self.video.read_frame(seconds), self._display, priority=IMMEDIATE)

    def play(self) -> None:
        """Play from the position, or from the beginning when that is the end."""
        if self.video is None or self.stage == "analysing" or self.playing:
            return
        start = self.position if self._next_position is None else self._next_position
        at_end = self.duration is not None and start > self.duration - 0.3
        self._stop_playback()
        self._start_playback(0.0 if at_end else start)

    def pause(self) -> None:
        if self.playing:
            self._stop_playback()
            self._state.events.publish("video")

    def _start_playback(self, seconds: float) -> None:
        assert self.video is not None, "a video is open"
        self.playing = True

        def end() -> None:
            if task is self._playback:
                self.playing = False
                self._state.events.publish("video")

        self._playback = task = self._state.submit(self.video.play(seconds), self._display, priority=SOON, on_end=end)
        self._state.events.publish("video")

    def _stop_playback(self) -> None:
        self.playing = False
        if self._playback:
            self._playback.cancel()
            self._playback = None

    # Results of the analysis

    def _apply(self, video: OpenVideo, update: Any) -> None:
        if video is not self.video:
            return
        match update:
            case DisplayFrame():
                self._display(update)
            case VideoProgress():
                self.progress = update
                self._state.events.publish("progress")
            case _:
                self._state.events.publish("video")

    def _display(self, frame: DisplayFrame) -> None:
        self.frame, self._next_position = frame, None
        self._state.events.publish("frame")

    def _fail(self, video: OpenVideo, error: MienError) -> None:
        if video is self.video:
            self.error = error

    def _end(self, video: OpenVideo) -> None:
        if video is not self.video or self._analysis is None:
            return
        if self.error:
            self.stage = "failed"
        elif self._analysis.cancelled:
            self.progress, self.stage = video.finish_early(), "stopped"
        else:
            self.stage = "complete"
        self._state.events.publish("video", "progress")
