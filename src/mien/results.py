"""The frozen values that every room speaks: plain numbers, comparable, hashable, JSON in one call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError

#: One picture inside mien: ``(height, width, 3)`` RGB uint8, upright.
Pixels: TypeAlias = NDArray[np.uint8]


class Point(NamedTuple):
    """A place in the upright picture, in pixels."""

    x: float
    y: float


class Score(NamedTuple):
    """One label and its part of the whole, 0 to 1."""

    label: str
    score: float


class Box(NamedTuple):
    """A rectangle in pixels of the upright picture; ``x, y`` is its top left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Face:
    """Where a face is. Landmarks: right eye, left eye, nose, right and left corner of the mouth (the person's)."""

    box: Box
    detection: float = 1.0
    landmarks: tuple[Point, ...] | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """Is the face good enough to judge? ``reason`` says what is wrong when it is not."""

    ok: bool = True
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Emotions:
    """What an expression looks like: every share, in the order of the model's labels.

    ``votes`` is what ten people would say, where the model has that head. ``mixture`` names the expressions that
    together stand out; one entry means the expression is plain. ``uncertain`` is None or the reason.
    """

    scores: tuple[Score, ...]
    votes: tuple[Score, ...] | None = None
    mixture: tuple[Score, ...] = ()
    uncertain: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(share.label for share in self.scores)

    @property
    def top(self) -> str:
        """The label with the largest share."""
        return self.ranked()[0].label

    def ranked(self) -> tuple[Score, ...]:
        """All shares, largest first; equal shares keep the order of the labels."""
        return tuple(sorted(self.scores, key=lambda share: -share.score))

    def __getitem__(self, label: str) -> float:
        return dict(self.scores)[label]


@dataclass(frozen=True, slots=True)
class Reading:
    """One face and what its expression looks like. ``track`` numbers a person in a film; None in a still picture."""

    face: Face
    emotions: Emotions
    quality: Quality = Quality()
    track: int | None = None

    def to_dict(self) -> dict[str, Any]:
        emotions = self.emotions
        return {
            "box": list(self.face.box),
            "detection": self.face.detection,
            "emotion": emotions.top,
            "scores": dict(emotions.scores),
            "uncertain": emotions.uncertain,
            "quality": self.quality.to_dict(),
            "track": self.track,
            "mixture": dict(emotions.mixture),
            "votes": None if emotions.votes is None else dict(emotions.votes),
            "landmarks": None if self.face.landmarks is None else [list(point) for point in self.face.landmarks],
        }


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What was read in one picture. No face found is an empty result, not an error.

    ``size`` is (width, height) of the upright picture; ``detector`` and ``model`` name what was used.
    """

    source: str
    size: tuple[int, int]
    readings: tuple[Reading, ...] = ()
    detector: str = ""
    model: str = ""

    def __iter__(self) -> Iterator[Reading]:
        return iter(self.readings)

    def __len__(self) -> int:
        return len(self.readings)

    @property
    def faces(self) -> tuple[Face, ...]:
        return tuple(reading.face for reading in self.readings)

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "size": list(self.size),
            "faces": [reading.to_dict() for reading in self.readings],
            "detector": self.detector,
            "model": self.model,
        }

    def to_json(self) -> str:
        """One line of JSON, the same that ``mien predict --json`` prints."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class AnalyzedFrame:
    """One frame of a film, read; the readings carry ``track``, the number of a person while the shot lasts.

    ``index`` counts the film's frames from 0; ``seconds`` is the film's own clock, which need not tick evenly. ``cut``
    says that a new shot begins here (never at the first frame). ``pixels`` is the frame, RGB uint8 upright, where it
    was asked for; it takes no part in comparing.
    """

    index: int
    seconds: float
    result: FrameResult
    cut: bool = False
    pixels: Pixels | None = field(default=None, compare=False, repr=False)

    def __iter__(self) -> Iterator[Reading]:
        return iter(self.result)

    def to_dict(self) -> dict[str, Any]:
        return {"frame": self.index, "seconds": self.seconds, "cut": self.cut, **self.result.to_dict()}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be read, standing where its result would have stood."""

    source: str
    error: MienError

    def to_dict(self) -> dict[str, Any]:
        return {"source": self.source, "error": str(self.error)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)
