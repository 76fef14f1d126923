"""The detectors that OpenCV brings: Haar cascades, always there, and YuNet, better and faster, from a file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import exp, log1p
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from mien.errors import DetectorError
from mien.faces.crop import Framing, crop_face
from mien.faces.tiling import Detection, TilingSettings, convert_to_faces, detect_in_tiles, suppress_overlaps
from mien.results import Box, Face, Pixels, Point

T = TypeVar("T")

#: The patch in which Haar looks again at a face: so much around it, reduced to so many pixels.
AROUND, PATCH = Framing(1.7), 58
#: Constant, and the weights of log(1 + n) for the windows of the three cascades that agree: how likely it is a face
#: (``haar confidence`` in benchmarks/results/detectors.json).
CONFIDENCE = (-3.82, 1.13, 1.04, 2.27)

#: The patch in which Haar looks for a face that was there a moment ago, and how many windows that is worth.
ONWARD, ONWARD_PATCH, PROPOSED = Framing(1.9), 60, 4.0
#: One cascade sees faces smaller than two do; so much is added, or boxes would shrink from look to look.
ONWARD_SIZE = 1.04

#: YuNet's coarsest map needs two cells each way: on views of 32 pixels and less OpenCV 4.14 answers from memory that
#: nobody wrote.
NARROWEST = 64
#: The patch in which YuNet looks for a face that was there a moment ago.
AGAIN, AGAIN_PATCH = Framing(2.4), 96
#: How many sizes of view stay planned for each thread.
KEPT = 4


class ObjectPool(Generic[T]):
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


class WholeImageDetector:
    """No search: the picture is the face."""

    name = "none"

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """One face, the whole picture; a picture narrower than ``min_face`` has none."""
        height, width = pixels.shape[:2]
        if min(height, width) < max(min_face or 1, 1):
            return ()
        return (Face(Box(0, 0, width, height)),)


class HaarDetector:
    """OpenCV's frontal face cascades. They work offline, always; they see faces that look at the camera, upright.

    A quick cascade proposes on a reduced picture; two careful ones look again at each place in the full picture. How
    often those two say yes is the confidence, and the mean of their windows is the box.
    """

    name = "haar"
    reach = TilingSettings(smallest=24, area=416 * 312, close=144, border=36)

    def __init__(self) -> None:
        self._cascades = ObjectPool(HaarCascades)

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """Faces in an RGB uint8 picture, largest first; ``min_face`` is the smallest to look for, in its pixels."""
        step = 1.2 if min_face is None else 1.1
        with self._cascades.borrowed() as cascades:
            proposed = detect_in_tiles(pixels, lambda view: cascades.propose(view, step), self.reach, min_face)
            looked = [cascades.look_again(pixels, hit) for hit in proposed]
        return convert_to_faces(suppress_overlaps(hit for hit in looked if hit.score >= 0.5))

    def detect_near(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """Faces at about these boxes, each once."""
        with self._cascades.borrowed() as cascades:
            looked = [cascades.look_near(pixels, box) for box in boxes]
        return convert_to_faces(suppress_overlaps(hit for hit in looked if hit is not None))


class HaarCascades:
    """The three cascades, for one thread at a time."""

    def __init__(self) -> None:
        self._quick = _cascade("frontalface_default")
        self._careful = _cascade("frontalface_alt2"), _cascade("frontalface_alt")

    def propose(self, view: Pixels, step: float = 1.2) -> list[Detection]:
        gray = _stretched(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY))
        return _grouped(self._quick.detectMultiScale(gray, step, 0))

    def look_again(self, pixels: Pixels, hit: Detection) -> Detection:
        """The hit with a finer box and a confidence; a confidence under one half means no face."""
        found = self.agreeing(pixels, hit)
        score = _confidence(hit.score, *(len(windows) for windows in found))
        windows = np.concatenate(found)
        if not len(windows):
            return hit._replace(score=score)
        x, y, width, _ = map(float, windows.mean(axis=0))
        return Detection(x, y, width, width, score)

    def look_near(self, pixels: Pixels, box: Box) -> Detection | None:
        """The face at about this box. That one was there a moment ago is taken for what the quick cascade would say."""
        x, y, width, height = map(float, box)
        face = Detection(x, y, width, height, 0.0).face()
        patch = _stretched(cv2.cvtColor(crop_face(pixels, face, ONWARD, ONWARD_PATCH), cv2.COLOR_RGB2GRAY))
        left, top, size = ONWARD.square(face)
        windows = _windows(self._careful[1], patch, ONWARD, ONWARD_PATCH, 0.45)
        score = _confidence(PROPOSED, 0, len(windows))
        if score < 0.5:
            return None
        x, y, side, _ = map(float, windows.mean(axis=0) * (size / ONWARD_PATCH) + (left, top, 0, 0))
        grown = side * ONWARD_SIZE
        return Detection(x - (grown - side) / 2, y - (grown - side) / 2, grown, grown, score)

    def agreeing(self, pixels: Pixels, hit: Detection) -> list[NDArray[np.float64]]:
        """For each careful cascade its windows ``(n, 4)`` that see a face here, in pixels of the picture."""
        face = hit.face()
        patch = _stretched(cv2.cvtColor(crop_face(pixels, face, AROUND, PATCH), cv2.COLOR_RGB2GRAY))
        left, top, size = AROUND.square(face)
        return [
            _windows(cascade, patch, AROUND, PATCH, 0.25) * (size / PATCH) + (left, top, 0, 0)
            for cascade in self._careful
        ]


class YunetDetector:
    """YuNet: a small network that also finds eyes, nose and mouth, and faces turned or tilted."""

    name = "yunet"
    reach = TilingSettings(smallest=18, area=576 * 432, close=192)

    def __init__(self, path: Path) -> None:
        content = _model_bytes(path)
        self._nets = ObjectPool(lambda: YunetNetworks(lambda: _network(content, path)))

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """Faces in an RGB uint8 picture, largest first; ``min_face`` is the smallest to look for, in its pixels."""
        with self._nets.borrowed() as nets:
            return convert_to_faces(detect_in_tiles(pixels, nets.look, self.reach, min_face))

    def detect_near(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """Faces at about these boxes, each once."""
        with self._nets.borrowed() as nets:
            hits = [hit for box in boxes for hit in nets.look_near(pixels, box)]
        return convert_to_faces(suppress_overlaps(hits))


class YunetNetworks:
    """YuNet for one thread at a time.

    OpenCV plans a net for one size of view, and a new size costs half a look: nets of the last few sizes are kept.
    """

    def __init__(self, make: Callable[[], cv2.FaceDetectorYN]) -> None:
        self._make = make
        self._planned = {(0, 0): make()}

    def look(self, view: Pixels) -> list[Detection]:
        height, width = view.shape[:2]
        right, below = max(NARROWEST - width, 0), max(NARROWEST - height, 0)
        shown = cv2.copyMakeBorder(view, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(127, 127, 127))
        net = self._net(width + right, height + below)
        net.setInputSize((width + right, height + below))
        rows = net.detect(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))[1]
        return [] if rows is None else [_hit(row) for row in rows if np.isfinite(row).all()]

    def look_near(self, pixels: Pixels, box: Box) -> Iterator[Detection]:
        """Faces in a patch around a box, larger than half of it: a face at a patch's edge is somebody else's."""
        left, top, size = AGAIN.square(Face(box))
        scale = AGAIN_PATCH / size
        for hit in self.look(crop_face(pixels, Face(box), AGAIN, AGAIN_PATCH)):
            x, y = hit.x + hit.width / 2, hit.y + hit.height / 2
            if min(x, y, AGAIN_PATCH - x, AGAIN_PATCH - y) > 0.15 * AGAIN_PATCH:
                yield hit.moved(scale, left, top)

    def _net(self, width: int, height: int) -> cv2.FaceDetectorYN:
        size = -(-width // 32), -(-height // 32)  # YuNet sees whole cells of 32 pixels
        net = self._planned.pop(size, None)
        if net is None and len(self._planned) >= KEPT:
            net = self._planned.pop(next(iter(self._planned)))
        self._planned[size] = net or self._make()
        return self._planned[size]


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(f"{haarcascades}haarcascade_{name}.xml")


def _stretched(gray: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Dark and hazy pictures with more contrast: OpenCV's cascades skip windows that deviate by less than 10 grays."""
    mean, deviation = (float(values[0, 0]) for values in cv2.meanStdDev(gray))
    if not 0 < deviation < 20:
        return gray
    gains = (np.arange(256) - mean) * min(40 / deviation, 8.0) + 128
    return cv2.LUT(gray, np.clip(gains, 0, 255).astype(np.uint8))


