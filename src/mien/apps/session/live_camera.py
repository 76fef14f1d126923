"""What is said once before a camera opens, and that it has been said."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Protocol, Self

from mien.errors import MienError
from mien.models import ModelCard, cache_folder
from mien.models.decision import build_emotions
from mien.results import AnalyzedFrame, FrameResult, Pixels, Reading
from mien.text import CAMERA_NOTICE as CAMERA
from mien.text import DISCLAIMER
from mien.video import Camera
from mien.video.journal import VideoAnalyzer
from mien.video.smoothing import Smoother
from mien.video.tracker import Tracker

CAMERA_NOTICE = """mien is about to open a camera.
What it shows is read on this machine and nowhere else. Nothing is kept: no picture, no reading, no face;
only --record and the key for a snapshot write files, where you say so. Nobody is identified.
What an expression looks like is not what a person feels. Ask the people in view before you begin."""

#: The same for a window with a button that opens it, a sentence each.
CAMERA_NOTICE_SENTENCES = (
    "What the camera shows is read on this machine and nowhere else.",
    "Nothing is kept: no picture, no reading, no face. A snapshot is a file only when you save it.",
    f"{CAMERA} Nobody is identified.",
    DISCLAIMER,
)


def is_camera(source: str) -> bool:
    """A number, or an address; the path of a film opens no camera."""
    return source.isdigit() or "://" in source


def is_notice_confirmed() -> bool:
    return os.path.lexists(_mark())


def confirm_notice() -> None:
    """The notice has been read; a folder that cannot be written to costs another notice, and nothing else."""
    try:
        _mark().parent.mkdir(parents=True, exist_ok=True)
        _mark().touch()
    except OSError:
        pass


def _mark() -> Path:
    return cache_folder() / "notice-live"


# ==== mien.apps.live.watching
# The worker that reads a camera: newest frame in, newest view out. Whoever shows it asks for views and never waits.

#: Seconds that closing waits for the worker.
JOIN_TIMEOUT = 3.0

#: Somebody else has to be so much larger (in area) before bars and timeline turn to them.
_LARGER = 1.6

#: Seconds over which frames a second are counted.
_COUNTED = 2.0


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """One frame, read: ``steady`` and as it was ``read``. ``number`` counts views; ``rate`` is frames read a second.

    ``person`` is the number of the one whom bars, timeline and the inside are about; None while nobody is in view.
    """

    number: int
    pixels: Pixels
    steady: AnalyzedFrame
    read: AnalyzedFrame
    person: int | None
    rate: float
    dropped: int

    @property
    def seconds(self) -> float:
        return self.read.seconds

    def moment(self, smoothed: bool = True) -> AnalyzedFrame:
        return self.steady if smoothed else self.read

    def reading(self, smoothed: bool = True) -> Reading | None:
        """What was read of that person."""
        return find_reading(self.moment(smoothed), self.person) if self.person is not None else None


def find_reading(moment: AnalyzedFrame, person: int | None) -> Reading | None:
    """One person's reading; None for one who is not in view."""
    return next((reading for reading in moment if reading.track == person), None)


