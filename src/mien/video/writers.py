"""Films written by OpenCV: WebM with VP8, at an even rate, without sound."""

from __future__ import annotations

import contextlib
import os
import shutil
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np

from mien.errors import OutputError, nearest
from mien.files import temporary_path
from mien.images.decoder_warnings import hush_ffmpeg, hushed
from mien.images.sources import quote_source
from mien.results import Pixels
from mien.video.readers import has_pyav, require_pyav

#: Nobody sees more than so many frames in a second, and a wrong rate must not fill the disk.
_FASTEST = 60.0

#: Bytes that a disk has left where nothing went wrong.
_ROOM = 1 << 18


class OpenCVEncoder:
    """Frames are repeated or left out until they come at their times: OpenCV writes one frame a tick."""

    def __init__(self, part: Path, size: tuple[int, int], rate: float, start: float) -> None:
        self._rate, self._start = min(max(rate, 1.0), _FASTEST), start
        hush_ffmpeg()
        with hushed():
            self._out = cv2.VideoWriter(str(part), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), self._rate, size)
        if not self._out.isOpened():
            raise OSError("OpenCV's encoder for WebM did not start")
        self._part, self._ticks = part, 0
        self._last: Pixels | None = None

    def write(self, pixels: Pixels, seconds: float) -> None:
        tick = round((seconds - self._start) * self._rate)
        if self._last is not None:
            self._repeat(tick)
        self._last = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)

    def close(self) -> None:
        if self._last is not None:
            self._repeat(self._ticks + 1)
        self._out.release()
        # OpenCV does not say when it cannot write.
        if self._ticks and (not self._part.stat().st_size or shutil.disk_usage(self._part.parent).free < _ROOM):
            raise OSError("there is no room left on the disk")

    def _repeat(self, until: int) -> None:
        """Show the last frame up to a tick; before the first tick there is nothing to show."""
        assert self._last is not None
        while self._ticks < until:
            self._out.write(self._last)
            self._ticks += 1


# ==== mien.media.sinks
# Frames into a film file: whole or not at all, and playable wherever it was left off.

#: What can be written, and what it needs. VP8 plays in every browser; so does H.264, which only PyAV writes.
VIDEO_SUFFIXES = {".webm": None, ".mp4": "PyAV"}


class VideoEncoder(Protocol):
    """What encodes. ``OSError`` and ``ValueError`` mean that the file could not be written."""

    def write(self, pixels: Pixels, seconds: float) -> None:
        """One frame, RGB uint8 of the size announced, shown from ``seconds`` on."""

    def close(self) -> None:
        """Finish the file."""


class VideoWriter:
    """A film file being written. It appears under its name when it is closed, with the frames that came until then.

    Leaving a ``with`` block closes it, also when an exception or Ctrl-C ends the block: what is there is then a whole,
    shorter film. A sink that got no frame leaves nothing behind, and a file that was there as it was.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], writer: VideoEncoder, part: Path, remove_part: contextlib.ExitStack
    ) -> None:
        self._path, self._size, self._writer, self._part = path, size, writer, part
        self._remove_part = remove_part
        self._closed = False
        self.frames = 0

    def write(self, pixels: Pixels, seconds: float) -> None:
        """Add a frame, RGB uint8 ``(h, w, 3)``, shown from ``seconds`` on until the next one comes.

        A frame of another size is scaled to the film's. Raises :class:`OutputError`.
        """
        if pixels.shape[:2] != self._size[::-1]:
            pixels = _scaled(pixels, self._size)
        try:
            self._writer.write(_evened(pixels), max(seconds, 0.0))
        except (OSError, ValueError) as error:
            raise _not_written(self._path, error) from error
        self.frames += 1

    def close(self) -> None:
        """Finish the film and put it under its name; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._writer.close()
            if self.frames:
                self._part.replace(os.path.realpath(self._path))
        except (OSError, ValueError) as error:
            raise _not_written(self._path, error) from error
        finally:
            self._remove_part.close()

    def discard(self) -> None:
        """Leave nothing of what was written."""
        self.frames = 0
        with contextlib.suppress(OutputError):
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_writer(
    path: str | PathLike[str],
    size: tuple[int, int],
    rate: float | None = None,
    *,
    sound: str | PathLike[str] | None = None,
    start: float = 0.0,
) -> VideoWriter:
    """A film file to write frames of ``size`` (width, height) into: ``.webm``, or ``.mp4`` with the extra 'video'.

    ``rate`` is about how many frames a second will come; their own times are kept. ``sound`` names a film whose sound
    goes along, from ``start`` seconds on; frames are then timed from there too. Without PyAV there is no sound.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        raise OutputError(
            f"No film can be written to {quote_source(path)}: "
            + (f"'{suffix}' is no format we write" if suffix else "it has no suffix"),
            f"Expected one of {', '.join(VIDEO_SUFFIXES)}",
            nearest(suffix, VIDEO_SUFFIXES) or "Name a .webm file, which every browser plays",
        )
    if VIDEO_SUFFIXES[suffix]:
        require_pyav(f"Writing {suffix} (H.264)", "name a .webm file, which works now")
    with contextlib.ExitStack() as stack:
        try:
            # Encoders take the container from the suffix.
            part = stack.enter_context(temporary_path(Path(os.path.realpath(target)), suffix))
            part.touch(exist_ok=False)
            writer = _writer(part, _even(size), rate or 25.0, sound, start)
        except (OSError, ValueError) as error:
            raise _not_written(path, error) from error
        return VideoWriter(target, size, writer, part, stack.pop_all())


def _writer(part: Path, size: tuple[int, int], rate: float, sound: str | PathLike[str] | None, start: float) -> VideoEncoder:
    if has_pyav():
        from mien.video.writer_pyav import PyAVEncoder

        return PyAVEncoder(part, size, rate, sound, start)
    pass

    return OpenCVEncoder(part, size, rate, start)


def _even(size: tuple[int, int]) -> tuple[int, int]:
    """Codecs let two pixels each way share their colours, and so sides are even."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def _evened(pixels: Pixels) -> Pixels:
    """With the last row and column twice, where their number is odd."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)


def _scaled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    import cv2

    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _not_written(path: str | PathLike[str], error: OSError | ValueError) -> OutputError:
    reason = getattr(error, "strerror", None) or error
    return OutputError(
        f"The film {quote_source(path)} could not be written: {reason}",
        "A folder with room that may be written to was expected",
        "Make room, or name another place",
    )