def _grouped(windows: Sequence[Sequence[int]]) -> list[Detection]:
    """Windows of about the same place and size as one hit whose score is their number, single ones included."""
    twice = [list(map(int, window)) for window in windows for _ in range(2)]  # OpenCV drops groups of one
    boxes, counts = cv2.groupRectangles(twice, 1, 0.2)
    return [_square(box, int(count) // 2) for box, count in zip(boxes, np.ravel(counts), strict=True)]


def _square(box: Sequence[int], neighbours: int) -> Detection:
    x, y, width, height = map(float, box)
    return Detection(x, y, width, height, float(neighbours))


def _windows(
    cascade: cv2.CascadeClassifier, patch: cv2.typing.MatLike, around: Framing, side: int, off: float
) -> NDArray[np.float64]:
    """Every window ``(n, 4)`` that passes the cascade, about as large as the face and at most ``off`` faces from it."""
    face = side / around.scale
    smallest, largest = round(face * 0.7), round(face * 1.45)
    boxes = cascade.detectMultiScale(patch, 1.1, 0, minSize=(smallest, smallest), maxSize=(largest, largest))
    windows: NDArray[np.float64] = np.asarray(boxes, np.float64).reshape(-1, 4)
    away = windows[:, :2] + windows[:, 2:] / 2 - side / 2
    near: NDArray[np.bool_] = np.abs(away).max(axis=1, initial=0) < face * off
    return windows[near]


def _confidence(proposals: float, *votes: int) -> float:
    """How likely the place is a face, from how many windows of each cascade agreed."""
    sure = CONFIDENCE[0] + sum(
        weight * log1p(count) for weight, count in zip(CONFIDENCE[1:], (proposals, *votes), strict=True)
    )
    return 1 / (1 + exp(-sure))


def _hit(row: NDArray[np.float32]) -> Detection:
    x, y, width, height = map(float, row[:4])
    points = tuple(Point(float(px), float(py)) for px, py in row[4:14].reshape(5, 2))
    return Detection(x, y, width, height, float(row[14]), points)


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
