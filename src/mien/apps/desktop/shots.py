"""Pictures that are open: what they are called, what was read in them, and how they are seen small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, TypeAlias

from mien.apps.desktop.bench import Bench, Choice
from mien.apps.desktop.worker import Steps
from mien.errors import MienError
from mien.types import Box, Face, Failure, FrameResult, Pixels, Point, Reading

#: The longest side of a picture as it is kept for the screen, and of one in the strip.
SCREEN, SMALL = 1800, 120

_QUALITY = 82


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture. Neither ``result`` nor ``error``: it has not been read yet. ``small`` is a JPEG."""

    number: int
    source: Path | bytes | Pixels
    name: str
    result: FrameResult | None = None
    error: MienError | None = None
    small: bytes | None = None

    @property
    def outcome(self) -> FrameResult | Failure | None:
        """As the library and ``mien predict`` tell it; None before it was read."""
        # A result without faces is empty, and no less a result.
        return Failure(self.name, self.error) if self.error else self.result

    @property
    def title(self) -> str:
        return self.source.name if isinstance(self.source, Path) else self.name

    def unread(self) -> Shot:
        return replace(self, result=None, error=None)


class Prepared(NamedTuple):
    """A picture made ready for the screen: never more than :data:`SCREEN` pixels long."""

    number: int
    pixels: Pixels
    small: bytes


class Read(NamedTuple):
    """What became of reading a picture."""

    number: int
    outcome: FrameResult | Failure


News: TypeAlias = Prepared | Read


def reading(bench: Bench, shot: Shot, choice: Choice) -> Steps:
    """Open it, show it, read it: in this order, and what fails is told."""
    try:
        yield _prepared(bench, shot)
        engine = bench.engine(choice)
        yield None
        result = engine.read(bench.pixels(shot.number, shot.source))
    except MienError as error:
        yield Read(shot.number, Failure(shot.name, error))
        return
    yield Read(shot.number, replace(result, source=shot.name))


def preparing(bench: Bench, shot: Shot) -> Steps:
    """Only open it and show it."""
    try:
        yield _prepared(bench, shot)
    except MienError as error:
        yield Read(shot.number, Failure(shot.name, error))


def _prepared(bench: Bench, shot: Shot) -> Prepared:
    pixels = bench.pixels(shot.number, shot.source)
    screen = reduced(pixels, SCREEN)
    return Prepared(shot.number, screen, jpeg(reduced(screen, SMALL)))


def reduced(pixels: Pixels, side: int) -> Pixels:
    """No side longer than that; a picture that is small enough as it is."""
    import cv2
    import numpy as np

    part = side / max(pixels.shape[:2])
    if part >= 1:
        return pixels
    size = max(round(pixels.shape[1] * part), 1), max(round(pixels.shape[0] * part), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def jpeg(pixels: Pixels) -> bytes:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def scaled(result: FrameResult, part: float) -> FrameResult:
    """The same readings in a picture of another size, for painting them where they are seen."""
    size = round(result.size[0] * part), round(result.size[1] * part)
    return replace(result, size=size, readings=tuple(_moved(reading, part) for reading in result))


def _moved(reading: Reading, part: float) -> Reading:
    face = reading.face
    box = Box(*(round(value * part) for value in face.box))
    points = face.landmarks and tuple(Point(point.x * part, point.y * part) for point in face.landmarks)
    return replace(reading, face=Face(box, face.detection, points))
