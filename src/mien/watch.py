"""A film read from beginning to end: frames in, moments out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from mien.faces.track import Tracker
from mien.media.film import Choice, Film
from mien.types import Moment

if TYPE_CHECKING:
    from mien.engine import Engine


def watch(
    engine: Engine,
    film: Film,
    choice: Choice,
    *,
    min_face: int | None = None,
    frames: bool = False,
) -> Iterator[Moment]:
    """The moments of an open film, which is closed at the end, however that comes."""
    tracker = Tracker()
    with closing(film):
        for frame in film.frames(choice):
            result = engine.read(frame.pixels, min_face=min_face)
            numbers = tracker.step(result.faces, frame.seconds)
            readings = tuple(replace(reading, track=number) for reading, number in zip(result, numbers, strict=True))
            result = replace(result, source=film.about.name, readings=readings)
            yield Moment(frame.index, frame.seconds, result, pixels=frame.pixels if frames else None)
