"""The picture that is looked at, in the size of the screen, with boxes and labels that can be read at that size."""

from __future__ import annotations

from typing import NamedTuple

from mien.apps.desktop.pictures import Album, scaled
from mien.apps.desktop.state import Ground
from mien.apps.desktop.worker import NOW, Steps, Task
from mien.results import FrameResult, Pixels


class View(NamedTuple):
    """The painted picture, and how many of its pixels one of the picture's own became."""

    pixels: Pixels
    part: float


class _Wanted(NamedTuple):
    """What is to be painted, and how large."""

    result: FrameResult | None
    pixels: Pixels | None
    size: tuple[int, int]

    def same(self, other: _Wanted | None) -> bool:
        """The very same objects: comparing what is in them would take longer than painting them."""
        if other is None or self.pixels is None:
            return False
        return self.result is other.result and self.pixels is other.pixels and self.size == other.size


class Viewing:
    """Rings ``view`` when the picture is painted in the size that was wanted last."""

    def __init__(self, ground: Ground, album: Album) -> None:
        self._ground, self._album = ground, album
        self._size = (0, 0)
        self._view: tuple[_Wanted, View] | None = None
        self._asked: _Wanted | None = None
        self._task: Task | None = None

    @property
    def view(self) -> View | None:
        """None while it is being painted."""
        return self._view[1] if self._view and self._wanted().same(self._view[0]) else None

    def want(self, width: int, height: int) -> None:
        self._size = width, height
        wanted = self._wanted()
        if wanted.pixels is None or min(self._size) < 8 or wanted.same(self._asked):
            return
        if self._task:
            self._task.cancel()
        self._asked = wanted
        steps = _painting(wanted.pixels, wanted.result, self._size)
        self._task = self._ground.do(steps, lambda view: self._hear(wanted, view), urgency=NOW)

    def forget(self) -> None:
        self._view = self._asked = None

    def _hear(self, wanted: _Wanted, view: View) -> None:
        self._view = wanted, view
        self._ground.bells.ring("view")

    def _wanted(self) -> _Wanted:
        shot = self._album.shot
        return _Wanted(shot.result if shot else None, self._album.pixels, self._size)


def fitted(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """As large as it fits; small pictures at most three times as large as they are."""
    import cv2
    import numpy as np

    height, width = pixels.shape[:2]
    part = min(size[0] / width, size[1] / height, 3.0)
    wanted = max(round(width * part), 1), max(round(height * part), 1)
    way = cv2.INTER_AREA if part < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, wanted, interpolation=way), np.uint8)


def _painting(pixels: Pixels, result: FrameResult | None, size: tuple[int, int]) -> Steps:
    from mien.draw import draw_readings

    shown = fitted(pixels, size)
    if result is None:
        yield View(shown, shown.shape[1] / pixels.shape[1])
        return
    part = shown.shape[1] / result.size[0]
    yield View(draw_readings(shown, scaled(result, part)), part)
