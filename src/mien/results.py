"""The result types of every part of mien: frozen, comparable, hashable values of plain numbers, with JSON output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError

#: An image inside mien: ``(height, width, 3)`` RGB uint8, EXIF orientation applied.
Pixels: TypeAlias = NDArray[np.uint8]


class Point(NamedTuple):
    """A position in an image, in pixels."""

    x: float
    y: float


class Score(NamedTuple):
    """A label and its probability, 0 to 1."""

    label: str
    score: float


class Box(NamedTuple):
    """A rectangle in pixels of an image; ``x, y`` is its top left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Face:
    """The position of a face and the confidence of its detection, 0 to 1.

    ``landmarks`` are the right eye, left eye, nose, right and left corner of the mouth, as the person would call them;
    None if the detector has no landmarks.
    """

    box: Box
    detection: float = 1.0
    landmarks: tuple[Point, ...] | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """Whether a face is clear enough for a prediction; ``reason`` names the problem if it is not."""

    ok: bool = True
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Emotions:
    """What an expression looks like: the probability of every label, in the order of the model's labels.

    ``scores`` answer what most people would call the expression (the target ``people``); ``label_scores`` what
    FER2013's label would be (the target ``label``), None if the model has one target only. ``votes`` are the predicted
    annotator votes (FER+) as probabilities; None if the model has no such head. ``mixture`` are the expressions with
    many votes: the leading expression first, then the others by their votes; one entry means that the expression is not
    mixed. ``uncertain`` is None, or the reason why the prediction is uncertain.
    """

    scores: tuple[Score, ...]
    votes: tuple[Score, ...] | None = None
    mixture: tuple[Score, ...] = ()
    uncertain: str | None = None
    label_scores: tuple[Score, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(score.label for score in self.scores)

    @property
    def top(self) -> str:
        """The label with the largest score."""
        return self.ranked()[0].label

    def ranked(self) -> tuple[Score, ...]:
        """All scores, largest first; equal scores keep the order of the labels."""
        return tuple(sorted(self.scores, key=lambda score: -score.score))

    def __getitem__(self, label: str) -> float:
        return dict(self.scores)[label]


@dataclass(frozen=True, slots=True)
class Reading:
    """A face and what its expression looks like. ``track`` is the number of its track in a video; None in an image."""

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
            "label_scores": None if emotions.label_scores is None else dict(emotions.label_scores),
            "landmarks": None if self.face.landmarks is None else [list(point) for point in self.face.landmarks],
        }


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The readings of one image, largest face first. An image without a face has an empty result, not an error.

    ``source`` is the name of the image and ``size`` its width and height; ``detector`` and ``model`` are the names of
    what was used.
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
        """One line of JSON, as ``mien predict --json`` prints it."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class AnalyzedFrame:
    """The result of one frame of a video; a reading's ``track`` numbers the track of its face within the shot.

    ``index`` counts the frames of the video from 0. ``seconds`` is the frame's timestamp in the video, whose frame rate
    may vary. ``cut`` is true for the first frame of each new shot, but not for the first frame of the video. ``pixels``
    is the frame as RGB uint8 if it was requested, else None; it is not compared.
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
    """An image that could not be read; it takes the place of its result in a sequence of results."""

    source: str
    error: MienError

    def to_dict(self) -> dict[str, Any]:
        return {"source": self.source, "error": str(self.error)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)
