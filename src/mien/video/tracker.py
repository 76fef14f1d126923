"""Tracking of faces through one video: detection schedule, assignment to tracks, scene cuts and interpolation.

For each frame, in this order:

1. :class:`SceneCutDetector` says whether a new shot begins. Tracks end with the shot.
2. :class:`DetectionSchedule` runs the detector on the whole frame now and then, and at each cut. It has no knowledge
   of tracks, so it may run ahead in another thread.
3. :class:`FaceTracker` runs the detector near the expected positions of tracks in between, and assigns all faces to
   tracks with :class:`Tracker`.
4. :class:`InterpolatingTracker` skips even that for most frames, and interpolates the faces in them.

:class:`Tracker` predicts the position of each track with its velocity and assigns faces to tracks with the Hungarian
algorithm; the cost is distance, change of size and difference of appearance. Appearance is a colour histogram and a
few cells of the head: enough to tell two people apart whose paths cross. It is stored only in the journal of a video
(``video/journal.py``), which is deleted when the analysis is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import exp, hypot, inf, log, sqrt
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.faces.detectors import Detector
from mien.faces.tiling import compute_overlap
from mien.results import Box, Face, Pixels, Point

# Parameters. Distances are in face sizes: the distance of two centres divided by the side of a face.

#: Seconds between two detections on the whole frame, for detectors that can detect near a position.
FULL_DETECTION_SECONDS = 0.3
#: Seconds between two detections near the tracks; frames in between are interpolated.
NEAR_DETECTION_SECONDS = 0.06

#: Seconds without a face after which a track ends.
MAX_MISSED_SECONDS = 2.0
#: Seconds without a face after which a track is no longer searched near its expected position.
SEARCH_NEAR_SECONDS = 0.4
#: Detector confidence that starts a track: of one face, or in sum over several frames.
CONFIDENCE, CONFIDENCE_SUM = 0.8, 1.7

#: Largest distance of a face from the expected position of its track: at once, more for each second without a face,
#: and at most.
REACH, REACH_PER_SECOND, MAX_REACH = 0.9, 3.0, 3.5
#: Largest factor between the size of a face and the size of its track.
MAX_SCALE = 1.8
#: Appearance distance above which a face does not belong to a track: right after its last face, and after a while.
MAX_APPEARANCE_DISTANCE, MAX_LATE_APPEARANCE_DISTANCE = 0.6, 0.3
#: Appearance distance below which a face belongs to a track though it moved too far, within so many seconds.
SAME_APPEARANCE, RECENT_SECONDS = 0.12, 0.25
#: A face so near to the expected position is assigned without comparing appearances, if no other is within the second.
VERY_NEAR, ALONE_WITHIN = 0.4, 1.5
#: Weights of the change of size and of the appearance distance in the cost of an assignment; the distance has 1.
SCALE_WEIGHT, APPEARANCE_WEIGHT = 0.5, 4.0

#: Seconds between two updates of the appearance of a track.
APPEARANCE_UPDATE_SECONDS = 0.2
#: Time constants in seconds of the averages of velocity and size: boxes of detectors are noisy.
VELOCITY_SECONDS, SIZE_SECONDS = 0.15, 0.3
#: Time constant in seconds with which the velocity of a track without a face decreases.
SLOWDOWN_SECONDS = 0.5

#: Difference of two thumbnails (0 equal, 1 unrelated) above which a new shot begins.
SCENE_CUT = 0.55
#: Width and height of the thumbnails, and a variance in gray values that is added: noise on black is no scene cut.
_THUMBNAIL, _MIN_VARIANCE = (32, 18), 30.0

#: Appearance: width and height of the image of the head, and of its cells.
_HEAD, _CELLS = (24, 36), (8, 12)
#: Horizontal bands (hair, face, collar) with a colour histogram each; its bins and range (a and b of Lab).
_BANDS, _BINS, _RANGE = 3, 8, (88.0, 168.0)
#: The part of the cells that is compared, the most similar ones (others may be occluded), and the weight of cells.
_COMPARED_CELLS, _CELL_WEIGHT = 0.6, 0.3

# Scene cuts


class SceneCutDetector:
    """Detects the first frame of each new shot of one video."""

    def __init__(self) -> None:
        #: The thumbnail and the shape of the frame before.
        self.previous: NDArray[np.float32] | None = None
        self.shape: tuple[int, ...] = ()

    def is_cut(self, pixels: Pixels) -> bool:
        """Does a new shot begin with this frame? Never with the first frame."""
        previous, shape = self.previous, self.shape
        self.previous, self.shape = _thumbnail(pixels), pixels.shape
        if previous is None:
            return False
        return shape != pixels.shape or scene_distance(previous, self.previous) > SCENE_CUT


def scene_distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """0 for equal thumbnails, 1 for unrelated ones. A change of the light of the whole frame counts little."""
    squares = float((one**2).sum() + (other**2).sum())
    return float(((one - other) ** 2).sum()) / (squares + _MIN_VARIANCE * one.size)


def _thumbnail(pixels: Pixels) -> NDArray[np.float32]:
    """``(18, 32, 3)`` with mean 0."""
    # Rows and columns are left out first: averaging all pixels of a large frame would take longer.
    step = max(min(pixels.shape[0] // (_THUMBNAIL[1] * 4), pixels.shape[1] // (_THUMBNAIL[0] * 4)), 1)
    small = cv2.resize(np.ascontiguousarray(pixels[::step, ::step]), _THUMBNAIL, interpolation=cv2.INTER_AREA)
    thumbnail: NDArray[np.float32] = np.asarray(small, np.float32)
    thumbnail -= thumbnail.mean(axis=(0, 1))
    return thumbnail


# Appearance


class Appearance(NamedTuple):
    """``colours`` ``(bands, bins * bins)``, square roots of histograms; ``cells`` ``(cells, 4)``, colour and light."""

    colours: NDArray[np.float32]
    cells: NDArray[np.float32]


def compute_appearance(pixels: Pixels, box: Box) -> Appearance:
    """The appearance of the head with hair and collar around a face, which vary less than a moving face."""
    x, y, width, height = box
    left, top = max(x - width // 8, 0), max(y - height // 4, 0)
    region = pixels[top : max(y + height + height // 2, top + 1), left : max(x + width + width // 8, left + 1)]
    if not region.size:
        region = np.zeros((1, 1, 3), np.uint8)
    head = cv2.resize(region, _HEAD, interpolation=cv2.INTER_AREA)
    bands = np.split(cv2.cvtColor(head, cv2.COLOR_RGB2LAB), _BANDS)
    colours = np.stack([_colour_histogram(band) for band in bands])
    return Appearance(colours, _normalized_cells(cv2.resize(head, _CELLS, interpolation=cv2.INTER_AREA)))


def _colour_histogram(band: cv2.typing.MatLike) -> NDArray[np.float32]:
    counts = cv2.calcHist([np.ascontiguousarray(band)], [1, 2], None, [_BINS, _BINS], [*_RANGE, *_RANGE])
    blurred = cv2.GaussianBlur(counts, (3, 3), 0.6).ravel()
    return np.asarray(np.sqrt(blurred / max(float(blurred.sum()), 1.0)), np.float32)


def _normalized_cells(small: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Colour relative to light, and light relative to the other cells: both vary little with the illumination."""
    cells = np.asarray(small, np.float32).reshape(-1, 3)
    light = cells.mean(axis=1, keepdims=True)
    deviation = light - np.median(light)
    spread = 2 * np.median(np.abs(deviation)) + 16
    return np.hstack([2.0 * (cells / (light + 16) - 1), 0.6 * deviation / spread]).astype(np.float32)


