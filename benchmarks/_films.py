"""Films with known truth, drawn from the two free portraits: who is where in every frame, and whether they show."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from math import pi, sin
from typing import NamedTuple

import cv2
import numpy as np
from _drawing import PORTRAITS, background, portrait
from numpy.typing import NDArray

from mien.results import Box, Pixels
from mien.video import Frame, FrameSelection, VideoInfo
from mien.video.frames import ALL_FRAMES

SIZE, RATE = (640, 360), 25.0
#: How much of a portrait goes along with its face, in faces: to the left and right, above, below.
AROUND = (0.75, 0.6, 1.1)


class Place(NamedTuple):
    """Where the middle of a face is, how tall it is, and in front of how much (larger is nearer)."""

    x: float
    y: float
    height: float
    depth: float = 0.0


@dataclass(frozen=True)
class Person:
    """A portrait that moves: ``path`` says where at a time, or None while out of the film."""

    look: str
    path: Callable[[float], Place | None]


@dataclass(frozen=True)
class Scene:
    """One film. ``pillars`` (left, right) stand in front of everybody; ``cuts`` are the times at which ``people``
    changes to the next cast."""

    name: str
    casts: tuple[tuple[Person, ...], ...]
    seconds: float = 6.0
    cuts: tuple[float, ...] = ()
    pillars: tuple[tuple[int, int], ...] = ()
    noise: float = 3.0
    pan: float = 0.0
    light: Callable[[float], float] = field(default=lambda seconds: 1.0)
    missing: tuple[tuple[float, float], ...] = ()


class True_(NamedTuple):
    """Where a person truly is in a frame, and how much of the face shows."""

    person: tuple[int, int]
    box: Box
    shows: float


LOOKS: dict[str, Callable[[Pixels], Pixels]] = {
    "astronaut": lambda pixels: pixels,
    "hopper": lambda pixels: pixels,
    "astronaut, mirrored": lambda pixels: np.clip(pixels[:, ::-1] * [0.75, 0.9, 1.1], 0, 255).astype(np.uint8),
    "hopper, mirrored": lambda pixels: np.clip(pixels[:, ::-1] * [1.1, 0.95, 0.75], 0, 255).astype(np.uint8),
}


@lru_cache(maxsize=8)
def sprite(look: str) -> tuple[Pixels, NDArray[np.float32], Box]:
    """Head and shoulders, how opaque they are, and where the face is among them."""
    name = look.partition(",")[0]
    picture, (x, y, width, height) = portrait(name), PORTRAITS[name]
    left, top = max(int(x - AROUND[0] * width), 0), max(int(y - AROUND[1] * height), 0)
    right = min(int(x + (1 + AROUND[0]) * width), picture.shape[1])
    bottom = min(int(y + (1 + AROUND[2]) * height), picture.shape[0])
    cut, face = picture[top:bottom, left:right], Box(x - left, y - top, width, height)
    if "mirrored" in look:
        face = Box(cut.shape[1] - face.x - face.width, face.y, face.width, face.height)
    return np.ascontiguousarray(LOOKS[look](cut)), _outline(cut.shape, face), face


def _outline(shape: tuple[int, ...], face: Box) -> NDArray[np.float32]:
    """A head on shoulders, its edge soft."""
    mask = np.zeros(shape[:2], np.uint8)
    middle = face.x + face.width // 2, face.y + face.height // 2
    cv2.ellipse(mask, middle, (int(face.width * 0.68), int(face.height * 0.78)), 0, 0, 360, 255, -1)
    shoulders = middle[0], face.y + int(face.height * 2.1)
    cv2.ellipse(mask, shoulders, (int(face.width * 1.2), int(face.height * 1.05)), 0, 0, 360, 255, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), face.width / 40), np.float32) / 255


class Drawn:
    """A scene as a film, frame by frame; ``truth`` holds what is true of the frames drawn so far."""

    complaint = None

    def __init__(self, scene: Scene, seed: int = 0) -> None:
        self.scene, self._seed = scene, seed
        count = round(scene.seconds * RATE)
        self.about = VideoInfo(scene.name, SIZE, RATE, scene.seconds, count)
        self.truth: dict[int, list[True_]] = {}

    def frames(self, choice: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        turn = choice.turns()
        for index in range(self.about.frames or 0):
            if turn(index, index / RATE):
                yield Frame(index, index / RATE, self.drawn(index))

    def close(self) -> None:
        """There is no file."""

    def drawn(self, index: int) -> Pixels:
        seconds, scene = index / RATE, self.scene
        shot = sum(seconds >= cut for cut in scene.cuts)
        canvas = _ground(self._seed + 7 * shot, scene.pan, seconds)
        covers: list[tuple[True_, NDArray[np.float32]]] = []
        present = [
            (number, person, place)
            for number, person in enumerate(scene.casts[shot % len(scene.casts)])
            if (place := person.path(seconds)) is not None
        ]
        for number, person, place in sorted(present, key=lambda each: each[2].depth):
            box, mask = _pasted(canvas, person.look, place)
            covers = [(true._replace(shows=true.shows * _left(true.box, mask)), other) for true, other in covers]
            covers.append((True_((shot, number), box, _inside(box)), mask))
        for left, right in scene.pillars:
            canvas[:, left:right] = np.linspace(60, 110, right - left, dtype=np.uint8)[None, :, None]
            pillar = np.zeros(canvas.shape[:2], np.float32)
            pillar[:, left:right] = 1
            covers = [(true._replace(shows=true.shows * _left(true.box, pillar)), other) for true, other in covers]
        self.truth[index] = [true for true, _ in covers]
        return _shot_by_a_camera(canvas, scene.noise, scene.light(seconds), self._seed * 100_003 + index)


@lru_cache(maxsize=4)
def _wide(seed: int) -> Pixels:
    return background(np.random.default_rng(seed), SIZE[0] * 2, SIZE[1])


def _ground(seed: int, pan: float, seconds: float) -> Pixels:
    shift = int(abs(pan) * seconds) % SIZE[0]
    return _wide(seed)[:, shift : shift + SIZE[0]].copy()


def _pasted(canvas: Pixels, look: str, place: Place) -> tuple[Box, NDArray[np.float32]]:
    """Put a person into the picture; the box of the face, and what the person covers."""
    picture, mask, face = sprite(look)
    scale = place.height / face.height
    move = np.array(
        [
            [scale, 0, place.x - scale * (face.x + face.width / 2)],
            [0, scale, place.y - scale * (face.y + face.height / 2)],
        ]
    )
    if scale < 0.7:  # sampling alone would flicker
        picture = cv2.GaussianBlur(picture, (0, 0), 0.35 / scale)
    warped = cv2.warpAffine(picture, move, SIZE, flags=cv2.INTER_LINEAR)
    cover = cv2.warpAffine(mask, move, SIZE)
    canvas[:] = (canvas * (1 - cover[..., None]) + warped * cover[..., None]).astype(np.uint8)
    width, height = face.width * scale, face.height * scale
    return Box(round(place.x - width / 2), round(place.y - height / 2), round(width), round(height)), cover


def _left(box: Box, cover: NDArray[np.float32]) -> float:
    """How much of a box something leaves free."""
    x, y = max(box.x, 0), max(box.y, 0)
    part = cover[y : max(box.y + box.height, 0), x : max(box.x + box.width, 0)]
    return 1.0 - float(part.mean()) if part.size else 1.0


def _inside(box: Box) -> float:
    across = min(box.x + box.width, SIZE[0]) - max(box.x, 0)
    down = min(box.y + box.height, SIZE[1]) - max(box.y, 0)
    return max(across, 0) * max(down, 0) / (box.width * box.height)


def _shot_by_a_camera(canvas: Pixels, noise: float, light: float, seed: int) -> Pixels:
    """Light, noise and packing."""
    rng = np.random.default_rng(seed)
    grain = np.empty(canvas.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    cv2.randn(grain, 0, noise)
    lit = cv2.convertScaleAbs(canvas, alpha=light) if light != 1 else canvas
    noisy = np.clip(lit.astype(np.int16) + grain, 0, 255).astype(np.uint8)
    packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


# Ways to move


def walk(
    start: tuple[float, float], end: tuple[float, float], height: float, over: float, **more: float
) -> Callable[[float], Place]:
    """From one place to another in so many seconds, bobbing a little."""

    def path(seconds: float) -> Place:
        part = seconds / over
        x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
        return Place(x, y + 2 * sin(seconds * 7), height + (more.get("grows", 0.0)) * part, more.get("depth", 0.0))

    return path


def stand(
    x: float, y: float, height: float, sway: float = 6.0, pace: float = 2.0, depth: float = 0.0
) -> Callable[[float], Place]:
    return lambda seconds: Place(
        x + sway * sin(seconds * pace), y + sway / 3 * sin(seconds * pace * 1.3), height, depth
    )


def between(path: Callable[[float], Place], begin: float, end: float) -> Callable[[float], Place | None]:
    """There only for a time."""
    return lambda seconds: path(seconds) if begin <= seconds < end else None


def scenes() -> Iterator[Scene]:
    """Everything a tracker must live with."""
    a, h, am, hm = LOOKS
    alone = (Person(a, walk((80, 170), (560, 190), 90, 6)),)
    yield Scene("one walks", (alone,))
    yield Scene(
        "two cross",
        ((Person(a, walk((90, 170), (550, 170), 95, 6, depth=1)), Person(h, walk((550, 180), (90, 180), 95, 6))),),
    )
    yield Scene(
        "two cross, alike",
        ((Person(a, walk((90, 170), (550, 170), 95, 6, depth=1)), Person(am, walk((550, 185), (90, 175), 90, 6))),),
    )
    yield Scene(
        "two cross fast",
        ((Person(h, walk((60, 160), (580, 160), 90, 2.5, depth=1)), Person(a, walk((580, 190), (60, 190), 95, 2.5))),),
        seconds=2.5,
    )
    meet = lambda seconds: Place(220 + 75 * sin(min(seconds, 3) / 3 * pi), 180, 95)  # noqa: E731
    yield Scene("two meet and part", ((Person(a, meet), Person(h, stand(400, 175, 100, depth=1))),))
    yield Scene("behind a pillar", ((Person(h, walk((60, 180), (580, 175), 95, 6)),),), pillars=((300, 380),))
    yield Scene(
        "behind a wide pillar",
        ((Person(a, walk((60, 180), (580, 175), 90, 6)), Person(h, stand(540, 180, 90))),),
        pillars=((240, 360),),
    )
    yield Scene(
        "one leaves, another comes",
        (
            (
                Person(a, walk((320, 180), (760, 180), 95, 3)),
                Person(h, between(lambda s: Place(-80 + 140 * (s - 3), 180, 95), 3, 9)),
            ),
        ),
    )
    yield Scene("comes near", ((Person(h, walk((320, 180), (320, 190), 40, 6, grows=170)),),))
    yield Scene("goes away", ((Person(a, walk((200, 180), (420, 170), 170, 6, grows=-135)),),))
    yield Scene("shakes", ((Person(a, stand(320, 180, 100, 90, 6)),),))
    yield Scene("jumps", ((Person(h, lambda s: Place(200 + 240 * (int(s * 1.5) % 2), 180, 95)),),))
    yield Scene(
        "three mix",
        (
            (
                Person(a, walk((80, 150), (560, 160), 80, 6, depth=1)),
                Person(h, walk((560, 200), (80, 190), 95, 6, depth=2)),
                Person(hm, stand(320, 175, 75, 20)),
            ),
        ),
    )
    yield Scene("noise", ((Person(a, walk((120, 170), (500, 180), 80, 6)), Person(h, stand(480, 170, 90))),), noise=18)
    yield Scene(
        "flashes",
        ((Person(a, stand(200, 180, 95)), Person(h, walk((330, 180), (560, 180), 90, 6))),),
        light=lambda s: 1.7 if int(s * 25) % 40 in (0, 1) else 1.0,
    )
    yield Scene("the camera pans", ((Person(a, stand(320, 180, 95, 30)), Person(h, stand(480, 170, 80))),), pan=90)
    yield Scene(
        "cuts",
        (
            (Person(a, stand(260, 180, 110)),),
            (Person(h, stand(300, 180, 115)),),
            (Person(a, stand(180, 170, 90)), Person(h, stand(450, 175, 95))),
        ),
        cuts=(1.5, 3.0, 4.5),
    )
    yield Scene(
        "small", ((Person(a, walk((100, 150), (300, 160), 36, 6)), Person(h, walk((540, 150), (400, 160), 40, 6))),)
    )
