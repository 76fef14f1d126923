"""What is to be read of a film, and what an app needs of an engine to do so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mien.media import FilmSource
from mien.models import ModelCard
from mien.moments.journal import Run
from mien.types import Moment


class Watcher(Protocol):
    """What films are read by; :class:`mien.Engine` is the real one."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def detector(self) -> str: ...

    def watch(
        self,
        source: FilmSource,
        *,
        every: int | None = 1,
        fps: float | None = None,
        start: float | None = None,
        end: float | None = None,
        min_face: int | None = None,
        frames: bool = False,
    ) -> Iterator[Moment]: ...


@dataclass(frozen=True)
class Wish:
    """A film, and which of its frames are wanted; times in seconds."""

    source: str
    every: int | None = None
    fps: float | None = None
    start: float | None = None
    end: float | None = None
    min_face: int | None = None

    def choice(self) -> dict[str, Any]:
        """The words in which :meth:`Watcher.watch` is asked for it."""
        return {"every": self.every, "fps": self.fps, "start": self.start, "end": self.end, "min_face": self.min_face}

    def run(self, engine: Watcher) -> Run:
        """What a later run has to agree with, to go on with this one."""
        card = engine.card
        path = Path(self.source)
        length = path.stat().st_size if path.is_file() else None
        labels, votes = tuple(card.labels), tuple(card.vote_labels)
        return Run(self.source, length, engine.detector, card.name, labels, votes, **self.choice())
