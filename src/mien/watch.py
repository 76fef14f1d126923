"""A film read from beginning to end: frames in, moments out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from mien.faces.track import Tracker
from mien.media.film import Film, Frame
from mien.types import Moment

if TYPE_CHECKING:
    from mien.engine import Engine


def watch(
    engine: Engine,
    film: Film,
    *,
    every: int = 1,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    min_face: int | None = None,
    frames: bool = False,
) -> Iterator[Moment]:
    """The moments of an open film, which is closed at the end, however that comes."""
    tracker = Tracker()
    with closing(film):
        for frame in _chosen(film.frames(start or 0.0), every, fps, end):
            result = engine.read(frame.pixels, min_face=min_face)
            numbers = tracker.step(result.faces, frame.seconds)
            readings = tuple(replace(reading, track=number) for reading, number in zip(result, numbers, strict=True))
            result = replace(result, source=film.about.name, readings=readings)
            yield Moment(frame.index, frame.seconds, result, pixels=frame.pixels if frames else None)


def _chosen(frames: Iterator[Frame], every: int, fps: float | None, end: float | None) -> Iterator[Frame]:
    """Every nth frame, and at most ``fps`` in a second."""
    due = float("-inf")
    for count, frame in enumerate(frames):
        if end is not None and frame.seconds >= end:
            return
        if count % every or frame.seconds < due:
            continue
        due = frame.seconds + 1 / fps - 1e-6 if fps else due
        yield frame
