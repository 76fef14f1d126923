"""Film files by OpenCV, which every installation of mien has."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import cv2
import numpy as np

from mien.images.decoder_warnings import hush_ffmpeg
from mien.results import Pixels
from mien.video.frames import EncodedFrame, VideoInfo

#: Going straight to a place pays from so many seconds on; OpenCV may miss it, so it aims so much before.
_FAR, _BEFORE = 10.0, 3.0


class OpenCVReader:
    """A film file. OpenCV turns its frames upright by itself. It does not know of sound."""

    complaint: str | None = None

    def __init__(self, path: str, name: str, *, timeline: bool = False) -> None:
        """``timeline`` says that the container's clock begins at 0, whenever the first frame comes (mp4, mov)."""
        self._path, self._timeline = path, timeline
        self._capture = open_capture(path, cv2.CAP_FFMPEG)
        self.about = self._told(name)

    def __bool__(self) -> bool:
        """Is it open, with pictures in it?"""
        return self._capture.isOpened() and min(self.about.size) > 0

    def shown(self, start: float) -> Iterator[EncodedFrame]:
        index = self._near(start)
        late, before = None, 0.0
        while self._capture.grab():
            if late is None:
                late = self._late(index)
            before = max(before, self._seconds() + late)
            yield EncodedFrame(index, round(before, 6), self._take)
            index += 1

    def close(self) -> None:
        self._capture.release()

    def _take(self) -> Pixels:
        there, frame = self._capture.retrieve()
        if not there:  # a damaged frame that could be grabbed and not decoded
            return np.zeros((self.about.size[1], self.about.size[0], 3), np.uint8)
        if frame.ndim == 2:
            return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB), np.uint8)
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB, dst=frame), np.uint8)

    def _near(self, start: float) -> int:
        """Move to a little before ``start`` where that is far; the number of the frame that comes next."""
        rate = self.about.rate
        if start < _FAR or not rate:
            return 0
        self._capture.set(cv2.CAP_PROP_POS_MSEC, (start - _BEFORE) * 1000)
        index = self._get(cv2.CAP_PROP_POS_FRAMES)
        # A frame is grabbed to learn where this is; the next one is what readers see first.
        if self._capture.grab() and 0 < self._seconds() < start - 1 / rate:
            return round(self._seconds() * rate) + 1 if index else 0
        self._capture.release()
        self._capture = open_capture(self._path, cv2.CAP_FFMPEG)
        return 0

    def _late(self, index: int) -> float:
        """How long after the container's own beginning the first frame comes; OpenCV counts from that frame."""
        if not self._timeline or not self.about.rate or index:
            return 0.0
        return max(self._capture.get(cv2.CAP_PROP_PTS) / self.about.rate, 0.0)

    def _seconds(self) -> float:
        return self._get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _get(self, what: int) -> float:
        value = self._capture.get(what)
        return value if isfinite(value) and value > 0 else 0.0

    def _told(self, name: str) -> VideoInfo:
        width, height = int(self._get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._get(cv2.CAP_PROP_FRAME_HEIGHT))
        rate, frames = self._get(cv2.CAP_PROP_FPS), int(self._get(cv2.CAP_PROP_FRAME_COUNT))
        seconds = frames / rate if rate and frames else None
        return VideoInfo(name, (width, height), rate or None, seconds, frames or None)


def open_capture(source: str | int, api: int = cv2.CAP_ANY) -> cv2.VideoCapture:
    """A ``cv2.VideoCapture`` that writes nothing to the terminal."""
    hush_ffmpeg()
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(source, api)
    finally:
        cv2.utils.logging.setLogLevel(level)