class CameraWorker:
    """Reads a camera until it is closed, ends or fails. Leaving a ``with`` block releases the camera.

    ``seen`` is called with every view in the worker's thread, such as a recorder's.
    """

    def __init__(
        self,
        engine: VideoAnalyzer,
        camera: Camera,
        *,
        min_face: int | None = None,
        seen: Callable[[LiveFrame], None] | None = None,
    ) -> None:
        self.engine, self.camera = engine, camera
        self.error: MienError | None = None
        self._min_face, self._seen = min_face, seen
        self._steadier = Smoother(partial(build_emotions, engine.card))
        self._going, self._over = Event(), Event()
        self._going.set()
        self._newest: LiveFrame | None = None
        self._times: deque[float] = deque()
        self._ignored, self._unwanted = 0, False
        self._thread = Thread(target=self._read, name="mien-watching", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Has the camera ended, failed or been closed? ``error`` says why, where there is a reason."""
        return self._over.is_set()

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def newest(self, after: int = 0) -> LiveFrame | None:
        """The newest view, if it is another than the one with this number; at once."""
        view = self._newest
        return view if view is not None and view.number > after else None

    def wait(self, seconds: float) -> bool:
        """Wait until it is over, at most so long."""
        return self._over.wait(seconds)

    def delay(self, view: LiveFrame) -> float:
        """Seconds since the camera gave this view's frame."""
        return self.camera.now - view.seconds

    def pause(self) -> None:
        """Stop reading, or go on; the camera stays open and its frames go by."""
        if self.paused:
            self._going.set()
        else:
            self._going.clear()

    def close(self) -> None:
        """Stop, and release the camera; closing twice does nothing."""
        self._over.set()
        self._going.set()
        self.camera.close()
        self._thread.join(JOIN_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        moments = self.engine.analyze_video(self.camera, frames=True, min_face=self._min_face)
        try:
            # The camera is released here too: who watches may be gone.
            with closing(self.camera):
                for moment in moments:
                    if self.over:
                        return
                    self._tell(moment)
                    self._rest()
        except MienError as error:
            self.error = None if self.over else error
        finally:
            self._over.set()

    def _rest(self) -> None:
        """While it is paused nothing is read; what goes by then is not dropped, but not wanted."""
        if self.paused:
            self._going.wait()
            self._unwanted = True

    def _tell(self, moment: AnalyzedFrame) -> None:
        assert moment.pixels is not None, "frames were asked for"
        if self._unwanted:
            self._ignored, self._unwanted = self.camera.dropped - (self._newest.dropped if self._newest else 0), False
        steady, before = self._steadier.step(moment), self._newest
        number, person = (before.number + 1, before.person) if before else (1, None)
        person = _leading(moment, person)
        view = LiveFrame(number, moment.pixels, steady, moment, person, self._rate(), self.camera.dropped - self._ignored)
        self._newest = view
        if self._seen:
            self._seen(view)

    def _rate(self) -> float:
        now = self.camera.now
        self._times.append(now)
        while now - self._times[0] > _COUNTED:
            self._times.popleft()
        passed = now - self._times[0]
        return (len(self._times) - 1) / passed if passed else 0.0


def _leading(moment: AnalyzedFrame, before: int | None) -> int | None:
    """The largest face; the one before, unless another has become much larger."""
    largest = max(moment, key=_area, default=None)
    same = find_reading(moment, before)
    if same is None or largest is None:
        return largest.track if largest else None
    return largest.track if _area(largest) > _LARGER * _area(same) else before


def _area(reading: Reading) -> int:
    return reading.face.box.width * reading.face.box.height


# ==== mien.apps.live.pushed
# Frames that somebody hands over, one by one, such as a browser its camera's: read, followed and steadied.


class ImageAnalyzer(Protocol):
    """What reads one frame; :class:`mien.Engine` is the real one."""

    @property
    def card(self) -> ModelCard: ...

    def read(self, source: Pixels, *, min_face: int | None = None) -> FrameResult: ...


class FrameStream:
    """One camera's memory: who is who, and what everybody's expression looked like just now."""

    def __init__(self, engine: ImageAnalyzer) -> None:
        self._engine = engine
        self._tracker = Tracker()
        self._steadier = Smoother(partial(build_emotions, engine.card))
        self._count = 0

    def read(self, pixels: Pixels, seconds: float) -> AnalyzedFrame:
        """The frame as a moment with its pixels; ``seconds`` is the camera's clock, which only goes forward."""
        result = self._engine.read(pixels)
        tracks = self._tracker.step(pixels, result.faces, seconds)
        readings = tuple(replace(one, track=track) for one, track in zip(result, tracks, strict=True))
        self._count += 1
        moment = AnalyzedFrame(self._count - 1, seconds, replace(result, readings=readings), pixels=pixels)
        return self._steadier.step(moment)
