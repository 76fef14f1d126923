"""Synthetic videos with ground truth, from the two free portraits: the box of each face in each frame, and its visible
part."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from math import pi, sin
from typing import NamedTuple

import cv2
import numpy as np
from _scenes import PORTRAITS, draw_background, load_portrait
from numpy.typing import NDArray

from mien.results import Box, Pixels
from mien.video import Frame, FrameSelection, VideoInfo
from mien.video.frames import ALL_FRAMES

SIZE, FPS = (640, 360), 25.0
#: The part of a portrait around its face, in face sizes: to the left and right, above, below.
MARGINS = (0.75, 0.6, 1.1)


class FacePosition(NamedTuple):
    """The centre of a face, its height, and its depth (larger is nearer)."""

    x: float
    y: float
    height: float
    depth: float = 0.0


@dataclass(frozen=True)
class MovingPerson:
    """A portrait that moves: ``path`` is its position at a time, None while it is out of the frame."""

    portrait_name: str
    path: Callable[[float], FacePosition | None]


@dataclass(frozen=True)
class VideoScene:
    """One video. ``pillars`` (left, right) are in front of everybody; at each time of ``cuts`` the next cast starts."""

    name: str
    casts: tuple[tuple[MovingPerson, ...], ...]
    seconds: float = 6.0
    cuts: tuple[float, ...] = ()
    pillars: tuple[tuple[int, int], ...] = ()
    noise: float = 3.0
    pan: float = 0.0
    light: Callable[[float], float] = field(default=lambda seconds: 1.0)
    missing: tuple[tuple[float, float], ...] = ()


class TrueFace(NamedTuple):
    """The box of a face in a frame, and its visible part, 0 to 1."""

    person: tuple[int, int]
    box: Box
    visible: float


PORTRAIT_VARIANTS: dict[str, Callable[[Pixels], Pixels]] = {
    "astronaut": lambda pixels: pixels,
    "hopper": lambda pixels: pixels,
    "astronaut, mirrored": lambda pixels: np.clip(pixels[:, ::-1] * [0.75, 0.9, 1.1], 0, 255).astype(np.uint8),
    "hopper, mirrored": lambda pixels: np.clip(pixels[:, ::-1] * [1.1, 0.95, 0.75], 0, 255).astype(np.uint8),
}


@lru_cache(maxsize=8)
def load_person(portrait_name: str) -> tuple[Pixels, NDArray[np.float32], Box]:
    """Head and shoulders, their opacity, and the box of the face in them."""
    name = portrait_name.partition(",")[0]
    image, (x, y, width, height) = load_portrait(name), PORTRAITS[name]
    left, top = max(int(x - MARGINS[0] * width), 0), max(int(y - MARGINS[1] * height), 0)
    right = min(int(x + (1 + MARGINS[0]) * width), image.shape[1])
    bottom = min(int(y + (1 + MARGINS[2]) * height), image.shape[0])
    crop, face = image[top:bottom, left:right], Box(x - left, y - top, width, height)
    if "mirrored" in portrait_name:
        face = Box(crop.shape[1] - face.x - face.width, face.y, face.width, face.height)
    return np.ascontiguousarray(PORTRAIT_VARIANTS[portrait_name](crop)), _outline(crop.shape, face), face


def _outline(shape: tuple[int, ...], face: Box) -> NDArray[np.float32]:
    """The mask of a head with shoulders, with a soft edge."""
    mask = np.zeros(shape[:2], np.uint8)
    middle = face.x + face.width // 2, face.y + face.height // 2
    cv2.ellipse(mask, middle, (int(face.width * 0.68), int(face.height * 0.78)), 0, 0, 360, 255, -1)
    shoulders = middle[0], face.y + int(face.height * 2.1)
    cv2.ellipse(mask, shoulders, (int(face.width * 1.2), int(face.height * 1.05)), 0, 0, 360, 255, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), face.width / 40), np.float32) / 255


class SyntheticVideo:
    """A scene as a video reader; ``truth`` has the faces of the frames that were rendered."""

    damage = None

    def __init__(self, scene: VideoScene, seed: int = 0) -> None:
        self.scene, self._seed = scene, seed
        count = round(scene.seconds * FPS)
        self.info = VideoInfo(scene.name, SIZE, FPS, scene.seconds, count)
        self.truth: dict[int, list[TrueFace]] = {}

    def frames(self, selection: FrameSelection = ALL_FRAMES) -> Generator[Frame]:
        is_selected = selection.create_filter()
        for index in range(self.info.frames or 0):
            if is_selected(index, index / FPS):
                yield Frame(index, index / FPS, self.render(index))

    def close(self) -> None:
        """There is no file to close."""

    def render(self, index: int) -> Pixels:
        seconds, scene = index / FPS, self.scene
        shot = sum(seconds >= cut for cut in scene.cuts)
        canvas = _background_at(self._seed + 7 * shot, scene.pan, seconds)
        masks: list[tuple[TrueFace, NDArray[np.float32]]] = []
        visible_people = [
            (number, person, position)
            for number, person in enumerate(scene.casts[shot % len(scene.casts)])
            if (position := person.path(seconds)) is not None
        ]
        for number, person, position in sorted(visible_people, key=lambda each: each[2].depth):
            box, mask = _paste_person(canvas, person.portrait_name, position)
            masks = [
                (true._replace(visible=true.visible * _uncovered_part(true.box, mask)), other) for true, other in masks
            ]
            masks.append((TrueFace((shot, number), box, _part_inside(box)), mask))
        for left, right in scene.pillars:
            canvas[:, left:right] = np.linspace(60, 110, right - left, dtype=np.uint8)[None, :, None]
            pillar = np.zeros(canvas.shape[:2], np.float32)
            pillar[:, left:right] = 1
            masks = [
                (true._replace(visible=true.visible * _uncovered_part(true.box, pillar)), other)
                for true, other in masks
            ]
        self.truth[index] = [true for true, _ in masks]
        return _add_camera_noise(canvas, scene.noise, scene.light(seconds), self._seed * 100_003 + index)


@lru_cache(maxsize=4)
def _wide_background(seed: int) -> Pixels:
    return draw_background(np.random.default_rng(seed), SIZE[0] * 2, SIZE[1])


def _background_at(seed: int, pan: float, seconds: float) -> Pixels:
    shift = int(abs(pan) * seconds) % SIZE[0]
    return _wide_background(seed)[:, shift : shift + SIZE[0]].copy()


def _paste_person(canvas: Pixels, portrait_name: str, position: FacePosition) -> tuple[Box, NDArray[np.float32]]:
    """Draw a person into the image; returns the box of the face and the mask of the person."""
    image, mask, face = load_person(portrait_name)
    scale = position.height / face.height
    move = np.array(
        [
            [scale, 0, position.x - scale * (face.x + face.width / 2)],
            [0, scale, position.y - scale * (face.y + face.height / 2)],
        ]
    )
    if scale < 0.7:  # sampling alone would flicker
        image = cv2.GaussianBlur(image, (0, 0), 0.35 / scale)
    warped = cv2.warpAffine(image, move, SIZE, flags=cv2.INTER_LINEAR)
    warped_mask = cv2.warpAffine(mask, move, SIZE)
    canvas[:] = (canvas * (1 - warped_mask[..., None]) + warped * warped_mask[..., None]).astype(np.uint8)
    width, height = face.width * scale, face.height * scale
    return Box(round(position.x - width / 2), round(position.y - height / 2), round(width), round(height)), warped_mask


def _uncovered_part(box: Box, mask: NDArray[np.float32]) -> float:
    """The part of a box that a mask does not cover."""
    x, y = max(box.x, 0), max(box.y, 0)
    part = mask[y : max(box.y + box.height, 0), x : max(box.x + box.width, 0)]
    return 1.0 - float(part.mean()) if part.size else 1.0


def _part_inside(box: Box) -> float:
    width = min(box.x + box.width, SIZE[0]) - max(box.x, 0)
    height = min(box.y + box.height, SIZE[1]) - max(box.y, 0)
    return max(width, 0) * max(height, 0) / (box.width * box.height)


def _add_camera_noise(canvas: Pixels, noise: float, light: float, seed: int) -> Pixels:
    """Light, noise and JPEG compression."""
    rng = np.random.default_rng(seed)
    grain = np.empty(canvas.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    cv2.randn(grain, 0, noise)
    brightened = cv2.convertScaleAbs(canvas, alpha=light) if light != 1 else canvas
    noisy = np.clip(brightened.astype(np.int16) + grain, 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


# Paths


def walk(
    start: tuple[float, float], end: tuple[float, float], height: float, over: float, **options: float
) -> Callable[[float], FacePosition]:
    """From one position to another in so many seconds, with a small vertical motion."""

    def path(seconds: float) -> FacePosition:
        part = seconds / over
        x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
        return FacePosition(
            x, y + 2 * sin(seconds * 7), height + (options.get("growth", 0.0)) * part, options.get("depth", 0.0)
        )

    return path


def stand(
    x: float, y: float, height: float, sway: float = 6.0, pace: float = 2.0, depth: float = 0.0
) -> Callable[[float], FacePosition]:
    return lambda seconds: FacePosition(
        x + sway * sin(seconds * pace), y + sway / 3 * sin(seconds * pace * 1.3), height, depth
    )


def between(path: Callable[[float], FacePosition], begin: float, end: float) -> Callable[[float], FacePosition | None]:
    """Visible only for a time."""
    return lambda seconds: path(seconds) if begin <= seconds < end else None


def scenes() -> Iterator[VideoScene]:
    """The situations that a tracker has to handle."""
    a, h, am, hm = PORTRAIT_VARIANTS
    alone = (MovingPerson(a, walk((80, 170), (560, 190), 90, 6)),)
    yield VideoScene("one walks", (alone,))
    yield VideoScene(
        "two cross",
        (
            (
                MovingPerson(a, walk((90, 170), (550, 170), 95, 6, depth=1)),
                MovingPerson(h, walk((550, 180), (90, 180), 95, 6)),
            ),
        ),
    )
    yield VideoScene(
        "two cross, alike",
        (
            (
                MovingPerson(a, walk((90, 170), (550, 170), 95, 6, depth=1)),
                MovingPerson(am, walk((550, 185), (90, 175), 90, 6)),
            ),
        ),
    )
    yield VideoScene(
        "two cross fast",
        (
            (
                MovingPerson(h, walk((60, 160), (580, 160), 90, 2.5, depth=1)),
                MovingPerson(a, walk((580, 190), (60, 190), 95, 2.5)),
            ),
        ),
        seconds=2.5,
    )
    meet = lambda seconds: FacePosition(220 + 75 * sin(min(seconds, 3) / 3 * pi), 180, 95)  # noqa: E731
    yield VideoScene("two meet and part", ((MovingPerson(a, meet), MovingPerson(h, stand(400, 175, 100, depth=1))),))
    yield VideoScene(
        "behind a pillar", ((MovingPerson(h, walk((60, 180), (580, 175), 95, 6)),),), pillars=((300, 380),)
    )
    yield VideoScene(
        "behind a wide pillar",
        ((MovingPerson(a, walk((60, 180), (580, 175), 90, 6)), MovingPerson(h, stand(540, 180, 90))),),
        pillars=((240, 360),),
    )
    yield VideoScene(
        "one leaves, another comes",
        (
            (
                MovingPerson(a, walk((320, 180), (760, 180), 95, 3)),
                MovingPerson(h, between(lambda s: FacePosition(-80 + 140 * (s - 3), 180, 95), 3, 9)),
            ),
        ),
    )
    yield VideoScene("comes near", ((MovingPerson(h, walk((320, 180), (320, 190), 40, 6, growth=170)),),))
    yield VideoScene("goes away", ((MovingPerson(a, walk((200, 180), (420, 170), 170, 6, growth=-135)),),))
    yield VideoScene("shakes", ((MovingPerson(a, stand(320, 180, 100, 90, 6)),),))
    yield VideoScene("jumps", ((MovingPerson(h, lambda s: FacePosition(200 + 240 * (int(s * 1.5) % 2), 180, 95)),),))
    yield VideoScene(
        "three mix",
        (
            (
                MovingPerson(a, walk((80, 150), (560, 160), 80, 6, depth=1)),
                MovingPerson(h, walk((560, 200), (80, 190), 95, 6, depth=2)),
                MovingPerson(hm, stand(320, 175, 75, 20)),
            ),
        ),
    )
    yield VideoScene(
        "noise",
        ((MovingPerson(a, walk((120, 170), (500, 180), 80, 6)), MovingPerson(h, stand(480, 170, 90))),),
        noise=18,
    )
    yield VideoScene(
        "flashes",
        ((MovingPerson(a, stand(200, 180, 95)), MovingPerson(h, walk((330, 180), (560, 180), 90, 6))),),
        light=lambda s: 1.7 if int(s * 25) % 40 in (0, 1) else 1.0,
    )
    yield VideoScene(
        "the camera pans", ((MovingPerson(a, stand(320, 180, 95, 30)), MovingPerson(h, stand(480, 170, 80))),), pan=90
    )
    yield VideoScene(
        "cuts",
        (
            (MovingPerson(a, stand(260, 180, 110)),),
            (MovingPerson(h, stand(300, 180, 115)),),
            (MovingPerson(a, stand(180, 170, 90)), MovingPerson(h, stand(450, 175, 95))),
        ),
        cuts=(1.5, 3.0, 4.5),
    )
    yield VideoScene(
        "small",
        ((MovingPerson(a, walk((100, 150), (300, 160), 36, 6)), MovingPerson(h, walk((540, 150), (400, 160), 40, 6))),),
    )
