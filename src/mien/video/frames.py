"""Films: frames with the time at which each is shown, from whatever holds moving pictures.

::

    film.py           Film, the seam; FilmFile, which takes from any reader the frames that are wanted
    film_open.py      which reader a source needs, or why it is no film
    film_opencv.py    film files, in every installation
    film_pyav.py      film files, where the extra 'video' is installed: truer times, and the sound
    film_ends.py      is a film file whole?
    film_pictures.py  animated GIF, WebP and PNG, and folders of frames
    cameras.py        cameras: always the newest frame
    sinks.py          frames back into a film file, whole or not at all
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from math import floor, inf, isfinite
from os import PathLike
from threading import RLock
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

from mien.errors import SourceError, SourceUnreadable
from mien.images.sources import quote_source
from mien.results import Pixels

#: Two times nearer to each other than this are the same; containers count in thousandths.
TIME_TOLERANCE = 0.0005


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame: its number from 0, when it is shown, and its pixels, RGB uint8 ``(h, w, 3)``, upright."""

    index: int
    seconds: float
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a film says of itself before it is read; None where it does not say.

    ``size`` is (width, height) of the upright frames, ``rate`` the mean number of frames in a second, ``frames`` an
    estimate of how many there are.
    """

    name: str
    size: tuple[int, int]
    rate: float | None = None
    seconds: float | None = None
    frames: int | None = None
    sound: bool = False
    live: bool = False


@dataclass(frozen=True, slots=True)
class FrameSelection:
    """Which frames of a film are wanted: from ``start`` until before ``end`` (seconds), every nth of all frames, and
    at most ``fps`` in a second. The same frames come whether a film is read at once or goes on from the middle.
    """

    every: int = 1
    fps: float | None = None
    start: float = 0.0
    end: float = inf

    def __post_init__(self) -> None:
        self._check(self.every >= 1, f"every {self.every} frames", "A number from 1 on was expected", "every=1 is all")
        self._check(
            self.fps is None or 0 < self.fps < inf,
            f"{self.fps} frames in a second",
            "A number above 0 was expected",
            "Leave it out to read all",
        )
        self._check(
            isfinite(self.start) and self.start >= 0,
            f"a start at {self.start} s",
            "Seconds from 0 on were expected",
            "start=0 is the beginning",
        )
        self._check(
            self.end > self.start,
            f"an end at {self.end} s and a start at {self.start} s",
            "An end after the start was expected",
            "Leave the end out to read all",
        )

    def _check(self, fine: bool, asked: str, expected: str, remedy: str) -> None:
        if not fine:
            raise SourceError(f"A film cannot be read with {asked}", expected, remedy)

    def turns(self) -> Callable[[int, float], bool]:
        """For one pass: is it the turn of the frame with this number, at this time?"""
        last = -1

        def turn(index: int, seconds: float) -> bool:
            nonlocal last
            if seconds < self.start - TIME_TOLERANCE or index % self.every:
                return False
            tick = floor((seconds + TIME_TOLERANCE) * self.fps) if self.fps else last + 1
            due, last = tick > last, max(tick, last)
            return due

        return turn


ALL_FRAMES = FrameSelection()


class EncodedFrame(NamedTuple):
    """A frame that a reader stands at; ``take`` makes its pixels, which costs time, and only now."""

    number: int
    seconds: float
    take: Callable[[], Pixels]


class FrameReader(Protocol):
    """What opens one kind of film. One thread at a time uses it."""

    @property
    def about(self) -> VideoInfo: ...

    @property
    def complaint(self) -> str | None: ...

    def shown(self, start: float) -> Iterator[EncodedFrame]:
        """Every frame in order, from one at or before ``start`` seconds on."""

    def close(self) -> None: ...


@runtime_checkable
class VideoReader(Protocol):
    """Moving pictures that are open. They are read once."""

    @property
    def about(self) -> VideoInfo: ...

    @property
    def complaint(self) -> str | None:
        """What was wrong with a film that could be read only in part; None while nothing was."""

    def frames(self, choice: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        """The chosen frames, in the order they are shown."""

    def close(self) -> None:
        """Let go of the file or the camera; closing twice does nothing."""


#: What can be watched: the path of a film, a GIF or a folder of frames; a film's bytes; a camera's number; an open one.
VideoSource: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | int | VideoReader


class VideoFile:
    """A film that begins and ends, open for one pass. Leaving a ``with`` block closes it."""

    def __init__(
        self, reader: FrameReader, afterwards: Callable[[], None] | None = None, complaint: str | None = None
    ) -> None:
        """``afterwards`` is called once the film is closed; ``complaint`` is what is wrong with its file."""
        self._reader = reader
        self._afterwards = afterwards
        self._complaint = complaint
        # Closing waits for the frame that another thread is just decoding; it must not lose the ground under it.
        self._one = RLock()
        self._closed = False

    @property
    def about(self) -> VideoInfo:
        return self._reader.about

    @property
    def complaint(self) -> str | None:
        return self._complaint or self._reader.complaint

    def frames(self, choice: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        """The chosen frames. A film without any frame, or that ends before ``start``, is a :class:`SourceError`."""
        turn, last = choice.turns(), -inf
        with closing(self._shown(choice.start)) as all_shown:
            for index, seconds, take in all_shown:
                if seconds >= choice.end - TIME_TOLERANCE:
                    return
                last = seconds
                if turn(index, seconds):
                    with self._one:
                        if self._closed:
                            return
                        pixels = take()
                    yield Frame(index, seconds, pixels)
        if last < choice.start - TIME_TOLERANCE:
            raise self._nothing(last, choice)

    def close(self) -> None:
        with self._one:
            if self._closed:
                return
            self._closed = True
            self._reader.close()
            if self._afterwards:
                self._afterwards()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shown(self, start: float) -> Generator[EncodedFrame]:
        shown_ones = self._reader.shown(start)
        while True:
            with self._one:
                each = None if self._closed else next(shown_ones, None)
            if each is None:
                return
            yield each

    def _nothing(self, last: float, choice: FrameSelection) -> SourceError:
        name = quote_source(self.about.name)
        if isfinite(last) or choice.start > (self.about.seconds or inf):
            until = last if isfinite(last) else self.about.seconds
            happened = f"{name} ends after {until:.2f} s, before the start at {choice.start:g} s"
            return SourceError(happened, "A start within the film was expected", "Start earlier")
        damage = f": {self.complaint}" if self.complaint else ""
        return SourceUnreadable(
            f"{name} has no frame that can be shown{damage}",
            "A film with pictures was expected",
            "Play it in a video player; if that fails too, copy or download it again",
        )