def appearance_distance(one: Appearance, other: Appearance) -> float:
    """Below 0.1 mostly one person; above 0.3 mostly two, or one who is half occluded."""
    colours = 1.0 - float((one.colours * other.colours).sum()) / _BANDS
    cells = np.sqrt(((one.cells - other.cells) ** 2).sum(axis=1))
    cells.sort()
    return colours + _CELL_WEIGHT * float(cells[: int(len(cells) * _COMPARED_CELLS)].mean())


def blend_appearances(one: Appearance, other: Appearance, weight: float) -> Appearance:
    """The mean of two appearances; ``weight`` (0 to 1) is the other's."""
    colours = (1 - weight) * one.colours**2 + weight * other.colours**2
    return Appearance(np.sqrt(colours), (1 - weight) * one.cells + np.float32(weight) * other.cells)


# Tracks


@dataclass(slots=True)
class Track:
    """One face followed through a shot. ``number`` is None until the detector is confident that it is a face.

    ``last_seconds`` is the time of its last face, ``size`` a running mean, ``velocity`` in pixels a second.
    """

    face: Face
    appearance: Appearance
    last_seconds: float
    size: float
    confidence_sum: float
    appearance_seconds: float
    number: int | None = None
    velocity: tuple[float, float] = (0.0, 0.0)

    def predict(self, seconds: float) -> Box:
        """The expected box, from the velocity."""
        moving_seconds = SLOWDOWN_SECONDS * (1 - exp((self.last_seconds - seconds) / SLOWDOWN_SECONDS))
        (x, y), (dx, dy), factor = _centre(self.face.box), self.velocity, self.size / _size(self.face.box)
        width, height = self.face.box.width * factor, self.face.box.height * factor
        left, top = round(x + dx * moving_seconds - width / 2), round(y + dy * moving_seconds - height / 2)
        return Box(left, top, max(round(width), 1), max(round(height), 1))

    def update(self, face: Face, seconds: float) -> None:
        elapsed = max(seconds - self.last_seconds, 1e-3)
        if box_distance(self.predict(seconds), face.box) > REACH:  # a jump has no velocity
            self.velocity = (0.0, 0.0)
        else:
            gain = 1 - exp(-elapsed / VELOCITY_SECONDS)
            (x, y), (new_x, new_y), (dx, dy) = _centre(self.face.box), _centre(face.box), self.velocity
            self.velocity = (dx + gain * ((new_x - x) / elapsed - dx), dy + gain * ((new_y - y) / elapsed - dy))
        self.size *= (_size(face.box) / self.size) ** (1 - exp(-elapsed / SIZE_SECONDS))
        self.face, self.last_seconds = face, seconds
        self.confidence_sum += face.detection

    def update_appearance(self, appearance: Appearance, seconds: float) -> None:
        """Blend with the new appearance, unless it is different: a half occluded face looks like who is in front."""
        distance = appearance_distance(self.appearance, appearance)
        weight = 0.3 * max(1 - distance / MAX_LATE_APPEARANCE_DISTANCE, 0.0)
        self.appearance, self.appearance_seconds = blend_appearances(self.appearance, appearance, weight), seconds


