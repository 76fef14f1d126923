"""Cameras: always the newest frame. What came while nobody looked is dropped, and counted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Protocol, Self, TypeAlias

import cv2
import numpy as np

from mien.errors import SourceError, SourceMissing, SourceUnreadable
from mien.images.sources import is_url, quote_source
from mien.results import Pixels
from mien.video.frames import ALL_FRAMES, Frame, FrameSelection, VideoInfo, VideoReader
from mien.video.reader_opencv import open_capture

#: A camera's number, an address (``rtsp://``, ``http://``), or a film that plays as if it were one.
CameraSource: TypeAlias = int | str | os.PathLike[str]

#: Seconds without a frame after which a camera is gone, and how long closing waits for its thread.
TIMEOUT, JOIN_TIMEOUT = 3.0, 2.0

_DEVICES = Path("/dev")


class CameraDevice(Protocol):
    """What a camera is read by: ``cv2.VideoCapture``, or anything that behaves like it. Frames are BGR."""

    def isOpened(self) -> bool: ...
    def read(self) -> tuple[bool, cv2.typing.MatLike]: ...
    def get(self, what: int, /) -> float: ...
    def set(self, what: int, value: float, /) -> bool: ...
    def release(self) -> None: ...


class Camera:
    """An open camera: a :class:`mien.images.VideoReader` without an end. Leaving a ``with`` block releases it."""

    def __init__(self, device: CameraDevice, name: str, *, mirror: bool = False, silence: float = TIMEOUT) -> None:
        self._device, self._mirror, self._silence = device, mirror, silence
        self._news = Condition()
        self._newest: Frame | None = None
        self._failed: SourceError | None = None
        self._ended = self._closed = False
        self._began = time.monotonic()
        self.dropped = 0
        self.complaint: str | None = None
        self.about = VideoInfo(name, self._size(), live=True, rate=device.get(cv2.CAP_PROP_FPS) or None)
        self._thread = Thread(target=self._capture, name="mien-camera", daemon=True)
        self._thread.start()

    @property
    def now(self) -> float:
        """Seconds on the camera's clock: ``camera.now - frame.seconds`` is how old a frame is."""
        return time.monotonic() - self._began

    def frames(self, choice: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        """The newest frame each time one is asked for; waits for it where it was seen already.

        Raises :class:`SourceError` when the camera falls silent. Ends when it is closed.
        """
        turn, last = choice.turns(), -1
        while (frame := self._after(last)) is not None and frame.seconds < choice.end:
            # What nobody wanted is not dropped; only what came and went while somebody was busy.
            self.dropped += frame.index - last - 1 if last >= 0 else 0
            last = frame.index
            if turn(frame.index, frame.seconds):
                yield self._finished(frame)

    def close(self) -> None:
        """Release the camera and its thread; whoever waits for a frame gets no more."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._thread.join(JOIN_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _after(self, last: int) -> Frame | None:
        """The newest frame, once it is another than the last; None at the end."""
        with self._news:
            self._news.wait_for(lambda: self._over() or (self._newest is not None and self._newest.index > last))
            if self._newest is not None and self._newest.index > last and not self._closed:
                return self._newest
            if self._failed is not None and not self._closed:
                raise self._failed
            return None

    def _over(self) -> bool:
        return self._closed or self._ended or self._failed is not None

    def _capture(self) -> None:
        """In the camera's own thread, which alone touches the device, and releases it however it ends."""
        index, heard = 0, time.monotonic()
        try:
            while not self._closed:
                there, pixels = self._device.read()
                if there:
                    heard = time.monotonic()
                    self._tell(Frame(index, round(heard - self._began, 6), np.asarray(pixels, np.uint8)))
                    index += 1
                elif getattr(self._device, "ended", False):
                    return
                elif time.monotonic() - heard > self._silence:
                    self._failed = self._silent(index)
                    return
                else:
                    time.sleep(0.01)
        except cv2.error as error:
            self._failed = self._silent(index, str(error).strip().partition("\n")[0])
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()
            self._device.release()

    def _tell(self, frame: Frame) -> None:
        with self._news:
            self._newest = frame
            self._news.notify_all()

    def _silent(self, frames: int, reason: str = "") -> SourceError:
        name, why = quote_source(self.about.name), f" ({reason})" if reason else ""
        if not frames:
            return SourceUnreadable(
                f"{name} is open and sends no picture{why}",
                "A camera that nobody else uses was expected",
                "Close other programs that use it, or plug it in again",
            )
        return SourceError(
            f"{name} stopped sending pictures after {self.now:.0f} s{why}",
            "A camera that stays was expected",
            "Check its plug or its network, and start again",
        )

    def _finished(self, frame: Frame) -> Frame:
        pixels: Pixels = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB), np.uint8)
        return replace(frame, pixels=np.ascontiguousarray(pixels[:, ::-1]) if self._mirror else pixels)

    def _size(self) -> tuple[int, int]:
        return int(self._device.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._device.get(cv2.CAP_PROP_FRAME_HEIGHT))


