"""Film files by PyAV (the extra 'video'): the container's own times, and whether there is sound."""

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

#: What FFmpeg raises through PyAV for damaged data.
DAMAGE = (FFmpegError, ValueError)

#: From so many pixels in a frame on, decoding takes more than one core.
_LARGE = 1280 * 720

#: Files may name other files and addresses; only this one is meant.
OWN_FILE = {"protocol_whitelist": "file"}


class PyAVReader:
    """The first film in a file. Raises what :data:`DAMAGE` names when it cannot be opened, LookupError without one."""

    complaint: str | None = None

    def __init__(self, path: str, name: str, *, timeline: bool = False) -> None:
        """``timeline`` says that the container's clock begins at 0, whenever the first frame comes (mp4, mov)."""
        with ExitStack() as if_refused:
            self._container: InputContainer = if_refused.enter_context(av.open(path, options=OWN_FILE))
            self._stream = self._film(name)
            self._zero = 0.0 if timeline else (self._container.start_time or 0) / av.time_base
            self._first = self._first_frame()
            self.about = self._told(name)
            if_refused.pop_all()

    def shown(self, start: float) -> Iterator[EncodedFrame]:
        number, frames = (0, self._decoded()) if start <= 0 else self._from(start)
        before = 0.0
        for frame in frames:
            told = self._seconds(frame)
            before = max(before, before + self._step if told is None else told)
            yield EncodedFrame(number, round(before, 6), partial(rgb_pixels, frame))
            number += 1

    def close(self) -> None:
        self._container.close()

    def _film(self, name: str) -> VideoStream:
        # A picture of the cover is a stream too.
        films = [each for each in self._container.streams.video if not _is_cover(each)]
        if not films:
            raise LookupError(name)
        stream = films[0]
        large = stream.width * stream.height >= _LARGE
        stream.thread_type, stream.thread_count = ("AUTO", 2) if large else ("SLICE", 1)
        return stream

    def _first_frame(self) -> VideoFrame | None:
        """Decoded once to learn how it lies; the file is then rewound."""
        first = next(self._decoded(), None)
        self.complaint = None if first else self.complaint
        if first is not None:
            self._container.seek(
                0 if self._stream.start_time is None else min(self._stream.start_time, 0), stream=self._stream
            )
        return first

    def _decoded(self) -> Iterator[VideoFrame]:
        """Every frame that can be decoded; a damaged packet is noted and left out."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except DAMAGE as error:
                    self.complaint = self.complaint or f"parts of it are damaged ({_word(error)})"
        except DAMAGE as error:
            self.complaint = self.complaint or f"it could not be read to its end ({_word(error)})"

    def _from(self, start: float) -> tuple[int, Iterator[VideoFrame]]:
        """The number of a frame at or before ``start``, and the frames from there on."""
        base = self._stream.time_base or Fraction(1, 1000)
        with suppress(*DAMAGE):  # no index, or not seekable
            self._container.seek(int((start + self._zero) / base), stream=self._stream, backward=True)
            frames = self._decoded()
            first = next(frames, None)
            seconds = None if first is None else self._seconds(first)
            if first is not None and seconds is not None and seconds <= start:
                return round((seconds - self._begins()) / self._step), chain([first], frames)
        self._rewind()
        return 0, self._decoded()

    def _rewind(self) -> None:
        self._container.seek(min(self._stream.start_time or 0, 0), stream=self._stream)

    def _seconds(self, frame: VideoFrame) -> float | None:
        return None if frame.time is None else frame.time - self._zero

    @property
    def _step(self) -> float:
        return 1 / (self.about.rate or 25.0)

    def _begins(self) -> float:
        return 0.0 if self._first is None else self._seconds(self._first) or 0.0

    def _told(self, name: str) -> VideoInfo:
        rate = self._stream.average_rate or self._stream.guessed_rate
        seconds = self._duration()
        size = (self._stream.width, self._stream.height)
        if self._first is not None and self._first.rotation % 180:
            size = size[::-1]
        frames = self._stream.frames or (round(seconds * rate) if seconds and rate else None)
        sound = bool(self._container.streams.audio)
        return VideoInfo(name, size, float(rate) if rate else None, seconds, frames, sound)

    def _duration(self) -> float | None:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            late = float((stream.start_time or 0) * stream.time_base) - self._zero
            return float(stream.duration * stream.time_base) + late
        return None if self._container.duration is None else self._container.duration / av.time_base


def _is_cover(stream: VideoStream) -> bool:
    return bool(int(stream.disposition) & int(Disposition.attached_pic))


def rgb_pixels(frame: VideoFrame) -> Pixels:
    """A decoded frame as RGB uint8, turned as the container says."""
    pixels = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters) if quarters else pixels, np.uint8)


def _word(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".") or type(error).__name__
