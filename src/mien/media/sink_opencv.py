"""Films written by OpenCV: WebM with VP8, at an even rate, without sound."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from mien.media.quiet import hush_ffmpeg, hushed
from mien.types import Pixels

#: Nobody sees more than so many frames in a second, and a wrong rate must not fill the disk.
_FASTEST = 60.0

#: Bytes that a disk has left where nothing went wrong.
_ROOM = 1 << 18


class OpenCVWriter:
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