class Tracker:
    """Assigns the faces of each frame to tracks. One tracker for one video; call :meth:`update` for each frame."""

    def __init__(self, max_missed_seconds: float = MAX_MISSED_SECONDS) -> None:
        self._max_missed_seconds = max_missed_seconds
        self._tracks: list[Track] = []
        self._last_number = 0

    def reset(self) -> None:
        """End all tracks, at a scene cut. Numbers are not used again."""
        self._tracks = []

    def get_state(self) -> tuple[tuple[Track, ...], int]:
        """Copies of the tracks, and the last number."""
        return tuple(replace(track) for track in self._tracks), self._last_number

    def set_state(self, tracks: Sequence[Track], last_number: int) -> None:
        self._tracks, self._last_number = [replace(track) for track in tracks], last_number

    def expected_boxes(self, seconds: float) -> tuple[Box, ...]:
        """The expected boxes of the tracks that had a face until recently."""
        return tuple(
            track.predict(seconds) for track in self._tracks if seconds - track.last_seconds <= SEARCH_NEAR_SECONDS
        )

    def update(self, pixels: Pixels, faces: Sequence[Face], seconds: float) -> tuple[int | None, ...]:
        """The track number of each face, in their order; None for a face that the detector is not yet confident of."""
        self._tracks = [track for track in self._tracks if not self._is_expired(track, seconds)]
        appearance = cache(lambda index: compute_appearance(pixels, faces[index].box))
        tracks = self._assign(faces, appearance, seconds)
        for index, face in enumerate(faces):
            if (track := tracks.get(index)) is None:
                tracks[index] = Track(face, appearance(index), seconds, _size(face.box), face.detection, seconds)
                self._tracks.append(tracks[index])
                continue
            track.update(face, seconds)
            if seconds - track.appearance_seconds >= APPEARANCE_UPDATE_SECONDS:
                track.update_appearance(appearance(index), seconds)
        return tuple(self._number(tracks[index]) for index in range(len(faces)))

    def _is_expired(self, track: Track, seconds: float) -> bool:
        limit = SEARCH_NEAR_SECONDS if track.number is None else self._max_missed_seconds
        return seconds - track.last_seconds > limit

    def _number(self, track: Track) -> int | None:
        if track.number is None and (track.face.detection >= CONFIDENCE or track.confidence_sum >= CONFIDENCE_SUM):
            self._last_number += 1
            track.number = self._last_number
        return track.number

    def _assign(
        self, faces: Sequence[Face], appearance: Callable[[int], Appearance], seconds: float
    ) -> dict[int, Track]:
        """Index of a face -> its track: unambiguous positions first, then least cost, then equal appearance."""
        tracks = self._assign_unambiguous(faces, seconds)
        for cost in (_motion_cost, _appearance_cost):
            assigned = {id(track) for track in tracks.values()}
            free_tracks = [track for track in self._tracks if id(track) not in assigned]
            free_faces = [index for index in range(len(faces)) if index not in tracks]
            costs = [
                [cost(track, faces[index], partial(appearance, index), seconds) for index in free_faces]
                for track in free_tracks
            ]
            pairs = solve_assignment(np.array(costs, np.float64).reshape(len(free_tracks), len(free_faces)))
            tracks |= {free_faces[column]: free_tracks[row] for row, column in pairs}
        return tracks

    def _assign_unambiguous(self, faces: Sequence[Face], seconds: float) -> dict[int, Track]:
        """Faces and tracks with only each other nearby, which are all in most frames: no appearance is computed."""
        if not self._tracks or not faces:
            return {}
        expected = [track.predict(seconds) for track in self._tracks]
        distances = np.array([[box_distance(box, face.box) for face in faces] for box in expected])
        nearby = distances < ALONE_WITHIN
        return {
            index: track
            for row, track in enumerate(self._tracks)
            for index in np.flatnonzero(distances[row] < VERY_NEAR).tolist()
            if nearby[row].sum() == 1 and nearby[:, index].sum() == 1 and seconds - track.last_seconds < RECENT_SECONDS
        }


