"""Small pictures of the peaks of events, kept while a film goes by."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from mien.apps.film.hiding import covered
from mien.apps.portrait import beside
from mien.moments import Event, Record
from mien.types import Box, Moment, Pixels, Reading

#: The side of a picture in pixels, how much around the face it shows, and how many are kept for one person.
SIDE, AROUND, EACH = 128, 0.35, 8

#: A peak has to be so much higher before it gets another picture.
_HIGHER = 0.02

_QUALITY = 80


@dataclass(frozen=True, eq=False)
class _Picture:
    start: float
    label: str
    peak: float
    jpeg: bytes


class Peaks:
    """Gathers pictures by person; the highest peaks of expressions other than neutral stay.

    With ``hidden`` no face is gathered in the first place; without, faces can still be hidden when they are asked for.
    """

    def __init__(self, *, hidden: bool = False) -> None:
        self._hidden = hidden
        self._current: dict[int, _Picture] = {}
        self._kept: dict[int, list[_Picture]] = {}

    def add(self, moment: Moment, record: Record) -> None:
        """``moment`` has its pixels, and ``record`` has heard of it."""
        for reading in moment:
            event = record.current(reading.track) if reading.track is not None else None
            if event and event.peak_at == moment.seconds and moment.pixels is not None:
                self._take(event, reading, moment.pixels)

    def of(self, events: Iterable[Event], *, hidden: bool = False) -> dict[Event, bytes]:
        """The events that have a picture, as JPEG; ``hidden`` leaves nothing of the faces in them."""
        pictures = {
            (person, one.start): _hidden(one.jpeg) if hidden else one.jpeg
            for person in {*self._kept, *self._current}
            for one in self._best([*self._kept.get(person, []), *self._now(person)])
        }
        return {
            event: pictures[event.person, event.start] for event in events if (event.person, event.start) in pictures
        }

    def _take(self, event: Event, reading: Reading, pixels: Pixels) -> None:
        before = self._current.get(event.person)
        same = before is not None and before.start == event.start
        if before and same and event.peak < before.peak + _HIGHER:
            return
        if before and not same:
            self._kept[event.person] = self._best([*self._kept.get(event.person, []), before])
        jpeg = _portrait(pixels, reading.face.box, self._hidden)
        self._current[event.person] = _Picture(event.start, event.label, event.peak, jpeg)

    def _now(self, person: int) -> list[_Picture]:
        return [self._current[person]] if person in self._current else []

    def _best(self, pictures: list[_Picture]) -> list[_Picture]:
        return sorted(pictures, key=lambda one: (one.label == "neutral", -one.peak))[:EACH]


def _portrait(pixels: Pixels, box: Box, hidden: bool) -> bytes:
    cut = Image.fromarray(beside(pixels, box, AROUND))
    return _jpeg((covered(cut) if hidden else cut).resize((SIDE, SIDE), Image.Resampling.BOX))


def _hidden(jpeg: bytes) -> bytes:
    return _jpeg(covered(Image.open(io.BytesIO(jpeg))))


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
