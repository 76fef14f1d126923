"""Films: frames with the time at which each is shown, from whatever holds moving pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Protocol, TypeAlias, runtime_checkable

from mien.media.names import name_of
from mien.types import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame: its number from 0, when it is shown, and its pixels, RGB uint8 ``(h, w, 3)``, upright."""

    index: int
    seconds: float
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class About:
    """What a film says of itself before it is read. None where it does not say; ``frames`` may be an estimate."""

    name: str
    size: tuple[int, int]
    rate: float | None = None
    seconds: float | None = None
    frames: int | None = None
    sound: bool = False
    live: bool = False


#: What can be watched: the path of a film, a GIF or a folder of frames, a film's bytes, or one that is open.
FilmSource: TypeAlias = "str | PathLike[str] | bytes | Film"


@runtime_checkable
class Film(Protocol):
    """Moving pictures that are open. Read them once, and close; both may be called from different threads."""

    @property
    def about(self) -> About: ...

    @property
    def complaint(self) -> str | None:
        """What was wrong with a film that could be read only in part; None while nothing was."""

    def frames(self, start: float = 0.0) -> Iterator[Frame]:
        """Frames in the order they are shown, from the first at or after ``start`` seconds."""

    def close(self) -> None:
        """Let go of the file or the camera; closing twice does nothing."""


def film(source: FilmSource) -> Film:
    """Open a film. Raises :class:`mien.errors.SourceError`."""
    if isinstance(source, Film):
        return source
    from mien.media.film_opencv import OpenCVFilm

    return OpenCVFilm(str(source), name_of(source))