def _motion_cost(track: Track, face: Face, appearance: Callable[[], Appearance], seconds: float) -> float:
    """The cost of assigning a face to a track that moved as expected; infinite if it is impossible."""
    missed = max(seconds - track.last_seconds - 0.05, 0.0)
    reach = min(REACH + REACH_PER_SECOND * missed, MAX_REACH)
    expected = track.predict(seconds)
    distance = box_distance(expected, face.box)
    scale = abs(log(_size(face.box) / _size(expected))) / log(MAX_SCALE)
    if distance > reach or scale > 1:
        return inf
    difference = appearance_distance(track.appearance, appearance())
    if difference > max(MAX_APPEARANCE_DISTANCE - missed, MAX_LATE_APPEARANCE_DISTANCE):
        return inf
    return distance + SCALE_WEIGHT * scale + APPEARANCE_WEIGHT * difference


def _appearance_cost(track: Track, face: Face, appearance: Callable[[], Appearance], seconds: float) -> float:
    """The cost of assigning a face to a track that jumped: only the appearance counts."""
    if seconds - track.last_seconds > RECENT_SECONDS or box_distance(track.face.box, face.box) > MAX_REACH:
        return inf
    difference = appearance_distance(track.appearance, appearance())
    return difference if difference < SAME_APPEARANCE else inf


