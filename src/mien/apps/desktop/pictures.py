"""Pictures that are open: what they are called, what was read in them, and how they are seen small."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

from mien.apps.desktop.model_session import Bench, Choice
from mien.apps.desktop.state import Ground
from mien.apps.desktop.worker import LATER, NOW, SOON, Steps, Task
from mien.errors import MienError
from mien.results import Box, Face, Failure, FrameResult, Pixels, Point, Reading

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


# ==== mien.apps.desktop.album
# The pictures that are open, which of them is looked at, and reading them in the background.

#: The most pictures that are open at once, and how many come from a folder at a time.
MOST, _BATCH = 5000, 100

#: Pictures kept ready for the screen: the one looked at and those beside it.
_READY = 5


class Album:
    """Rings ``album`` when pictures come, go or are read, ``shot`` when another is looked at or it is seen better,
    ``face`` when another of its faces is meant."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.shots: list[Shot] = []
        self.place, self.face = -1, 0
        self._numbers = count(1)
        self._places: dict[int, int] = {}
        self._ready: OrderedDict[int, Pixels] = OrderedDict()
        self._waiting: deque[Shot] = deque()
        self._background: Task | None = None
        self._left_out = 0

    # What is looked at

    @property
    def shot(self) -> Shot | None:
        return self.shots[self.place] if 0 <= self.place < len(self.shots) else None

    @property
    def pixels(self) -> Pixels | None:
        """The picture as it is shown; None while it is being opened."""
        return self._ready.get(self.shot.number) if self.shot else None

    @property
    def readings(self) -> tuple[Reading, ...]:
        return self.shot.result.readings if self.shot and self.shot.result else ()

    @property
    def reading(self) -> Reading | None:
        """What was read of the face that is meant."""
        return self.readings[self.face] if self.face < len(self.readings) else None

    @property
    def done(self) -> int:
        """How many of the pictures were read, or refused."""
        return sum(shot.outcome is not None for shot in self.shots)

    def outcomes(self) -> list[FrameResult | Failure]:
        return [shot.outcome for shot in self.shots if shot.outcome is not None]

    def go(self, place: int) -> None:
        """Look at another picture."""
        if not 0 <= place < len(self.shots) or place == self.place:
            return
        self.place, self.face = place, 0
        self._look()
        self._ground.bells.ring("shot", "face")

    def turn(self, by: int) -> None:
        """Mean another face of the picture; after the last comes the first."""
        if many := len(self.readings):
            self.mean((self.face + by) % many)

    def mean(self, face: int) -> None:
        if 0 <= face < len(self.readings) and face != self.face:
            self.face = face
            self._ground.bells.ring("face")

    # What is open

    def open(self, paths: Iterable[Path]) -> None:
        """Pictures and folders of them, behind those that are open; the first new one is looked at."""
        first = len(self.shots)
        self._ground.do(_found(list(paths)), lambda found: self._add(found, first), urgency=SOON)

    def take(self, source: bytes | Pixels, name: str) -> None:
        """A picture without a file: pasted, or from the camera."""
        self._add([(source, name)], len(self.shots))

    def close(self) -> None:
        """Close the picture that is looked at."""
        if self.shot:
            gone = self.shots.pop(self.place)
            self._forget(gone)
            self._ground.bells.ring("album")
            place, self.place = min(self.place, len(self.shots) - 1), -1
            self.go(place)
            if not self.shots:
                self._ground.bells.ring("shot", "face")

    def clear(self) -> None:
        self.cancel()
        self.shots, self.place, self.face = [], -1, 0
        self._ready.clear()
        self._places.clear()
        self._ground.bells.ring("album", "shot", "face")

    def again(self) -> None:
        """Read everything anew: somebody else reads now."""
        self.shots = [shot.unread() for shot in self.shots]
        self.face = 0
        self._waiting = deque(self.shots)
        if self._background:
            self._background.cancel()
        self._go_on()
        self._look()
        self._ground.bells.ring("album", "shot", "face")

    def cancel(self) -> None:
        """Read no more in the background."""
        self._waiting.clear()

    # How they are read

    def _add(self, found: list[tuple[Path | bytes | Pixels, str] | Failure], first: int) -> None:
        there = {shot.source: place for place, shot in enumerate(self.shots) if isinstance(shot.source, Path)}
        fresh = [each for each in found if isinstance(each, Failure) or not _is_among(each[0], there)]
        if found and not fresh:
            self.go(there[found[0][0]])  # type: ignore[index]
            return
        found, room = fresh, max(MOST - len(self.shots), 0)
        self._left_out += max(len(found) - room, 0)
        shots = [self._shot(each) for each in found[:room]]
        self.shots += shots
        self._number()
        self._waiting.extend(shot for shot in shots if shot.outcome is None)
        self._ground.bells.ring("album")
        if self.place < first < len(self.shots):
            self.go(first)
        self._go_on()
        if self._left_out:
            self._ground.say(
                f"The first {MOST:,} pictures are shown; 'mien predict' reads folders of any size into a table."
            )

    def _shot(self, found: tuple[Path | bytes | Pixels, str] | Failure) -> Shot:
        number = next(self._numbers)
        if isinstance(found, Failure):
            return Shot(number, Path(found.source), found.source, error=found.error)
        return Shot(number, *found)

    def _go_on(self) -> None:
        if self._waiting and (self._background is None or self._background.over or self._background.left):
            steps = self._behind(self._ground.choice)
            self._background = self._ground.do(steps, self._hear, urgency=LATER, ended=self._go_on)

    def _behind(self, choice: Choice) -> Steps:
        """In the worker: whatever waits, one after the other, on one core; the others are for who sits before it."""
        from mien.concurrency import single_core_opencv

        with single_core_opencv:
            while self._waiting:
                try:
                    shot = self._waiting.popleft()
                except IndexError:  # the window took the last one in between
                    return
                yield from reading(self._ground.bench, shot, choice)

    def _look(self) -> None:
        """Show the picture that is looked at, and read it before the others."""
        shot, ground = self.shot, self._ground
        if shot is None:
            return
        if shot.outcome is None and self._background_leaves(shot):
            ground.do(reading(ground.bench, shot, ground.choice), self._hear, urgency=SOON)
        elif shot.number not in self._ready and not shot.error:
            ground.do(preparing(ground.bench, shot), self._hear, urgency=NOW)

    def _background_leaves(self, shot: Shot) -> bool:
        """Take it from what waits; False where the worker has it in hand already."""
        try:
            self._waiting.remove(shot)
        except ValueError:
            return self._background is None or self._background.over or self._background.left
        return True

    def _hear(self, news: News) -> None:
        place = self._places.get(news.number)
        if place is None:  # closed meanwhile
            return
        match news:
            case Prepared(_, pixels, small):
                self.shots[place] = replace(self.shots[place], small=small)
                self._keep(news.number, place, pixels)
            case Read(_, Failure() as failure):
                self.shots[place] = replace(self.shots[place], error=failure.error)
            case Read(_, FrameResult() as result):
                self.shots[place] = replace(self.shots[place], result=result)
        self._ground.bells.ring("album", *(("shot", "face") if place == self.place else ()))

    def _keep(self, number: int, place: int, pixels: Pixels) -> None:
        if abs(place - self.place) < _READY // 2 + 1:
            self._ready[number] = pixels
        looked_at = self.shot.number if self.shot else None
        while len(self._ready) > _READY:
            self._ready.pop(next(each for each in self._ready if each != looked_at))

    def _forget(self, shot: Shot) -> None:
        self._ready.pop(shot.number, None)
        if shot in self._waiting:
            self._waiting.remove(shot)
        self._number()

    def _number(self) -> None:
        self._places = {shot.number: place for place, shot in enumerate(self.shots)}


def _is_among(source: Path | bytes | Pixels, places: dict[Path, int]) -> bool:
    return isinstance(source, Path) and source in places


def _found(paths: list[Path]) -> Steps:
    """In the worker: what the paths name, in batches, so that a folder of thousands shows its first at once."""
    from mien import images

    names = (
        each if isinstance(each, Failure) else (each, images.source_name(each)) for each in images.find_images(paths)
    )
    while batch := list(islice(names, _BATCH)):
        yield batch
