"""Who gets what at the least cost: the Hungarian method, for the handful of faces in a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import exp, hypot, inf, log, sqrt
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.faces.detectors import Detector
from mien.faces.tiling import overlap
from mien.results import Box, Face, Pixels, Point


def solve_assignment(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The pairs (row, column) whose costs add up to the least; infinite costs are never paired.

    As many pairs as possible come first, then the least sum.
    """
    if not costs.size:
        return []
    allowed = np.isfinite(costs)
    # One forbidden pair costs more than all allowed ones together: it is taken only where nothing else is left.
    worst = float(np.abs(costs[allowed]).sum()) + 1.0 if allowed.any() else 1.0
    filled = np.where(allowed, costs, worst)
    turned = filled.shape[0] > filled.shape[1]
    pairs = [(row, column) for column, row in _rows_to_columns(filled.T if turned else filled).items()]
    pairs = [(column, row) for row, column in pairs] if turned else pairs
    return sorted((row, column) for row, column in pairs if allowed[row, column])


def _rows_to_columns(costs: NDArray[np.float64]) -> dict[int, int]:
    """Column to row, for no more rows than columns: shortest augmenting paths with potentials, O(n^3)."""
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    owner = np.full(columns + 1, -1)  # the last column is where a new row begins
    for row in range(rows):
        owner[columns] = row
        came_from, end = _path(costs, owner, row_price, column_price)
        while end != columns:
            owner[end] = owner[came_from[end]]
            end = came_from[end]
    return {column: int(owner[column]) for column in range(columns) if owner[column] >= 0}


def _path(
    costs: NDArray[np.float64],
    owner: NDArray[np.int64],
    row_price: NDArray[np.float64],
    column_price: NDArray[np.float64],
) -> tuple[NDArray[np.int64], int]:
    """The cheapest way to a free column, as the column before each; prices are brought up to date on the way."""
    columns = costs.shape[1]
    nearest, came_from = np.full(columns, np.inf), np.full(columns, columns)
    visited = np.zeros(columns + 1, bool)
    here = columns
    while owner[here] >= 0:
        visited[here] = True
        row = owner[here]
        reduced = costs[row] - row_price[row] - column_price[:columns]
        better = ~visited[:columns] & (reduced < nearest)
        nearest[better], came_from[better] = reduced[better], here
        open_ones = np.where(visited[:columns], np.inf, nearest)
        onward = int(open_ones.argmin())
        step = open_ones[onward]
        row_price[owner[visited]] += step
        column_price[visited] -= step
        nearest[~visited[:columns]] -= step
        here = onward
    return came_from, here


# ==== mien.faces.looks
# What somebody looks like, in few numbers: enough to tell two people apart who cross, and no more than that.
#
# It is never stored, and serves only while a film is watched.

#: The head with collar is looked at in so many pixels, and in so many cells.
_WIDTH, _HEIGHT, _CELLS = 24, 36, (8, 12)
#: Hair, face and collar: each has a histogram of its colours (a and b of Lab), in so many steps between two values.
_BANDS, _STEPS, _RANGE = 3, 8, (88.0, 168.0)
#: The share of the cells that counts, the most alike ones: the others may be hidden behind something.
_SEEN = 0.6
#: What the cells count against the colours.
_WEIGHT = 0.3


class Appearance(NamedTuple):
    """``colours`` ``(bands, steps * steps)``, square roots of shares; ``cells`` ``(cells, 4)``, colour and light."""

    colours: NDArray[np.float32]
    cells: NDArray[np.float32]


