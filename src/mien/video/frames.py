"""Frames of videos with their times, the selection of frames, and the interfaces of video readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, dropwhile
from math import floor, inf, isfinite
from os import PathLike
from threading import RLock
from typing import Protocol, Self, TypeAlias, runtime_checkable

from mien.errors import SourceError, SourceUnreadable
from mien.images.sources import quote_source
from mien.results import Pixels

#: Seconds. Two times with a smaller difference are equal: containers store thousandths of a second.
TIME_TOLERANCE = 0.0005


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame: its index from 0, its time in seconds, and its pixels, RGB uint8 ``(h, w, 3)``, upright."""

    index: int
    seconds: float
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts of a video from its container; None where the container has no such fact.

    ``size`` is (width, height) of the upright frames, ``fps`` the mean number of frames a second, ``frames`` an
    estimate of the number of frames, ``audio`` whether there is an audio track, ``live`` whether it is a camera.
    """

    name: str
    size: tuple[int, int]
    fps: float | None = None
    seconds: float | None = None
    frames: int | None = None
    audio: bool = False
    live: bool = False

    def estimate_frames(self, selection: FrameSelection) -> int | None:
        """About how many frames are selected; None if the container does not say."""
        seconds = self.seconds or (self.frames / self.fps if self.frames and self.fps else None)
        if not seconds or not self.fps:
            return self.frames
        fps = min(self.fps / selection.every, selection.fps or inf)
        return round(max(min(seconds, selection.end) - selection.start, 0.0) * fps) or None


@dataclass(frozen=True, slots=True)
class FrameSelection:
    """Which frames of a video are read: from ``start`` until before ``end`` (seconds), every nth of all frames, and
    at most ``fps`` a second. The selected frames do not depend on where reading starts.

    ``after`` continues an earlier pass: it is the index of the frame at ``start``, which was selected, and reading
    begins with the next one.
    """

    every: int = 1
    fps: float | None = None
    start: float = 0.0
    end: float = inf
    after: int | None = None

    def __post_init__(self) -> None:
        read_all = "Leave it out to read all frames"
        checks = (
            (self.every >= 1, f"every {self.every} frames", "A number from 1 on was expected", read_all),
            (
                self.fps is None or 0 < self.fps < inf,
                f"{self.fps} frames a second",
                "A number above 0 was expected",
                read_all,
            ),
            (
                isfinite(self.start) and self.start >= 0,
                f"a start at {self.start} s",
                "Seconds from 0 on were expected",
                "Leave it out to start at the beginning",
            ),
            (
                self.end > self.start,
                f"an end at {self.end} s and a start at {self.start} s",
                "An end after the start was expected",
                "Leave the end out to read to the end of the video",
            ),
        )
        for valid, value, expected, remedy in checks:
            if not valid:
                raise SourceError(f"A video cannot be read with {value}", expected, remedy)

    def create_filter(self) -> Callable[[int, float], bool]:
        """A function for one pass over the video: is the frame with this index and time selected?

        It has to be called for every frame in order. ``end`` is not checked.
        """
        last_tick = -1

        def is_selected(index: int, seconds: float) -> bool:
            nonlocal last_tick
            if seconds < self.start - TIME_TOLERANCE or index % self.every:
                return False
            tick = floor((seconds + TIME_TOLERANCE) * self.fps) if self.fps else last_tick + 1
            selected, last_tick = tick > last_tick, max(tick, last_tick)
            return selected

        return is_selected


ALL_FRAMES = FrameSelection()


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """The frame at which a reader is positioned. ``decode`` is costly and valid only until the next frame is read."""

    index: int
    seconds: float
    decode: Callable[[], Pixels]


class FrameReader(Protocol):
    """Reads one kind of video. Used by one thread at a time."""

    @property
    def info(self) -> VideoInfo: ...

    @property
    def damage(self) -> str | None: ...

    def read_from(self, start: float) -> Iterator[EncodedFrame]:
        """Every frame in order, beginning with one at or before ``start`` seconds."""

    def close(self) -> None: ...


@runtime_checkable
class VideoReader(Protocol):
    """An open video or camera. Its frames can be read once."""

    @property
    def info(self) -> VideoInfo: ...

    @property
    def damage(self) -> str | None:
        """Why a video could be read only in part; None for a video without damage."""

    def frames(self, selection: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        """The selected frames in order."""

    def close(self) -> None:
        """Release the file or the camera; closing twice does nothing."""


#: The path of a video, an animation or a folder of images; the bytes of a video file; a camera's number; an open video.
VideoSource: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | int | VideoReader


class ClosingContext(ABC):
    """Leaving a ``with`` block closes the object, also when an exception ends the block."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class VideoFile(ClosingContext):
    """A video with an end, open for one pass."""

    def __init__(
        self,
        reader: FrameReader,
        on_close: Callable[[], None] | None = None,
        damage: str | None = None,
        max_pixels: int | None = None,
    ) -> None:
        """``on_close`` is called once after closing; ``damage`` describes what is wrong with the file.

        A frame with more than ``max_pixels`` pixels ends the video, whatever size its container states.
        """
        self._max_pixels = max_pixels
        self._reader = reader
        self._on_close = on_close
        self._damage = damage
        # Closing has to wait for a frame that another thread is decoding.
        self._lock = RLock()
        self._closed = False

    @property
    def info(self) -> VideoInfo:
        return self._reader.info

    @property
    def damage(self) -> str | None:
        return self._damage or self._reader.damage

    def frames(self, selection: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        """The selected frames. :class:`SourceError` for a video without frames, or that ends before ``start``."""
        is_selected, last = selection.create_filter(), -inf
        with closing(self._encoded_frames(selection)) as encoded_frames:
            for encoded in encoded_frames:
                if encoded.seconds >= selection.end - TIME_TOLERANCE:
                    return
                last = encoded.seconds
                if is_selected(encoded.index, encoded.seconds) and encoded.index != selection.after:
                    with self._lock:
                        if self._closed:
                            return
                        pixels = encoded.decode()
                    height, width = pixels.shape[:2]
                    if self._max_pixels and height * width > self._max_pixels:
                        self._damage = f"it has a frame of {width} × {height} pixels, more than are decoded"
                        return
                    yield Frame(encoded.index, encoded.seconds, pixels)
        if last < selection.start - TIME_TOLERANCE:
            raise self._no_frames_error(last, selection)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._reader.close()
            if self._on_close:
                self._on_close()

    def _encoded_frames(self, selection: FrameSelection) -> Generator[EncodedFrame]:
        """Every frame from ``start`` or earlier; with ``after``, from the frame with this index on."""
        start, after = selection.start, selection.after
        frames = self._read_from(start)
        if after is None:
            yield from frames
            return
        for frame in frames:
            if abs(frame.seconds - start) < TIME_TOLERANCE:
                # After a seek the reader estimates the index.
                offset = after - frame.index
                for each in chain([frame], frames):
                    yield replace(each, index=each.index + offset)
                return
            if frame.seconds > start:
                break
        yield from dropwhile(lambda frame: frame.index < after, self._read_from(0.0))

    def _read_from(self, start: float) -> Generator[EncodedFrame]:
        frames = self._reader.read_from(start)
        while True:
            with self._lock:
                frame = None if self._closed else next(frames, None)
            if frame is None:
                return
            yield frame

    def _no_frames_error(self, last: float, selection: FrameSelection) -> SourceError:
        name = quote_source(self.info.name)
        if isfinite(last) or selection.start > (self.info.seconds or inf):
            end = last if isfinite(last) else self.info.seconds
            happened = f"{name} ends after {end:.2f} s, before the start at {selection.start:g} s"
            return SourceError(happened, "A start within the video was expected", "Use an earlier start")
        damage = f": {self.damage}" if self.damage else ""
        return SourceUnreadable(
            f"{name} has no frame that can be decoded{damage}",
            "A video with frames was expected",
            "Play it in a video player; if that fails too, copy or download it again",
        )
