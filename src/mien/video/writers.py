"""Writing videos: a complete file or none, playable also when writing was interrupted."""

from __future__ import annotations

import contextlib
import os
import shutil
from os import PathLike
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mien.errors import OutputError, suggest_name
from mien.files import temporary_path
from mien.images.decoder_warnings import silence_ffmpeg, silence_stderr
from mien.images.sources import quote_source
from mien.results import Pixels
from mien.video.frames import ClosingContext
from mien.video.readers import has_pyav, require_pyav

#: Suffixes that can be written, and the packages they need. Every browser plays both; only PyAV writes H.264.
VIDEO_SUFFIXES = {".webm": None, ".mp4": "PyAV"}

#: OpenCV writes at most so many frames a second: a wrong frame rate must not fill the disk.
_MAX_FPS = 60.0

#: Bytes. A disk with less free space is full.
_MIN_FREE_SPACE = 1 << 18


class VideoEncoder(Protocol):
    """Encodes frames into a file. ``OSError`` and ``ValueError`` mean that the file could not be written."""

    def write(self, pixels: Pixels, seconds: float) -> None:
        """One frame, RGB uint8 of the video's size, shown from ``seconds`` on."""

    def close(self) -> None:
        """Finish the file."""


def open_writer(
    path: str | PathLike[str],
    size: tuple[int, int],
    fps: float | None = None,
    *,
    audio: str | PathLike[str] | None = None,
    start: float = 0.0,
) -> VideoWriter:
    """A video file for frames of ``size`` (width, height): ``.webm``, or ``.mp4`` with the extra 'video'.

    ``fps`` is the approximate frame rate; each frame has its own time. ``audio`` names a video whose audio track is
    copied, from ``start`` seconds on; times of frames are then relative to ``start`` too. Without PyAV there is no
    audio.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        raise OutputError(
            f"No video can be written to {quote_source(path)}: "
            + (f"the format '{suffix}' is not supported" if suffix else "it has no suffix"),
            f"Expected one of {', '.join(VIDEO_SUFFIXES)}",
            suggest_name(suffix, VIDEO_SUFFIXES) or "Name a .webm file, which every browser plays",
        )
    if VIDEO_SUFFIXES[suffix]:
        require_pyav(f"Writing {suffix} (H.264)", "name a .webm file, which works now")
    # Codecs store the colours of 2 x 2 pixels together, so the sides have to be even.
    even_size = size[0] + size[0] % 2, size[1] + size[1] % 2
    with contextlib.ExitStack() as stack:
        try:
            # Encoders take the container from the suffix.
            part = stack.enter_context(temporary_path(Path(os.path.realpath(target)), suffix))
            part.touch(exist_ok=False)
            encoder: VideoEncoder
            if has_pyav():
                from mien.video.pyav import PyAVEncoder

                encoder = PyAVEncoder(part, even_size, fps or 25.0, audio, start)
            else:
                encoder = OpenCVEncoder(part, even_size, fps or 25.0, start)
        except (OSError, ValueError) as error:
            raise _write_error(path, error) from error
        return VideoWriter(target, size, encoder, part, stack.pop_all())


class VideoWriter(ClosingContext):
    """A video file being written. The file appears when it is closed, with the frames that were written until then.

    Leaving a ``with`` block closes it, also when an exception or Ctrl-C ends the block: the file is then a complete,
    shorter video. Without any frame no file is written, and an existing file is not changed.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], encoder: VideoEncoder, part: Path, remove_part: contextlib.ExitStack
    ) -> None:
        self._path, self._size, self._encoder, self._part = path, size, encoder, part
        self._remove_part = remove_part
        self._closed = False
        self.frames = 0

    def write(self, pixels: Pixels, seconds: float) -> None:
        """Add a frame, RGB uint8 ``(h, w, 3)``, shown from ``seconds`` until the time of the next one.

        A frame of another size is scaled to the video's. Raises :class:`OutputError`.
        """
        if pixels.shape[:2] != self._size[::-1]:
            pixels = np.asarray(cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            self._encoder.write(np.ascontiguousarray(pixels), max(seconds, 0.0))
        except (OSError, ValueError) as error:
            raise _write_error(self._path, error) from error
        self.frames += 1

    def close(self) -> None:
        """Finish the video and move it to its path; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._encoder.close()
            if self.frames:
                self._part.replace(os.path.realpath(self._path))
        except (OSError, ValueError) as error:
            raise _write_error(self._path, error) from error
        finally:
            self._remove_part.close()

    def discard(self) -> None:
        """Delete what was written."""
        self.frames = 0
        with contextlib.suppress(OutputError):
            self.close()


class OpenCVEncoder:
    """WebM with VP8 at a constant frame rate, without audio: frames are repeated or left out to keep their times."""

    def __init__(self, part: Path, size: tuple[int, int], fps: float, start: float) -> None:
        self._fps, self._start = min(max(fps, 1.0), _MAX_FPS), start
        silence_ffmpeg()
        with silence_stderr():
            self._writer = cv2.VideoWriter(str(part), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), self._fps, size)
        if not self._writer.isOpened():
            raise OSError("OpenCV's encoder for WebM did not start")
        self._part, self._ticks = part, 0
        self._last: Pixels | None = None

    def write(self, pixels: Pixels, seconds: float) -> None:
        if self._last is not None:
            self._repeat_last(round((seconds - self._start) * self._fps))
        self._last = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)

    def close(self) -> None:
        if self._last is not None:
            self._repeat_last(self._ticks + 1)
        self._writer.release()
        # OpenCV does not report that it cannot write.
        if self._ticks and (
            not self._part.stat().st_size or shutil.disk_usage(self._part.parent).free < _MIN_FREE_SPACE
        ):
            raise OSError("there is no space left on the disk")

    def _repeat_last(self, tick: int) -> None:
        """Write the last frame until ``tick``, the index of the next frame at the constant rate."""
        assert self._last is not None
        while self._ticks < tick:
            self._writer.write(self._last)
            self._ticks += 1


def _write_error(path: str | PathLike[str], error: OSError | ValueError) -> OutputError:
    reason = getattr(error, "strerror", None) or error
    return OutputError(
        f"The video {quote_source(path)} could not be written: {reason}",
        "A writable folder with enough free space was expected",
        "Free some space, or name another file",
    )