def _centre(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def _size(box: Box) -> float:
    return sqrt(max(box.width * box.height, 1))


def box_distance(one: Box, other: Box) -> float:
    """The distance of two centres, in face sizes."""
    return hypot(*np.subtract(_centre(one), _centre(other))) / sqrt(_size(one) * _size(other))


# Assignment: the Hungarian algorithm


def solve_assignment(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The pairs (row, column) with the least sum of costs, among the largest sets of pairs with finite costs."""
    if not costs.size:
        return []
    allowed = np.isfinite(costs)
    # One forbidden pair costs more than all allowed ones together, so it is used only where there is no other.
    forbidden_cost = float(np.abs(costs[allowed]).sum()) + 1.0 if allowed.any() else 1.0
    finite_costs = np.where(allowed, costs, forbidden_cost)
    transpose = costs.shape[0] > costs.shape[1]
    columns_to_rows = _match_rows(finite_costs.T if transpose else finite_costs)
    pairs = [pair if transpose else pair[::-1] for pair in columns_to_rows.items()]
    return sorted((row, column) for row, column in pairs if allowed[row, column])


def _match_rows(costs: NDArray[np.float64]) -> dict[int, int]:
    """Column -> row, for at most as many rows as columns: shortest augmenting paths with potentials, O(n^3)."""
    rows, columns = costs.shape
    row_potential, column_potential = np.zeros(rows), np.zeros(columns + 1)
    row_of_column = np.full(columns + 1, -1)  # the last column is the start of a new row's path
    for row in range(rows):
        row_of_column[columns] = row
        previous, end = _shortest_path(costs, row_of_column, row_potential, column_potential)
        while end != columns:
            row_of_column[end] = row_of_column[previous[end]]
            end = previous[end]
    return {column: int(row_of_column[column]) for column in range(columns) if row_of_column[column] >= 0}


def _shortest_path(
    costs: NDArray[np.float64],
    row_of_column: NDArray[np.int64],
    row_potential: NDArray[np.float64],
    column_potential: NDArray[np.float64],
) -> tuple[NDArray[np.int64], int]:
    """The cheapest path to a free column, as the previous column of each, and that column; updates the potentials."""
    columns = costs.shape[1]
    distance, previous = np.full(columns, np.inf), np.full(columns, columns)
    visited = np.zeros(columns + 1, bool)
    column = columns
    while row_of_column[column] >= 0:
        visited[column] = True
        row = row_of_column[column]
        reduced = costs[row] - row_potential[row] - column_potential[:columns]
        shorter = ~visited[:columns] & (reduced < distance)
        distance[shorter], previous[shorter] = reduced[shorter], column
        unvisited = np.where(visited[:columns], np.inf, distance)
        column = int(unvisited.argmin())
        step = unvisited[column]
        row_potential[row_of_column[visited]] += step
        column_potential[visited] -= step
        distance[~visited[:columns]] -= step
    return previous, column


# Detection schedule

#: The faces in a frame, largest first, each with its track number.
TrackedFaces: TypeAlias = tuple[tuple[int | None, Face], ...]

Item = TypeVar("Item")


@runtime_checkable
class LocalDetector(Protocol):
    """A detector that can search near expected positions, which is faster than searching the whole frame."""

    def detect_near(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """The faces near these boxes, each once, in any order."""


class ScheduleState(NamedTuple):
    """The time of the last detection in a whole frame, and the thumbnail and the shape of the last frame."""

    detection_seconds: float | None
    thumbnail: NDArray[np.float32] | None
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """Whether a shot begins with a frame, and all faces in it; ``faces`` is None where no detection was due.

    ``schedule`` is the state of the schedule after this frame.
    """

    cut: bool
    faces: tuple[Face, ...] | None
    schedule: ScheduleState | None = None


@dataclass(frozen=True, slots=True)
class TrackingState:
    """Everything that the tracking after a frame depends on: with it, tracking can continue in another process.

    ``index`` and ``seconds`` are those of the frame, ``faces`` the faces in it, ``missed`` whether a face was not
    detected near its expected position.
    """

    index: int
    seconds: float
    schedule: ScheduleState
    faces: TrackedFaces
    missed: bool
    tracks: tuple[Track, ...]
    last_number: int


class DetectionSchedule:
    """Detects faces in whole frames of one video: now and then and at cuts; in each frame without a LocalDetector."""

    def __init__(self, detector: Detector, min_face: int | None = None) -> None:
        self._detector, self._min_face = detector, min_face
        self._interval = FULL_DETECTION_SECONDS if isinstance(detector, LocalDetector) else 0.0
        self._cuts = SceneCutDetector()
        self._last: float | None = None

    def step(self, pixels: Pixels, seconds: float) -> DetectionResult:
        cut = self._cuts.is_cut(pixels)
        due = self._last is None or cut or seconds - self._last >= self._interval - 1e-3
        self._last = seconds if due else self._last
        state = ScheduleState(self._last, self._cuts.previous, self._cuts.shape)
        return DetectionResult(cut, self.detect(pixels) if due else None, state)

    def set_state(self, state: ScheduleState) -> None:
        self._last, self._cuts.previous, self._cuts.shape = state

    def detect(self, pixels: Pixels) -> tuple[Face, ...]:
        """Every face in the frame, largest first."""
        return self._detector.detect(pixels, min_face=self._min_face)


class FaceTracker:
    """Detects faces near the tracks of one video and assigns all faces to tracks."""

    def __init__(self, detector: Detector, schedule: DetectionSchedule) -> None:
        self._local_detector = detector if isinstance(detector, LocalDetector) else None
        self._schedule = schedule
        self.tracker = Tracker()
        #: Whether a face was not detected near its expected position in the last frame.
        self.missed = False

    @property
    def interval(self) -> float:
        """Seconds that may pass between two calls of :meth:`step`."""
        return NEAR_DETECTION_SECONDS if self._local_detector else 0.0

    def step(self, pixels: Pixels, seconds: float, detection: DetectionResult) -> TrackedFaces:
        if detection.cut:
            self.tracker.reset()
        faces = self._detect(pixels, seconds, detection.faces)
        return tuple(zip(self.tracker.update(pixels, faces, seconds), faces, strict=True))

    def _detect(self, pixels: Pixels, seconds: float, detections: tuple[Face, ...] | None) -> tuple[Face, ...]:
        expected = self.tracker.expected_boxes(seconds)
        if self._local_detector is None:
            return detections or ()
        nearby = self._local_detector.detect_near(pixels, expected) if expected else ()
        # When a face is missed, the whole frame is searched once: it may have moved faster than expected.
        missed_before, self.missed = self.missed, len(nearby) < len(expected)
        if detections is None and self.missed and not missed_before:
            detections = self._schedule.detect(pixels)
        new = [face for face in detections or () if all(compute_overlap(face.box, other.box) < 0.5 for other in nearby)]
        return tuple(sorted([*nearby, *new], key=lambda face: -face.box.width * face.box.height))


class InterpolatingTracker(Generic[Item]):
    """Tracks faces in some frames of one video and interpolates the faces in the frames between them.

    Frames come back late: those between two tracked frames are returned when the second was tracked.
    """

    def __init__(self, tracker: FaceTracker, interval: float | None = None) -> None:
        """``interval`` in seconds is the tracker's if it is None; 0 tracks in every frame."""
        self._tracker = tracker
        self._interval = tracker.interval if interval is None else interval
        self._waiting: list[tuple[Item, Pixels, float]] = []
        self._previous: tuple[float, TrackedFaces] = (float("-inf"), ())

    def step(
        self, item: Item, pixels: Pixels, seconds: float, detection: DetectionResult
    ) -> list[tuple[Item, TrackedFaces]]:
        """Add a frame, identified by ``item``; returns the frames whose faces are now tracked, in order."""
        ready = self.flush() if detection.cut else []
        if detection.faces is None and seconds - self._previous[0] < self._interval - 1e-3:
            self._waiting.append((item, pixels, seconds))
            return ready
        return ready + self._track(item, pixels, seconds, detection)

    def get_state(self, index: int, schedule: ScheduleState) -> TrackingState | None:
        """The state after the frame with this index; None while frames wait for the next tracked frame."""
        if self._waiting:
            return None
        tracks, last_number = self._tracker.tracker.get_state()
        seconds, faces = self._previous
        return TrackingState(index, seconds, schedule, faces, self._tracker.missed, tracks, last_number)

    def set_state(self, state: TrackingState) -> None:
        self._previous, self._tracker.missed = (state.seconds, state.faces), state.missed
        self._tracker.tracker.set_state(state.tracks, state.last_number)

    def flush(self) -> list[tuple[Item, TrackedFaces]]:
        """Track the last of the frames that still wait; returns all of them."""
        if not self._waiting:
            return []
        item, pixels, seconds = self._waiting.pop()
        return self._track(item, pixels, seconds, DetectionResult(False, None))

    def _track(
        self, item: Item, pixels: Pixels, seconds: float, detection: DetectionResult
    ) -> list[tuple[Item, TrackedFaces]]:
        faces = self._tracker.step(pixels, seconds, detection)
        start, before = self._previous
        between = [
            (waiting, interpolate_faces(before, faces, (at - start) / (seconds - start)))
            for waiting, _, at in self._waiting
        ]
        self._waiting, self._previous = [], (seconds, faces)
        return [*between, (item, faces)]


def interpolate_faces(before: TrackedFaces, after: TrackedFaces, fraction: float) -> TrackedFaces:
    """The faces of the tracks in both frames, at ``fraction`` (0 to 1) of the way; without those that jumped."""
    faces = {number: face for number, face in before if number is not None}
    pairs = [(number, faces[number], face) for number, face in after if number is not None and number in faces]
    return tuple(
        (number, _interpolate_face(a, b, fraction)) for number, a, b in pairs if box_distance(a.box, b.box) < REACH
    )


def _interpolate_face(one: Face, other: Face, fraction: float) -> Face:
    left, top, width, height = (round(a + (b - a) * fraction) for a, b in zip(one.box, other.box, strict=True))
    landmarks = None
    if one.landmarks is not None and other.landmarks is not None:
        pairs = zip(one.landmarks, other.landmarks, strict=True)
        landmarks = tuple(Point(a.x + (b.x - a.x) * fraction, a.y + (b.y - a.y) * fraction) for a, b in pairs)
    return Face(Box(left, top, width, height), min(one.detection, other.detection), landmarks)
