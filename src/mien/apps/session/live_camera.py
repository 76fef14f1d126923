"""Live analysis of a camera: a worker for a local camera, its recording, frames of a browser, the privacy notice."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Self

from mien.draw import draw_readings
from mien.engine import Engine
from mien.errors import MienError
from mien.models import cache_folder
from mien.models.decision import build_emotions
from mien.results import AnalyzedFrame, Pixels, Reading
from mien.text import CAMERA_NOTICE, DISCLAIMER
from mien.video import Camera
from mien.video.annotate import simplify_labels
from mien.video.journal import VideoAnalyzer
from mien.video.smoothing import Smoother
from mien.video.tracker import DetectionSchedule, FaceTracker
from mien.video.writers import VideoWriter

#: Shown on the command line before a camera is opened for the first time.
CAMERA_PRIVACY_NOTICE = """mien is about to open a camera.
Its frames are analysed on this machine only. Nothing is stored: no image, no result, no face;
only --record and the key for a snapshot write files, where you say so. Nobody is identified.
What an expression looks like is not what a person feels. Ask the people in view before you begin."""

#: The same for a window with a button that opens the camera, one sentence each.
CAMERA_NOTICE_SENTENCES = (
    "The frames of the camera are analysed on this machine only.",
    "Nothing is stored: no image, no result, no face. A snapshot is a file only when you save it.",
    f"{CAMERA_NOTICE} Nobody is identified.",
    DISCLAIMER,
)

#: Seconds for which closing waits for the worker thread.
JOIN_TIMEOUT = 3.0

#: The factor by which the area of another face has to be larger before that track becomes the main track.
_LARGER = 1.6

#: Seconds over which the frames a second are counted.
_FPS_SECONDS = 2.0

#: Frames that wait for the encoder; further frames are left out of the recording and counted.
_MAX_WAITING = 8


# The notice


def is_camera(source: str) -> bool:
    """Is this a number or an address? The path of a video opens no camera."""
    return source.isdigit() or "://" in source


def is_notice_confirmed() -> bool:
    return os.path.lexists(_notice_marker())


def confirm_notice() -> None:
    """Do not show the notice again; where the marker file cannot be written, it will be shown again."""
    try:
        _notice_marker().parent.mkdir(parents=True, exist_ok=True)
        _notice_marker().touch()
    except OSError:
        pass


def _notice_marker() -> Path:
    return cache_folder() / "notice-live"


# A local camera


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """One analysed frame of a camera: ``smoothed``, and ``raw`` before smoothing.

    ``number`` counts the analysed frames, ``fps`` is their number a second, ``dropped`` counts the frames that were
    not analysed. ``main_track`` is the track whose scores and explanation are shown; None without a face.
    """

    number: int
    pixels: Pixels
    smoothed: AnalyzedFrame
    raw: AnalyzedFrame
    main_track: int | None
    fps: float
    dropped: int

    @property
    def seconds(self) -> float:
        return self.raw.seconds

    def frame(self, smoothed: bool = True) -> AnalyzedFrame:
        return self.smoothed if smoothed else self.raw

    def main_reading(self, smoothed: bool = True) -> Reading | None:
        """The reading of the main track."""
        return find_reading(self.frame(smoothed), self.main_track) if self.main_track is not None else None


def find_reading(frame: AnalyzedFrame, track: int | None) -> Reading | None:
    """The reading of a track; None if it has no face in this frame."""
    return next((reading for reading in frame if reading.track == track), None)


class CameraWorker:
    """Analyses the newest frame of a camera in a thread, until it is closed, ends or fails.

    Leaving a ``with`` block releases the camera. ``on_frame`` is called with each frame in the worker's thread.
    """

    def __init__(
        self,
        engine: VideoAnalyzer,
        camera: Camera,
        *,
        min_face: int | None = None,
        on_frame: Callable[[LiveFrame], None] | None = None,
    ) -> None:
        self.engine, self.camera = engine, camera
        self.error: MienError | None = None
        self._min_face, self._on_frame = min_face, on_frame
        self._smoother = Smoother(partial(build_emotions, engine.card))
        self._running, self._ended = Event(), Event()
        self._running.set()
        self._newest: LiveFrame | None = None
        self._times: deque[float] = deque()
        #: Frames that passed while the worker was paused, which are not counted as dropped.
        self._ignored, self._was_paused = 0, False
        self._thread = Thread(target=self._run, name="mien-camera-worker", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Has the camera ended, failed or been closed? After a failure ``error`` has the reason."""
        return self._ended.is_set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def newest(self, after: int = 0) -> LiveFrame | None:
        """The newest frame if its number is above ``after``; returns at once."""
        frame = self._newest
        return frame if frame is not None and frame.number > after else None

    def wait(self, seconds: float) -> bool:
        """Wait until the worker has ended, at most so many seconds; returns whether it has."""
        return self._ended.wait(seconds)

    def delay(self, frame: LiveFrame) -> float:
        """Seconds since the camera captured this frame."""
        return self.camera.now - frame.seconds

    def toggle_pause(self) -> None:
        """Pause or continue the analysis; the camera stays open."""
        if self.paused:
            self._running.set()
        else:
            self._running.clear()

    def close(self) -> None:
        """Stop the thread and release the camera; closing twice does nothing."""
        self._ended.set()
        self._running.set()
        self.camera.close()
        self._thread.join(JOIN_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        frames = self.engine.analyze_video(self.camera, frames=True, min_face=self._min_face)
        try:
            # The camera is released here too, because the owner may never call close().
            with closing(self.camera), closing(frames):
                for frame in frames:
                    if self.ended:
                        return
                    self._publish(frame)
                    if self.paused:
                        self._running.wait()
                        self._was_paused = True
        except MienError as error:
            self.error = None if self.ended else error
        finally:
            self._ended.set()

    def _publish(self, raw: AnalyzedFrame) -> None:
        assert raw.pixels is not None, "frames are analysed with frames=True"
        previous = self._newest
        if self._was_paused:
            self._ignored, self._was_paused = self.camera.dropped - (previous.dropped if previous else 0), False
        smoothed = self._smoother.step(raw)
        number, track = (previous.number + 1, previous.main_track) if previous else (1, None)
        dropped = self.camera.dropped - self._ignored
        frame = LiveFrame(
            number, raw.pixels, smoothed, raw, select_main_track(raw, track), self._measure_fps(), dropped
        )
        self._newest = frame
        if self._on_frame:
            self._on_frame(frame)

    def _measure_fps(self) -> float:
        now = self.camera.now
        self._times.append(now)
        while now - self._times[0] > _FPS_SECONDS:
            self._times.popleft()
        elapsed = now - self._times[0]
        return (len(self._times) - 1) / elapsed if elapsed else 0.0


def select_main_track(frame: AnalyzedFrame, previous: int | None) -> int | None:
    """The track of the largest face; the previous one, unless another face is much larger."""
    largest = max(frame, key=_area, default=None)
    same = find_reading(frame, previous)
    if same is None or largest is None:
        return largest.track if largest else None
    return largest.track if _area(largest) > _LARGER * _area(same) else previous


def _area(reading: Reading) -> int:
    return reading.face.box.width * reading.face.box.height


class CameraRecorder:
    """Writes frames to a video. ``close`` finishes the file; ``error`` is the first error of the writer."""

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
        self.skipped = 0
        self.error: MienError | None = None
        self._queue: Queue[LiveFrame | None] = Queue(_MAX_WAITING)
        self._start: float | None = None
        self._thread = Thread(target=self._write_frames, name="mien-recording", daemon=True)
        self._thread.start()

    def add(self, frame: LiveFrame) -> None:
        """Add a frame; returns at once."""
        try:
            self._queue.put_nowait(frame)
        except Full:
            self.skipped += 1

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._writer.close()

    def _write_frames(self) -> None:
        while (frame := self._queue.get()) is not None:
            if self._start is None:
                self._start = frame.seconds
            try:
                if self.error is None:
                    pixels = draw_readings(frame.pixels, simplify_labels(frame.smoothed.result))
                    self._writer.write(pixels, frame.seconds - self._start)
            except MienError as error:
                self.error = error
            except Exception as error:  # noqa: BLE001 - close() waits for this thread, which must not end early
                bug = f"This is a bug in mien: {type(error).__name__}: {error}"
                self.error = MienError(bug, "", "Please report it")


# Frames sent one by one


class FrameStream:
    """Analyses, tracks and smooths frames that are passed one by one, for example by a browser: one for each camera.

    The results are those of :class:`CameraWorker` for the same frames. No frame is stored.
    """

    def __init__(self, engine: Engine) -> None:
        self._steps = engine.analysis_steps()
        self._schedule = DetectionSchedule(self._steps.detector)
        self._tracker = FaceTracker(self._steps.detector, self._schedule)
        self._smoother = Smoother(partial(build_emotions, engine.card))
        self._count = 0

    def analyze(self, pixels: Pixels, seconds: float) -> AnalyzedFrame:
        """The smoothed frame with its pixels; ``seconds`` is the camera's clock, which must not decrease."""
        detection = self._schedule.step(pixels, seconds)
        faces = self._tracker.step(pixels, seconds, detection)
        [result] = self._steps.classify([self._steps.crop("camera", pixels, tuple(face for _, face in faces))])
        pairs = zip(result, faces, strict=True)
        numbered = replace(result, readings=tuple(replace(reading, track=track) for reading, (track, _) in pairs))
        frame = AnalyzedFrame(self._count, seconds, numbered, detection.cut, pixels)
        self._count += 1
        return self._smoother.step(frame)
