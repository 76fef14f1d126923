"""The detectors that need no file: the Haar cascades of OpenCV, and the whole image as the face."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import exp, log1p
from typing import Generic, TypeVar

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from mien.faces.crop import Framing, crop_face
from mien.faces.tiling import Detection, TilingSettings, convert_to_faces, detect_in_tiles, suppress_overlaps
from mien.results import Box, Face, Pixels

Resource = TypeVar("Resource")


class ObjectPool(Generic[Resource]):
    """Objects that only one thread may use at a time; another one is created when all are in use."""

    def __init__(self, create: Callable[[], Resource]) -> None:
        self._create = create
        self._idle = deque([create()])

    @contextmanager
    def borrow(self) -> Iterator[Resource]:
        try:
            resource = self._idle.pop()
        except IndexError:
            resource = self._create()
        try:
            yield resource
        finally:
            self._idle.append(resource)


class WholeImageDetector:
    """No detection: the whole image is the face."""

    name = "none"

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """One face, the whole image; none if a side of the image is shorter than ``min_face``."""
        height, width = pixels.shape[:2]
        if min(height, width) < max(min_face or 1, 1):
            return ()
        return (Face(Box(0, 0, width, height)),)


# Haar cascades

#: The fast cascade searches the image for windows up to this side, and the image at half the size for larger ones:
#: OpenCV moves windows above twice the cascade's own side by one pixel instead of two, which takes most of the time. In
#: the smaller image a window counts as two, and the steps between two sizes are smaller by HALF_SIZE_STEP.
MAX_FULL_SIZE_WINDOW, HALF_SIZE_WEIGHT, HALF_SIZE_STEP = 47, 2, 0.975

#: The patch in which the candidates of Haar are verified: its size relative to the face, and in pixels.
VERIFICATION_FRAMING, VERIFICATION_SIDE = Framing(1.7), 58

#: The patch in which Haar detects a face near the position in an earlier frame.
NEAR_FRAMING, NEAR_SIDE = Framing(1.9), 60

#: A position in an earlier frame counts as so many windows of the fast cascade.
NEAR_CANDIDATE_COUNT = 4.0

#: Near a position one cascade verifies instead of two, whose boxes are smaller; they are enlarged by this factor.
NEAR_BOX_SCALE = 1.04

#: Logistic regression of the confidence: intercept, and weights of log(1 + n) for the numbers of windows of the three
#: cascades (``haar confidence`` in benchmarks/results/detectors.json).
CONFIDENCE = (-3.82, 1.13, 1.04, 2.27)


class HaarDetector:
    """OpenCV's cascades for frontal, upright faces. They need no download.

    A fast cascade proposes candidates in the reduced image. Two accurate cascades verify each candidate in the full
    image: the confidence depends on the numbers of their windows, and the mean of their windows is the box.
    """

    name = "haar"
    tiling = TilingSettings(smallest=24, area=416 * 312, close_up=144, border=36, linear_above=0.5)

    def __init__(self) -> None:
        self._cascades = ObjectPool(HaarCascades)

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """The faces in an RGB uint8 image, largest first; ``min_face`` is the width of the smallest in pixels."""
        step = 1.2 if min_face is None else 1.1
        with self._cascades.borrow() as cascades:
            candidates = detect_in_tiles(pixels, lambda tile: cascades.propose(tile, step), self.tiling, min_face)
            verified = [cascades.verify(pixels, candidate) for candidate in candidates]
        return convert_to_faces(suppress_overlaps(detection for detection in verified if detection.score >= 0.5))

    def detect_near(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """The faces near these boxes, each once."""
        with self._cascades.borrow() as cascades:
            detections = [cascades.detect_near(pixels, box) for box in boxes]
        return convert_to_faces(suppress_overlaps(detection for detection in detections if detection is not None))


class HaarCascades:
    """The three cascades, for one thread at a time."""

    def __init__(self) -> None:
        self._fast = _load_cascade("frontalface_default")
        self._accurate = _load_cascade("frontalface_alt2"), _load_cascade("frontalface_alt")

    def propose(self, pixels: Pixels, step: float = 1.2) -> list[Detection]:
        """Candidates: groups of windows of the fast cascade. The score is the number of windows in the group."""
        gray = _increase_contrast(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        side = MAX_FULL_SIZE_WINDOW
        windows = [list(map(int, each)) for each in self._fast.detectMultiScale(gray, step, 0, maxSize=(side, side))]
        if min(gray.shape) > side:
            half = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_LINEAR)
            for window in self._fast.detectMultiScale(half, step * HALF_SIZE_STEP, 0):
                windows += [[2 * int(value) for value in window]] * HALF_SIZE_WEIGHT
        # Each window twice: OpenCV drops groups of one.
        twice = [window for window in windows for _ in range(2)]
        boxes, counts = cv2.groupRectangles(twice, 1, 0.2)
        return [
            Detection(float(x), float(y), float(width), float(height), float(int(count) // 2))
            for (x, y, width, height), count in zip(boxes, np.ravel(counts), strict=True)
        ]

    def verify(self, pixels: Pixels, candidate: Detection) -> Detection:
        """The candidate with a more accurate box and its confidence; a confidence below 0.5 means no face."""
        windows_by_cascade = self.find_windows(pixels, candidate)
        score = _compute_confidence(candidate.score, *map(len, windows_by_cascade))
        windows = np.concatenate(windows_by_cascade)
        if not len(windows):
            return candidate._replace(score=score)
        x, y, width, _ = map(float, windows.mean(axis=0))
        return Detection(x, y, width, width, score)

    def find_windows(self, pixels: Pixels, candidate: Detection) -> list[NDArray[np.float64]]:
        """For each accurate cascade its windows ``(n, 4)`` at the candidate, in pixels of the image."""
        face, framing, side = candidate.to_face(), VERIFICATION_FRAMING, VERIFICATION_SIDE
        patch = _increase_contrast(cv2.cvtColor(crop_face(pixels, face, framing, side), cv2.COLOR_RGB2GRAY))
        left, top, size = framing.square(face)
        return [
            _search_patch(cascade, patch, framing, side, 0.25) * (size / side) + (left, top, 0, 0)
            for cascade in self._accurate
        ]

    def detect_near(self, pixels: Pixels, box: Box) -> Detection | None:
        """The face near this box, where a face was in an earlier frame; None if there is none."""
        # The box of an expected position may have fractions of pixels.
        x, y, width, height = map(float, box)
        face, framing, side = Detection(x, y, width, height, 0.0).to_face(), NEAR_FRAMING, NEAR_SIDE
        patch = _increase_contrast(cv2.cvtColor(crop_face(pixels, face, framing, side), cv2.COLOR_RGB2GRAY))
        windows = _search_patch(self._accurate[1], patch, framing, side, 0.45)
        score = _compute_confidence(NEAR_CANDIDATE_COUNT, 0, len(windows))
        if score < 0.5:
            return None
        left, top, size = framing.square(face)
        x, y, width, _ = map(float, windows.mean(axis=0) * (size / side) + (left, top, 0, 0))
        scaled = width * NEAR_BOX_SCALE
        return Detection(x - (scaled - width) / 2, y - (scaled - width) / 2, scaled, scaled, score)


def _load_cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(f"{haarcascades}haarcascade_{name}.xml")


def _increase_contrast(gray: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Dark and hazy images with more contrast: the cascades skip windows whose deviation is below 10 gray values."""
    mean, deviation = (float(values[0, 0]) for values in cv2.meanStdDev(gray))
    if not 0 < deviation < 20:
        return gray
    values = (np.arange(256) - mean) * min(40 / deviation, 8.0) + 128
    return cv2.LUT(gray, np.clip(values, 0, 255).astype(np.uint8))


def _search_patch(
    cascade: cv2.CascadeClassifier, patch: cv2.typing.MatLike, framing: Framing, side: int, max_offset: float
) -> NDArray[np.float64]:
    """The windows ``(n, 4)`` of about the size of the face, and at most ``max_offset`` faces off the patch's centre."""
    face = side / framing.scale
    smallest, largest = round(face * 0.7), round(face * 1.45)
    boxes = cascade.detectMultiScale(patch, 1.1, 0, minSize=(smallest, smallest), maxSize=(largest, largest))
    windows: NDArray[np.float64] = np.asarray(boxes, np.float64).reshape(-1, 4)
    offsets = windows[:, :2] + windows[:, 2:] / 2 - side / 2
    central: NDArray[np.bool_] = np.abs(offsets).max(axis=1, initial=0) < face * max_offset
    return windows[central]


def _compute_confidence(*window_counts: float) -> float:
    """The probability of a face, by the numbers of windows of the three cascades."""
    logit = CONFIDENCE[0] + sum(
        weight * log1p(count) for weight, count in zip(CONFIDENCE[1:], window_counts, strict=True)
    )
    return 1 / (1 + exp(-logit))
