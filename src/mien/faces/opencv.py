"""The detectors that OpenCV brings: Haar cascades, always there, and YuNet, better and faster, from a file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from mien.errors import DetectorError
from mien.faces.scan import Hit, Reach, scan
from mien.types import Box, Face, Pixels, Point

T = TypeVar("T")


class Pool(Generic[T]):
    """Things that only one thread may use at a time: borrowed, given back, and made when all are out."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle = deque([make()])

    @contextmanager
    def borrowed(self) -> Iterator[T]:
        try:
            thing = self._idle.pop()
        except IndexError:
            thing = self._make()
        try:
            yield thing
        finally:
            self._idle.append(thing)


class Whole:
    """No search: the picture is the face."""

    name = "none"

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """One face, the whole picture; a picture narrower than ``min_face`` has none."""
        height, width = pixels.shape[:2]
        if min(height, width) < max(min_face or 1, 1):
            return ()
        return (Face(Box(0, 0, width, height)),)


class Haar:
    """OpenCV's frontal face cascade. Works offline, always; sees faces that look at the camera, upright."""

    name = "haar"
    reach = Reach(smallest=26, long_side=480, tile=960, overlap=240)

    def __init__(self) -> None:
        self._cascades = Pool(lambda: cv2.CascadeClassifier(haarcascades + "haarcascade_frontalface_alt2.xml"))

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """Faces in an RGB uint8 picture, largest first; ``min_face`` is the smallest to look for, in its pixels."""
        with self._cascades.borrowed() as cascade:
            return scan(pixels, lambda view: self._look(cascade, view), self.reach, min_face)

    def _look(self, cascade: cv2.CascadeClassifier, view: Pixels) -> list[Hit]:
        gray = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
        smallest = (self.reach.smallest, self.reach.smallest)
        boxes, neighbours = cascade.detectMultiScale2(gray, 1.15, 4, minSize=smallest)
        return [_square(box, count) for box, count in zip(boxes, np.ravel(neighbours), strict=True)]


class Yunet:
    """YuNet: a small network that also finds eyes, nose and mouth, and faces turned or tilted."""

    name = "yunet"
    reach = Reach(smallest=16, long_side=480, tile=960, overlap=240)

    def __init__(self, path: Path) -> None:
        self._bytes = _model_bytes(path)
        self._nets = Pool(lambda: _network(self._bytes, path))

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """Faces in an RGB uint8 picture, largest first; ``min_face`` is the smallest to look for, in its pixels."""
        with self._nets.borrowed() as net:
            return scan(pixels, lambda view: self._look(net, view), self.reach, min_face)

    def _look(self, net: cv2.FaceDetectorYN, view: Pixels) -> list[Hit]:
        height, width = view.shape[:2]
        net.setInputSize((width, height))
        rows = net.detect(cv2.cvtColor(view, cv2.COLOR_RGB2BGR))[1]
        return [] if rows is None else [_hit(row) for row in rows]


def _square(box: Sequence[int], neighbours: int) -> Hit:
    x, y, width, height = map(float, box)
    return Hit(x, y, width, height, float(neighbours / (neighbours + 4)))


def _hit(row: NDArray[np.float32]) -> Hit:
    x, y, width, height = map(float, row[:4])
    points = tuple(Point(float(px), float(py)) for px, py in row[4:14].reshape(5, 2))
    return Hit(x, y, width, height, float(row[14]), points)


def _model_bytes(path: Path) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DetectorError(
            f"The YuNet file {path} cannot be read ({error.strerror})",
            "the file that 'mien models pull yunet' fetches",
            "Fetch it again with 'mien models pull yunet', or use detector 'haar', which needs no file",
        ) from error


def _network(content: NDArray[np.uint8], path: Path) -> cv2.FaceDetectorYN:
    nothing = np.empty(0, np.uint8)
    try:
        net = cv2.FaceDetectorYN.create("onnx", content, nothing, (64, 64), 0.6, 0.3, 5000)
        net.detect(np.zeros((64, 64, 3), np.uint8))
    except cv2.error as error:
        raise DetectorError(
            f"The YuNet file {path} is damaged or is another model",
            "the file that 'mien models pull yunet' fetches",
            "Fetch it again with 'mien models pull yunet', or use detector 'haar', which needs no file",
        ) from error
    return net