def open_camera(
    source: CameraSource = 0,
    *,
    size: tuple[int, int] | None = None,
    mirror: bool = False,
    opened: Callable[[CameraSource], CameraDevice] | None = None,
) -> Camera:
    """Open a camera by number (0 is the first) or address; the path of a film plays it at its own pace.

    ``size`` (width, height) is asked for; cameras take the nearest they have. ``opened`` opens the device, for other
    devices than OpenCV knows. Raises :class:`SourceError` when there is none, or it may not be opened.
    """
    number = int(source) if isinstance(source, str) and source.isdigit() else source
    device = (opened or _device)(number)
    if not device.isOpened():
        device.release()
        raise _refused(number)
    for what, value in zip((cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT), size or (), strict=False):
        device.set(what, value)
    # One frame waits at most: a driver's queue would be a delay.
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return Camera(device, f"camera {number}" if isinstance(number, int) else os.fsdecode(number), mirror=mirror)


def _device(source: CameraSource) -> CameraDevice:
    if isinstance(source, int) or (isinstance(source, str) and is_url(source)):
        return open_capture(source)
    from mien.video.readers import open_video

    return Played(open_video(source))


class Played:
    """A film as a device: its frames come when it is their time."""

    def __init__(self, film: VideoReader) -> None:
        self._film = film
        self._frames = film.frames()
        self._began: float | None = None
        self.ended = False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, cv2.typing.MatLike]:
        frame = next(self._frames, None)
        if frame is None:
            self.ended = True
            return False, np.empty((0, 0, 3), np.uint8)
        self._wait(frame.seconds)
        return True, cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)

    def get(self, what: int, /) -> float:
        about = self._film.about
        told = {
            cv2.CAP_PROP_FRAME_WIDTH: about.size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: about.size[1],
            cv2.CAP_PROP_FPS: about.rate,
        }
        return float(told.get(what) or 0.0)

    def set(self, what: int, value: float, /) -> bool:
        return False

    def release(self) -> None:
        self._frames.close()
        self._film.close()

    def _wait(self, seconds: float) -> None:
        if self._began is None:
            self._began = time.monotonic() - seconds
        # Never longer than a moment, so that a film with a gap can still be closed.
        time.sleep(min(max(self._began + seconds - time.monotonic(), 0.0), 0.5))


def _refused(source: CameraSource) -> SourceError:
    if not isinstance(source, int):
        return SourceMissing(
            f"{quote_source(source)} could not be opened",
            "The address of a camera that can be reached was expected",
            "Check the address, the name and password in it, and the network",
        )
    device = _DEVICES / f"video{source}"
    if device.exists() and not os.access(device, os.R_OK | os.W_OK):
        remedy = "Add yourself to its group (sudo usermod -aG video $USER) and log in again"
        return SourceMissing(f"The camera {source} may not be opened", "Permission to use it was expected", remedy)
    there = sorted(path.name.removeprefix("video") for path in _DEVICES.glob("video[0-9]*"))
    if str(source) in there:
        remedy = "Close other programs that use it, or plug it in again"
        return SourceUnreadable(f"The camera {source} could not be opened", "A free camera was expected", remedy)
    which = f"There are: {', '.join(there)}" if there else "None was found on this machine"
    return SourceMissing(
        f"There is no camera {source}", which, "Plug one in, or give an address or a film instead of a number"
    )