def compute_appearance(pixels: Pixels, box: Box) -> Appearance:
    """The look of a face in a picture."""
    around = cv2.resize(_around(pixels, box), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return Appearance(_colours(around), _cells(cv2.resize(around, _CELLS, interpolation=cv2.INTER_AREA)))


def appearance_distance(one: Appearance, other: Appearance) -> float:
    """How different two looks are: below 0.1 mostly one person, above 0.3 mostly two, or one half hidden."""
    colours = 1.0 - float((one.colours * other.colours).sum()) / _BANDS
    apart = np.sqrt(((one.cells - other.cells) ** 2).sum(axis=1))
    apart.sort()
    return colours + _WEIGHT * float(apart[: int(len(apart) * _SEEN)].mean())


def blend_appearances(one: Appearance, other: Appearance, share: float) -> Appearance:
    """A little more like the other."""
    colours = (1 - share) * one.colours**2 + share * other.colours**2
    return Appearance(np.sqrt(colours), (1 - share) * one.cells + np.float32(share) * other.cells)


def _colours(around: cv2.typing.MatLike) -> NDArray[np.float32]:
    lab = np.split(cv2.cvtColor(around, cv2.COLOR_RGB2LAB), _BANDS)
    return np.stack([_histogram(band) for band in lab])


def _histogram(band: cv2.typing.MatLike) -> NDArray[np.float32]:
    counts = cv2.calcHist([np.ascontiguousarray(band)], [1, 2], None, [_STEPS, _STEPS], [*_RANGE, *_RANGE])
    soft = cv2.GaussianBlur(counts, (3, 3), 0.6).ravel()
    return np.asarray(np.sqrt(soft / max(float(soft.sum()), 1.0)), np.float32)


def _cells(small: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Colour against light, and light against the others: what changes little when the lamp does."""
    cells = np.asarray(small, np.float32).reshape(-1, 3)
    light = cells.mean(axis=1, keepdims=True)
    off = light - np.median(light)
    spread = 2 * np.median(np.abs(off)) + 16
    return np.hstack([2.0 * (cells / (light + 16) - 1), 0.6 * off / spread]).astype(np.float32)


def _around(pixels: Pixels, box: Box) -> Pixels:
    """The head, and below it half as much again: hair and collar tell more than a face that moves."""
    x, y, width, height = box
    left, top = max(x - width // 8, 0), max(y - height // 4, 0)
    part = pixels[top : max(y + height + height // 2, top + 1), left : max(x + width + width // 8, left + 1)]
    return part if part.size else np.zeros((1, 1, 3), np.uint8)


# ==== mien.faces.shots
# Where one shot ends and the next begins.

_Thumb: TypeAlias = NDArray[np.float32]

#: A thumbnail's size, and from which difference on two of them show different scenes (0 the same, 1 unrelated).
_WIDTH_shots, _HEIGHT_shots = 32, 18
CUT = 0.55
#: The variance, in grays, that every picture has at least: noise on black is no scene.
_FLAT = 30.0


class SceneCutDetector:
    """Tells cuts, frame after frame of one film."""

    def __init__(self) -> None:
        self._before: _Thumb | None = None
        self._size: tuple[int, ...] = ()

    def cut(self, pixels: Pixels) -> bool:
        """Does a new shot begin with this frame? Never with the first."""
        before, size = self._before, self._size
        self._before, self._size = _thumb(pixels), pixels.shape
        if before is None:
            return False
        return size != pixels.shape or scene_distance(before, self._before) > CUT


def scene_distance(one: _Thumb, other: _Thumb) -> float:
    """0 for the same picture, 1 for unrelated ones. Light that changes over all of the picture counts little."""
    apart = float(((one - other) ** 2).sum())
    return apart / (float((one**2).sum() + (other**2).sum()) + _FLAT * one.size)


def _thumb(pixels: Pixels) -> _Thumb:
    """A small picture whose mean is 0."""
    # Nearest rows first: averaging every pixel of a large frame costs more than looking at it.
    step = max(min(pixels.shape[0] // (_HEIGHT_shots * 4), pixels.shape[1] // (_WIDTH_shots * 4)), 1)
    small = cv2.resize(
        np.ascontiguousarray(pixels[::step, ::step]), (_WIDTH_shots, _HEIGHT_shots), interpolation=cv2.INTER_AREA
    )
    thumb: _Thumb = np.asarray(small, np.float32)
    thumb -= thumb.mean(axis=(0, 1))
    return thumb


# ==== mien.faces.track
# Who is who: the faces of one frame after another, numbered as people.

#: Seconds that somebody may be hidden and keeps the number; until when one is looked for where one should be.
MAX_MISSED_SECONDS, SEARCH_NEAR_SECONDS = 2.0, 0.4
#: A face is somebody when the detector is once so sure, or so much in sum over several frames.
SURE, SURE_IN_SUM = 0.8, 1.7
#: How far a face may be from where it was expected, in faces: at once, and more for each second unseen, up to so much.
REACH, REACH_A_SECOND, FARTHEST = 0.9, 3.0, 3.5
#: How much larger or smaller a face may be than expected, as a factor.
GROWTH = 1.8
#: Looks this far apart are two people: where one was just now, and where one comes back after a while.
UNLIKE, UNLIKE_LATER = 0.6, 0.3
#: Who looks this much like somebody who was there a moment ago is the same, even if farther away than anybody moves.
ALIKE, MOMENT = 0.12, 0.25
#: A face so near to where one was expected, in faces, is that one, if nobody else is within so many faces.
THERE, ALONE = 0.4, 1.5
#: Seconds after which the look of somebody is refreshed.
REFRESH = 0.2
#: Seconds over which speed and size are averaged: a detector trembles, and shrinks who is being hidden.
SPEED_OVER, SIZE_OVER = 0.15, 0.3
#: Seconds over which somebody who is out of sight is taken to slow down.
SLOWS_OVER = 0.5


@dataclass(slots=True)
class Track:
    """Somebody in the film. ``number`` is None until it is certain that this is somebody."""

    face: Face
    look: Appearance
    seen: float
    number: int | None = None
    velocity: tuple[float, float] = (0.0, 0.0)
    size: float = 0.0
    evidence: float = 0.0
    looked: float = 0.0

    @classmethod
    def new(cls, face: Face, look: Appearance, seconds: float) -> Track:
        return cls(face, look, seconds, size=_size(face.box), evidence=face.detection, looked=seconds)

    @property
    def certain(self) -> bool:
        return self.face.detection >= SURE or self.evidence >= SURE_IN_SUM

    def expected(self, seconds: float) -> Box:
        """Where the face should be, if it goes on as it went."""
        onward = SLOWS_OVER * (1 - exp((self.seen - seconds) / SLOWS_OVER))
        (x, y), (dx, dy), factor = _middle(self.face.box), self.velocity, self.size / _size(self.face.box)
        width, height = self.face.box.width * factor, self.face.box.height * factor
        left, top = round(x + dx * onward - width / 2), round(y + dy * onward - height / 2)
        return Box(left, top, max(round(width), 1), max(round(height), 1))

    def sighted(self, face: Face, seconds: float) -> None:
        gone = max(seconds - self.seen, 1e-3)
        if box_distance(self.expected(seconds), face.box) > REACH:  # a jump is no speed
            self.velocity = (0.0, 0.0)
        else:
            trust = 1 - exp(-gone / SPEED_OVER)
            (x, y), (to_x, to_y), (dx, dy) = _middle(self.face.box), _middle(face.box), self.velocity
            self.velocity = (dx + trust * ((to_x - x) / gone - dx), dy + trust * ((to_y - y) / gone - dy))
        self.size *= (_size(face.box) / self.size) ** (1 - exp(-gone / SIZE_OVER))
        self.face, self.seen, self.evidence = face, seconds, self.evidence + face.detection

    def looks(self, look: Appearance, seconds: float) -> None:
        """Remember a look, unless it is another's: somebody half hidden looks like whoever is in front."""
        share = 0.3 * max(1 - appearance_distance(self.look, look) / UNLIKE_LATER, 0.0)
        self.look, self.looked = blend_appearances(self.look, look, share), seconds


class Tracker:
    """Gives faces the numbers of people, for one film. Call it frame after frame."""

    def __init__(self, patience: float = MAX_MISSED_SECONDS) -> None:
        self._patience = patience
        self._people: list[Track] = []
        self._given = 0

    def end(self) -> None:
        """Forget everybody: a new shot begins. Numbers are not given twice."""
        self._people = []

    def nearby(self, seconds: float) -> tuple[Box, ...]:
        """Where those who were seen just now should be."""
        return tuple(person.expected(seconds) for person in self._people if seconds - person.seen <= SEARCH_NEAR_SECONDS)

    def step(self, pixels: Pixels, faces: Sequence[Face], seconds: float) -> tuple[int | None, ...]:
        """A number for each face, in their order; None for one that may be nobody: seen once, and not surely."""
        self._people = [person for person in self._people if seconds - person.seen <= self._wait(person)]
        look = cache(lambda place: compute_appearance(pixels, faces[place].box))
        who = self._who(faces, look, seconds)
        for place, face in enumerate(faces):
            if (person := who.get(place)) is None:
                who[place] = Track.new(face, look(place), seconds)
                self._people.append(who[place])
                continue
            person.sighted(face, seconds)
            if seconds - person.looked >= REFRESH:
                person.looks(look(place), seconds)
        return tuple(self._number(who[place]) for place in range(len(faces)))

    def _wait(self, person: Track) -> float:
        return SEARCH_NEAR_SECONDS if person.number is None else self._patience

    def _number(self, person: Track) -> int | None:
        if person.number is None and person.certain:
            self._given += 1
            person.number = self._given
        return person.number

    def _who(self, faces: Sequence[Face], look: Callable[[int], Appearance], seconds: float) -> dict[int, Track]:
        """Which of the known people each face is: who is alone where expected, who is likeliest, who looks the same."""
        who = self._alone(faces, seconds)
        for cost in (_as_expected, _by_look):
            known = {id(person) for person in who.values()}
            people = [person for person in self._people if id(person) not in known]
            left = [place for place in range(len(faces)) if place not in who]
            costs = [[cost(person, faces[place], partial(look, place), seconds) for place in left] for person in people]
            pairs = solve_assignment(np.array(costs, np.float64).reshape(len(people), len(left)))
            who |= {left[column]: people[row] for row, column in pairs}
        return who

    def _alone(self, faces: Sequence[Face], seconds: float) -> dict[int, Track]:
        """Those about whom there is no doubt, which in most frames is everybody: their looks need no comparing."""
        if not self._people or not faces:
            return {}
        expected = [person.expected(seconds) for person in self._people]
        far = np.array([[box_distance(box, face.box) for face in faces] for box in expected])
        near = far < ALONE
        return {
            place: person
            for row, person in enumerate(self._people)
            for place in np.flatnonzero(far[row] < THERE).tolist()
            if near[row].sum() == 1 and near[:, place].sum() == 1 and seconds - person.seen < MOMENT
        }


def _as_expected(person: Track, face: Face, look: Callable[[], Appearance], seconds: float) -> float:
    """How unlikely it is that this is the person, going on as before; infinite when it cannot be."""
    gone = max(seconds - person.seen - 0.05, 0.0)
    reach = min(REACH + REACH_A_SECOND * gone, FARTHEST)
    expected = person.expected(seconds)
    far, grown = box_distance(expected, face.box), abs(log(_size(face.box) / _size(expected))) / log(GROWTH)
    if far > reach or grown > 1:
        return inf
    other = appearance_distance(person.look, look())
    return inf if other > max(UNLIKE - gone, UNLIKE_LATER) else far + 0.5 * grown + 4.0 * other


def _by_look(person: Track, face: Face, look: Callable[[], Appearance], seconds: float) -> float:
    """For somebody who jumped: only looks count."""
    if seconds - person.seen > MOMENT or box_distance(person.face.box, face.box) > FARTHEST:
        return inf
    other = appearance_distance(person.look, look())
    return other if other < ALIKE else inf


def _middle(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def _size(box: Box) -> float:
    return sqrt(max(box.width * box.height, 1))


def box_distance(one: Box, other: Box) -> float:
    """Between the middles, in sides of a face."""
    return hypot(*np.subtract(_middle(one), _middle(other))) / sqrt(_size(one) * _size(other))


# ==== mien.faces.follow
# Faces through a film: searched for everywhere now and then, and in between looked at where they should be.

#: Seconds between two searches of the whole frame: how late a new face may be found.
SEARCH = 0.3
#: Seconds between two looks at where faces should be; frames between them are filled in.
STRIDE = 0.06

#: The faces in a frame, largest first, with the number of each person.
TrackedFaces: TypeAlias = tuple[tuple[int | None, Face], ...]


Item = TypeVar("Item")


@runtime_checkable
class LocalDetector(Protocol):
    """A detector that can look for faces where they should be, which is faster than searching the whole picture."""

    def near(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """The faces at about these boxes, each once, in any order."""


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """What a frame shows at first sight: whether a shot begins, and the faces, where all of it was searched."""

    cut: bool
    faces: tuple[Face, ...] | None


class DetectionSchedule:
    """Searches the frames of one film, where it is time. It knows nothing of who is where, so it may run ahead."""

    def __init__(self, detector: Detector, min_face: int | None = None) -> None:
        self._detector, self._min_face = detector, min_face
        self._every = SEARCH if isinstance(detector, LocalDetector) else 0.0
        self._shots = SceneCutDetector()
        self._last: float | None = None

    def search(self, pixels: Pixels, seconds: float) -> DetectionResult:
        cut = self._shots.cut(pixels)
        due = self._last is None or cut or seconds - self._last >= self._every - 1e-3
        if not due:
            return DetectionResult(cut, None)
        self._last = seconds
        return DetectionResult(cut, self.all(pixels))

    def all(self, pixels: Pixels) -> tuple[Face, ...]:
        """Every face in the frame, largest first."""
        return self._detector.detect(pixels, min_face=self._min_face)


class FaceTracker:
    """Follows the people of one film, frame after frame."""

    def __init__(self, detector: Detector, searcher: DetectionSchedule) -> None:
        self._near = detector if isinstance(detector, LocalDetector) else None
        self._searcher = searcher
        self._tracker = Tracker()
        self._missed = False

    @property
    def stride(self) -> float:
        """Seconds that may pass between two looks."""
        return STRIDE if self._near else 0.0

    def step(self, pixels: Pixels, seconds: float, searched: DetectionResult) -> TrackedFaces:
        """The faces in a frame, largest first, with the number of each person."""
        if searched.cut:
            self._tracker.end()
        faces = self._faces(pixels, seconds, searched.faces)
        return tuple(zip(self._tracker.step(pixels, faces, seconds), faces, strict=True))

    def _faces(self, pixels: Pixels, seconds: float, found: tuple[Face, ...] | None) -> tuple[Face, ...]:
        expected = self._tracker.nearby(seconds)
        if self._near is None:
            return found or ()
        seen = self._near.near(pixels, expected) if expected else ()
        # Somebody got out of sight: one look at everything, for those who move faster than expected.
        missed, self._missed = self._missed, len(seen) < len(expected)
        if found is None and self._missed and not missed:
            found = self._searcher.all(pixels)
        new = [face for face in found or () if all(overlap(face.box, other.box) < 0.5 for other in seen)]
        return tuple(sorted([*seen, *new], key=lambda face: -face.box.width * face.box.height))


class InterpolatingTracker(Generic[Item]):
    """Follows people through a film by looking at some frames; the faces in those between lie on the way.

    What comes back is late: a frame between two looks is known when the second was taken.
    """

    def __init__(self, follower: FaceTracker, stride: float | None = None) -> None:
        self._follower = follower
        self._stride = follower.stride if stride is None else stride
        self._waiting: list[tuple[Item, Pixels, float]] = []
        self._before: tuple[float, TrackedFaces] = (float("-inf"), ())

    def step(self, item: Item, pixels: Pixels, seconds: float, searched: DetectionResult) -> list[tuple[Item, TrackedFaces]]:
        """Hand in a frame; the frames (by the ``item`` each came with) that are known now, in order."""
        ready = self.rest() if searched.cut else []
        if searched.faces is None and seconds - self._before[0] < self._stride - 1e-3:
            self._waiting.append((item, pixels, seconds))
            return ready
        return ready + self._looked(item, pixels, seconds, searched)

    def rest(self) -> list[tuple[Item, TrackedFaces]]:
        """The frames that still wait for a look: the last of them gets one."""
        if not self._waiting:
            return []
        item, pixels, seconds = self._waiting.pop()
        return self._looked(item, pixels, seconds, DetectionResult(False, None))

    def _looked(self, item: Item, pixels: Pixels, seconds: float, searched: DetectionResult) -> list[tuple[Item, TrackedFaces]]:
        people = self._follower.step(pixels, seconds, searched)
        begin, before = self._before
        between = [
            (each, interpolate_faces(before, people, (then - begin) / (seconds - begin))) for each, _, then in self._waiting
        ]
        self._waiting, self._before = [], (seconds, people)
        return [*between, (item, people)]


def interpolate_faces(before: TrackedFaces, after: TrackedFaces, part: float) -> TrackedFaces:
    """Who was there before and after is on the way between, at ``part`` of it (0 to 1)."""
    then = {number: face for number, face in before if number is not None}
    both = [(number, then[number], face) for number, face in after if number is not None and number in then]
    # Who jumped was on no way.
    return tuple((number, _on_the_way(a, b, part)) for number, a, b in both if box_distance(a.box, b.box) < REACH)


def _on_the_way(one: Face, other: Face, part: float) -> Face:
    left, top, width, height = (round(a + (b - a) * part) for a, b in zip(one.box, other.box, strict=True))
    return Face(Box(left, top, width, height), min(one.detection, other.detection), _points(one, other, part))


def _points(one: Face, other: Face, part: float) -> tuple[Point, ...] | None:
    if one.landmarks is None or other.landmarks is None:
        return None
    pairs = zip(one.landmarks, other.landmarks, strict=True)
    return tuple(Point(a.x + (b.x - a.x) * part, a.y + (b.y - a.y) * part) for a, b in pairs)
