"""Faces through a film: searched for everywhere now and then, and in between looked at where they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mien.faces import Detector
from mien.faces.scan import overlap
from mien.faces.shots import Shots
from mien.faces.track import Tracker
from mien.types import Box, Face, Pixels

#: Seconds between two searches of the whole frame: how late a new face may be found.
SEARCH = 0.25


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

    def step(self, pixels: Pixels, seconds: float, searched: Searched) -> tuple[tuple[int | None, Face], ...]:
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
