"""Faces through a film: searched for everywhere now and then, and in between looked at where they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from mien.faces import Detector
from mien.faces.scan import overlap
from mien.faces.shots import Shots
from mien.faces.track import REACH, Tracker, distance
from mien.types import Box, Face, Pixels, Point

#: Seconds between two searches of the whole frame: how late a new face may be found.
SEARCH = 0.3
#: Seconds between two looks at where faces should be; frames between them are filled in.
STRIDE = 0.06

#: The faces in a frame, largest first, with the number of each person.
People: TypeAlias = tuple[tuple[int | None, Face], ...]


Item = TypeVar("Item")


@runtime_checkable
class Near(Protocol):
    """A detector that can look for faces where they should be, which is faster than searching the whole picture."""

    def near(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """The faces at about these boxes, each once, in any order."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What a frame shows at first sight: whether a shot begins, and the faces, where all of it was searched."""

    cut: bool
    faces: tuple[Face, ...] | None


class Searcher:
    """Searches the frames of one film, where it is time. It knows nothing of who is where, so it may run ahead."""

    def __init__(self, detector: Detector, min_face: int | None = None) -> None:
        self._detector, self._min_face = detector, min_face
        self._every = SEARCH if isinstance(detector, Near) else 0.0
        self._shots = Shots()
        self._last: float | None = None

    def search(self, pixels: Pixels, seconds: float) -> Searched:
        cut = self._shots.cut(pixels)
        due = self._last is None or cut or seconds - self._last >= self._every - 1e-3
        if not due:
            return Searched(cut, None)
        self._last = seconds
        return Searched(cut, self.all(pixels))

    def all(self, pixels: Pixels) -> tuple[Face, ...]:
        """Every face in the frame, largest first."""
        return self._detector.detect(pixels, min_face=self._min_face)


class Follower:
    """Follows the people of one film, frame after frame."""

    def __init__(self, detector: Detector, searcher: Searcher) -> None:
        self._near = detector if isinstance(detector, Near) else None
        self._searcher = searcher
        self._tracker = Tracker()
        self._missed = False

    @property
    def stride(self) -> float:
        """Seconds that may pass between two looks."""
        return STRIDE if self._near else 0.0

    def step(self, pixels: Pixels, seconds: float, searched: Searched) -> People:
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


class Strides(Generic[Item]):
    """Follows people through a film by looking at some frames; the faces in those between lie on the way.

    What comes back is late: a frame between two looks is known when the second was taken.
    """

    def __init__(self, follower: Follower, stride: float | None = None) -> None:
        self._follower = follower
        self._stride = follower.stride if stride is None else stride
        self._waiting: list[tuple[Item, Pixels, float]] = []
        self._before: tuple[float, People] = (float("-inf"), ())

    def step(self, item: Item, pixels: Pixels, seconds: float, searched: Searched) -> list[tuple[Item, People]]:
        """Hand in a frame; the frames (by the ``item`` each came with) that are known now, in order."""
        ready = self.rest() if searched.cut else []
        if searched.faces is None and seconds - self._before[0] < self._stride - 1e-3:
            self._waiting.append((item, pixels, seconds))
            return ready
        return ready + self._looked(item, pixels, seconds, searched)

    def rest(self) -> list[tuple[Item, People]]:
        """The frames that still wait for a look: the last of them gets one."""
        if not self._waiting:
            return []
        item, pixels, seconds = self._waiting.pop()
        return self._looked(item, pixels, seconds, Searched(False, None))

    def _looked(self, item: Item, pixels: Pixels, seconds: float, searched: Searched) -> list[tuple[Item, People]]:
        people = self._follower.step(pixels, seconds, searched)
        begin, before = self._before
        between = [
            (each, between_looks(before, people, (then - begin) / (seconds - begin))) for each, _, then in self._waiting
        ]
        self._waiting, self._before = [], (seconds, people)
        return [*between, (item, people)]


def between_looks(before: People, after: People, part: float) -> People:
    """Who was there before and after is on the way between, at ``part`` of it (0 to 1)."""
    then = {number: face for number, face in before if number is not None}
    both = [(number, then[number], face) for number, face in after if number is not None and number in then]
    # Who jumped was on no way.
    return tuple((number, _on_the_way(a, b, part)) for number, a, b in both if distance(a.box, b.box) < REACH)


def _on_the_way(one: Face, other: Face, part: float) -> Face:
    left, top, width, height = (round(a + (b - a) * part) for a, b in zip(one.box, other.box, strict=True))
    return Face(Box(left, top, width, height), min(one.detection, other.detection), _points(one, other, part))


def _points(one: Face, other: Face, part: float) -> tuple[Point, ...] | None:
    if one.landmarks is None or other.landmarks is None:
        return None
    pairs = zip(one.landmarks, other.landmarks, strict=True)
    return tuple(Point(a.x + (b.x - a.x) * part, a.y + (b.y - a.y) * part) for a, b in pairs)
