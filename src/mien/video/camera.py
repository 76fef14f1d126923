"""Cameras: always the newest frame. Frames that arrive while the caller is busy are dropped and counted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from threading import Condition, Thread
from typing import Protocol, TypeAlias

import cv2
import numpy as np

from mien.errors import SourceError, SourceMissing, SourceUnreadable
from mien.images.sources import is_url, quote_source
from mien.results import Pixels
from mien.video.frames import ALL_FRAMES, ClosingContext, Frame, FrameSelection, VideoInfo, VideoReader
from mien.video.reader_opencv import open_capture

#: A camera's number, an address (``rtsp://``, ``http://``), or the path of a video that is played in real time.
CameraSource: TypeAlias = int | str | os.PathLike[str]

#: Seconds without a frame after which a camera has failed, and for which closing waits for the capture thread.
TIMEOUT, JOIN_TIMEOUT = 3.0, 2.0


class CameraDevice(Protocol):
    """The part of ``cv2.VideoCapture`` that a camera uses. Frames are BGR.

    A device may have an attribute ``ended``: true means that no frame will follow, which is not an error.
    """

    def isOpened(self) -> bool: ...
    def read(self) -> tuple[bool, cv2.typing.MatLike]: ...
    def get(self, property_id: int, /) -> float: ...
    def set(self, property_id: int, value: float, /) -> bool: ...
    def release(self) -> None: ...


class Camera(ClosingContext):
    """An open camera: a :class:`mien.video.VideoReader` without an end.

    Only its own thread uses the device, and it releases the device at the end.
    """

    def __init__(self, device: CameraDevice, name: str, *, mirror: bool = False, timeout: float = TIMEOUT) -> None:
        self._device, self._mirror, self._timeout = device, mirror, timeout
        self._changed = Condition()
        self._newest: Frame | None = None
        self._failure: SourceError | None = None
        self._ended = self._closed = False
        self._started = time.monotonic()
        self.dropped = 0
        self.damage: str | None = None
        size = int(device.get(cv2.CAP_PROP_FRAME_WIDTH)), int(device.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.info = VideoInfo(name, size, live=True, fps=device.get(cv2.CAP_PROP_FPS) or None)
        self._thread = Thread(target=self._capture, name="mien-camera", daemon=True)
        self._thread.start()

    @property
    def now(self) -> float:
        """Seconds on the camera's clock: ``camera.now - frame.seconds`` is the age of a frame."""
        return time.monotonic() - self._started

    def frames(self, selection: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        """The newest frame at each step; waits for a new one if the newest was already returned.

        Raises :class:`SourceError` when the camera sends no frames for too long. Ends when it is closed.
        """
        is_selected, last = selection.create_filter(), -1
        while (frame := self._wait_for_frame(last)) is not None and frame.seconds < selection.end:
            # Frames before the first one that the caller takes are not counted as dropped.
            self.dropped += frame.index - last - 1 if last >= 0 else 0
            last = frame.index
            if is_selected(frame.index, frame.seconds):
                pixels: Pixels = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB), np.uint8)
                yield replace(frame, pixels=np.ascontiguousarray(pixels[:, ::-1]) if self._mirror else pixels)

    def close(self, timeout: float = JOIN_TIMEOUT) -> None:
        """Stop the thread, which releases the camera; waits for it at most ``timeout`` seconds."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _wait_for_frame(self, last: int) -> Frame | None:
        """The newest frame once its index is above ``last``; None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._ended
                    or self._failure is not None
                    or (self._newest is not None and self._newest.index > last)
                )
            )
            if self._newest is not None and self._newest.index > last and not self._closed:
                return self._newest
            if self._failure is not None and not self._closed:
                raise self._failure
            return None

    def _capture(self) -> None:
        """The camera's thread."""
        index, last_frame_time = 0, time.monotonic()
        try:
            while not self._closed:
                success, pixels = self._device.read()
                if success:
                    last_frame_time = time.monotonic()
                    frame = Frame(index, round(last_frame_time - self._started, 6), np.asarray(pixels, np.uint8))
                    with self._changed:
                        self._newest = frame
                        self._changed.notify_all()
                    index += 1
                elif getattr(self._device, "ended", False):
                    return
                elif time.monotonic() - last_frame_time > self._timeout:
                    self._failure = self._no_frames_error(index)
                    return
                else:
                    time.sleep(0.01)
        except cv2.error as error:
            self._failure = self._no_frames_error(index, str(error).strip().partition("\n")[0])
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self._device.release()

    def _no_frames_error(self, frames: int, reason: str = "") -> SourceError:
        name, why = quote_source(self.info.name), f" ({reason})" if reason else ""
        if not frames:
            return SourceUnreadable(
                f"{name} is open and sends no frames{why}",
                "A camera that no other program uses was expected",
                "Close other programs that use it, or plug it in again",
            )
        return SourceError(
            f"{name} stopped sending frames after {self.now:.0f} s{why}",
            "A camera that stays connected was expected",
            "Check its cable or its network, and start again",
        )


