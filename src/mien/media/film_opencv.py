"""Films by OpenCV, which every installation of mien has."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from threading import Lock

import cv2
import numpy as np

from mien.media.film import About, Frame
from mien.types import Pixels


class OpenCVFilm:
    """A film file. OpenCV turns frames upright by itself."""

    complaint: str | None = None

    def __init__(self, path: str, name: str) -> None:
        self._lock = Lock()
        self._capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        self.about = self._told(name)

    def frames(self, start: float = 0.0) -> Iterator[Frame]:
        index = 0
        while (pixels := self._next()) is not None:
            seconds = self._get(cv2.CAP_PROP_POS_MSEC) / 1000
            if seconds >= start:
                yield Frame(index, seconds, pixels)
            index += 1

    def close(self) -> None:
        with self._lock:
            self._capture.release()

    def _next(self) -> Pixels | None:
        with self._lock:
            there, frame = self._capture.read()
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8) if there else None

    def _get(self, what: int) -> float:
        value = self._capture.get(what)
        return value if isfinite(value) and value > 0 else 0.0

    def _told(self, name: str) -> About:
        width, height = self._get(cv2.CAP_PROP_FRAME_WIDTH), self._get(cv2.CAP_PROP_FRAME_HEIGHT)
        rate, frames = self._get(cv2.CAP_PROP_FPS), self._get(cv2.CAP_PROP_FRAME_COUNT)
        return About(name, (int(width), int(height)), rate or None, frames / rate if rate else None, int(frames))
