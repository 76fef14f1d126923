"""Video files read with OpenCV, which every installation of mien has."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import cv2
import numpy as np

from mien.images.decoder_warnings import silence_ffmpeg
from mien.results import Pixels
from mien.video.frames import EncodedFrame, VideoInfo

#: Seconds. Seeking is faster than reading from this start on; OpenCV's seek is inexact, so it aims so much earlier.
_SEEK_FROM, _SEEK_MARGIN = 10.0, 3.0


class OpenCVReader:
    """A video file. OpenCV applies the rotation of the container and does not report audio."""

    damage: str | None = None

    def __init__(self, path: str, name: str, *, timeline: bool = False) -> None:
        """``timeline``: the container's clock begins at 0, and the first frame may come later (mp4, mov)."""
        self._path, self._timeline = path, timeline
        self._capture = open_capture(path, cv2.CAP_FFMPEG)
        self.info = self._read_info(name)

    @property
    def is_open(self) -> bool:
        """False for a file that OpenCV cannot read, or that has no video stream."""
        return self._capture.isOpened() and min(self.info.size) > 0

    def read_from(self, start: float) -> Iterator[EncodedFrame]:
        index = self._seek(start)
        delay, seconds = None, 0.0
        while self._capture.grab():
            if delay is None:
                delay = self._first_frame_delay(index)
            seconds = max(seconds, self._seconds() + delay)
            yield EncodedFrame(index, round(seconds, 6), self._decode)
            index += 1

    def close(self) -> None:
        self._capture.release()

    def _decode(self) -> Pixels:
        success, frame = self._capture.retrieve()
        if not success:  # a damaged frame that could be read from the file but not decoded
            return np.zeros((self.info.size[1], self.info.size[0], 3), np.uint8)
        if frame.ndim == 2:
            return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB), np.uint8)
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB, dst=frame), np.uint8)

    def _seek(self, start: float) -> int:
        """Seek to a little before ``start`` if that is far; returns the index of the next frame."""
        fps = self.info.fps
        if start < _SEEK_FROM or not fps:
            if self._get(cv2.CAP_PROP_POS_FRAMES):
                self._reopen()
            return 0
        self._capture.set(cv2.CAP_PROP_POS_MSEC, (start - _SEEK_MARGIN) * 1000)
        index = self._get(cv2.CAP_PROP_POS_FRAMES)
        # One frame is read to get the position after the seek; the caller's first frame is the next one.
        if self._capture.grab() and 0 < self._seconds() < start - 1 / fps:
            return round(self._seconds() * fps) + 1 if index else 0
        self._reopen()
        return 0

    def _reopen(self) -> None:
        self._capture.release()
        self._capture = open_capture(self._path, cv2.CAP_FFMPEG)

    def _first_frame_delay(self, index: int) -> float:
        """Seconds from the container's zero to the first frame; OpenCV counts from the first frame."""
        if not self._timeline or not self.info.fps or index:
            return 0.0
        return max(self._capture.get(cv2.CAP_PROP_PTS) / self.info.fps, 0.0)

    def _seconds(self) -> float:
        return self._get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _get(self, property_id: int) -> float:
        value = self._capture.get(property_id)
        return value if isfinite(value) and value > 0 else 0.0

    def _read_info(self, name: str) -> VideoInfo:
        width, height = int(self._get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps, frames = self._get(cv2.CAP_PROP_FPS), int(self._get(cv2.CAP_PROP_FRAME_COUNT))
        seconds = frames / fps if fps and frames else None
        return VideoInfo(name, (width, height), fps or None, seconds, frames or None)


def open_capture(source: str | int, api: int = cv2.CAP_ANY) -> cv2.VideoCapture:
    """A ``cv2.VideoCapture`` that writes nothing to the terminal."""
    silence_ffmpeg()
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(source, api)
    finally:
        cv2.utils.logging.setLogLevel(level)