def open_camera(
    source: CameraSource = 0,
    *,
    size: tuple[int, int] | None = None,
    mirror: bool = False,
    open_device: Callable[[CameraSource], CameraDevice] | None = None,
) -> Camera:
    """Open a camera by number (0 is the first) or address; the path of a video plays it in real time.

    ``size`` (width, height) is requested from the camera, which takes the nearest that it has. ``open_device`` opens
    devices that OpenCV does not support. Raises :class:`SourceError` when there is no such camera, or no permission.
    """
    number = int(source) if isinstance(source, str) and source.isdigit() else source
    device = (open_device or _open_device)(number)
    if not device.isOpened():
        device.release()
        raise unavailable_error(number)
    for property_id, value in zip((cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT), size or (), strict=False):
        device.set(property_id, value)
    # A driver's queue of frames would delay each frame.
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return Camera(device, f"camera {number}" if isinstance(number, int) else os.fsdecode(number), mirror=mirror)


def _open_device(source: CameraSource) -> CameraDevice:
    if isinstance(source, int) or (isinstance(source, str) and is_url(source)):
        return open_capture(source)
    from mien.video.readers import open_video_file

    return VideoPlayback(open_video_file(source))


class VideoPlayback:
    """A video as a camera device: each frame is returned when its time has come."""

    def __init__(self, video: VideoReader) -> None:
        self._video = video
        self._frames = video.frames()
        self._started: float | None = None
        self.ended = False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, cv2.typing.MatLike]:
        frame = next(self._frames, None)
        if frame is None:
            self.ended = True
            return False, np.empty((0, 0, 3), np.uint8)
        if self._started is None:
            self._started = time.monotonic() - frame.seconds
        # At most half a second, so that closing does not wait for a long gap in the video.
        time.sleep(min(max(self._started + frame.seconds - time.monotonic(), 0.0), 0.5))
        return True, cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)

    def get(self, property_id: int, /) -> float:
        info = self._video.info
        values = {
            cv2.CAP_PROP_FRAME_WIDTH: info.size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: info.size[1],
            cv2.CAP_PROP_FPS: info.fps,
        }
        return float(values.get(property_id) or 0.0)

    def set(self, property_id: int, value: float, /) -> bool:
        return False

    def release(self) -> None:
        self._frames.close()
        self._video.close()


def unavailable_error(source: CameraSource, devices: Path = Path("/dev")) -> SourceError:
    """Why a camera does not open; ``devices`` is the folder with the device files ``video0``, ``video1`` ..."""
    if not isinstance(source, int):
        return SourceMissing(
            f"{quote_source(source)} could not be opened",
            "The address of a reachable camera was expected",
            "Check the address, the name and password in it, and the network",
        )
    device = devices / f"video{source}"
    if device.exists() and not os.access(device, os.R_OK | os.W_OK):
        remedy = "Add yourself to its group (sudo usermod -aG video $USER) and log in again"
        return SourceMissing(f"There is no permission to open camera {source}", "Read access was expected", remedy)
    numbers = sorted(path.name.removeprefix("video") for path in devices.glob("video[0-9]*"))
    if str(source) in numbers:
        remedy = "Close other programs that use it, or plug it in again"
        return SourceUnreadable(f"Camera {source} could not be opened", "A free camera was expected", remedy)
    expected = f"There are: {', '.join(numbers)}" if numbers else "No camera was found on this machine"
    remedy = "Plug one in, or give an address or a video instead of a number"
    return SourceMissing(f"There is no camera {source}", expected, remedy)
