"""Frames that somebody hands over, one by one, such as a browser its camera's: read, followed and steadied."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

from mien.faces.track import Tracker
from mien.models import ModelCard
from mien.models.verdict import emotions_of
from mien.moments.steady import Steadier
from mien.types import FrameResult, Moment, Pixels


class PictureReader(Protocol):
    """What reads one frame; :class:`mien.Engine` is the real one."""

    @property
    def card(self) -> ModelCard: ...

    def read(self, source: Pixels, *, min_face: int | None = None) -> FrameResult: ...


class Pushed:
    """One camera's memory: who is who, and what everybody's expression looked like just now."""

    def __init__(self, engine: PictureReader) -> None:
        self._engine = engine
        self._tracker = Tracker()
        self._steadier = Steadier(partial(emotions_of, engine.card))
        self._count = 0

    def read(self, pixels: Pixels, seconds: float) -> Moment:
        """The frame as a moment with its pixels; ``seconds`` is the camera's clock, which only goes forward."""
        result = self._engine.read(pixels)
        tracks = self._tracker.step(pixels, result.faces, seconds)
        readings = tuple(replace(one, track=track) for one, track in zip(result, tracks, strict=True))
        self._count += 1
        moment = Moment(self._count - 1, seconds, replace(result, readings=readings), pixels=pixels)
        return self._steadier.step(moment)
