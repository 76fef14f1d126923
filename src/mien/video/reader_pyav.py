"""Video files read with PyAV (the extra 'video'): exact times of the container, and whether there is audio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from functools import partial
from itertools import chain

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mien.results import Pixels
from mien.video.frames import EncodedFrame, VideoInfo

#: What PyAV raises for damaged data.
DAMAGE = (FFmpegError, ValueError)

#: Frames with at least so many pixels are decoded with two threads.
_LARGE_FRAME = 1280 * 720

#: A video file may refer to other files and addresses, which must not be opened.
LOCAL_FILE_ONLY = {"protocol_whitelist": "file"}


class PyAVReader:
    """The first video stream of a file. Raises :data:`DAMAGE` if it cannot be opened, LookupError without a stream."""

    damage: str | None = None

    def __init__(self, path: str, name: str, *, timeline: bool = False) -> None:
        """``timeline``: the container's clock begins at 0, and the first frame may come later (mp4, mov)."""
        with ExitStack() as on_error:
            self._container: InputContainer = on_error.enter_context(av.open(path, options=LOCAL_FILE_ONLY))
            self._stream = self._select_stream(name)
            self._zero = 0.0 if timeline else (self._container.start_time or 0) / av.time_base
            self._first = self._decode_first()
            self.info = self._read_info(name)
            on_error.pop_all()

    def read_from(self, start: float) -> Iterator[EncodedFrame]:
        index, frames = (0, self._decode_frames()) if start <= 0 else self._seek(start)
        seconds = 0.0
        for frame in frames:
            time = self._seconds(frame)
            seconds = max(seconds, seconds + self._frame_seconds if time is None else time)
            yield EncodedFrame(index, round(seconds, 6), partial(rgb_pixels, frame))
            index += 1

    def close(self) -> None:
        self._container.close()

    def _select_stream(self, name: str) -> VideoStream:
        # A cover image is a video stream too.
        streams = [
            stream
            for stream in self._container.streams.video
            if not int(stream.disposition) & int(Disposition.attached_pic)
        ]
        if not streams:
            raise LookupError(name)
        stream = streams[0]
        large = stream.width * stream.height >= _LARGE_FRAME
        stream.thread_type, stream.thread_count = ("AUTO", 2) if large else ("SLICE", 1)
        return stream

    def _decode_first(self) -> VideoFrame | None:
        """The first frame, for its rotation and time; the file is rewound afterwards."""
        first = next(self._decode_frames(), None)
        self.damage = None if first else self.damage
        if first is not None:
            self._rewind()
        return first

    def _decode_frames(self) -> Iterator[VideoFrame]:
        """Every frame that can be decoded; damaged packets are reported in ``damage`` and left out."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except DAMAGE as error:
                    self.damage = self.damage or f"parts of it are damaged ({_reason(error)})"
        except DAMAGE as error:
            self.damage = self.damage or f"it could not be read to its end ({_reason(error)})"

    def _seek(self, start: float) -> tuple[int, Iterator[VideoFrame]]:
        """The index of a frame at or before ``start``, and the frames from there on."""
        base = self._stream.time_base or Fraction(1, 1000)
        with suppress(*DAMAGE):  # no index, or not seekable
            self._container.seek(int((start + self._zero) / base), stream=self._stream, backward=True)
            frames = self._decode_frames()
            first = next(frames, None)
            seconds = None if first is None else self._seconds(first)
            if first is not None and seconds is not None and seconds <= start:
                beginning = 0.0 if self._first is None else self._seconds(self._first) or 0.0
                return round((seconds - beginning) / self._frame_seconds), chain([first], frames)
        self._rewind()
        return 0, self._decode_frames()

    def _rewind(self) -> None:
        self._container.seek(min(self._stream.start_time or 0, 0), stream=self._stream)

    def _seconds(self, frame: VideoFrame) -> float | None:
        return None if frame.time is None else frame.time - self._zero

    @property
    def _frame_seconds(self) -> float:
        return 1 / (self.info.fps or 25.0)

    def _read_info(self, name: str) -> VideoInfo:
        fps = self._stream.average_rate or self._stream.guessed_rate
        seconds = self._duration()
        size = (self._stream.width, self._stream.height)
        if self._first is not None and self._first.rotation % 180:
            size = size[::-1]
        frames = self._stream.frames or (round(seconds * fps) if seconds and fps else None)
        audio = bool(self._container.streams.audio)
        return VideoInfo(name, size, float(fps) if fps else None, seconds, frames, audio)

    def _duration(self) -> float | None:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            delay = float((stream.start_time or 0) * stream.time_base) - self._zero
            return float(stream.duration * stream.time_base) + delay
        return None if self._container.duration is None else self._container.duration / av.time_base


def rgb_pixels(frame: VideoFrame) -> Pixels:
    """A decoded frame as RGB uint8, with the rotation of the container applied."""
    pixels = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters) if quarters else pixels, np.uint8)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".") or type(error).__name__
