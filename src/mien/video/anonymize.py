"""Hiding faces in a film: before a face is found for the first time, while it is missed, and after it was last seen.

A face is replaced by the mean colours of a few large cells: nothing finer is left to be brought back. What no detector
finds cannot be hidden, and a film with hidden faces still shows clothes, gait and places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from PIL.Image import Resampling

from mien.results import Box, Pixels

#: Seconds for which a face is hidden before it was found, and after it was last seen.
SECONDS_BEFORE, SECONDS_AFTER = 0.4, 0.8

#: How much larger than its box the hidden part is (hair, chin and ears tell who it is), and its cells.
MARGIN, CELLS = 0.3, 4

#: The most bytes of frames that wait to be written; large pictures look back less far.
_WAITING = 96_000_000


@dataclass(frozen=True, eq=False)
class BlurredFrame:
    """A frame whose faces are hidden, and what was passed in with it."""

    pixels: Pixels
    ticket: object


@dataclass(frozen=True, eq=False)
class _Waiting:
    pixels: Pixels
    seconds: float
    ticket: object


class FaceBlur:
    """Takes the frames of one film in order, and gives them back a little later with every face hidden."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._seen: deque[tuple[float, int | None, Box]] = deque()

    def step(
        self, pixels: Pixels, seconds: float, faces: list[tuple[int | None, Box]], ticket: object
    ) -> Iterator[BlurredFrame]:
        """``faces`` are the people's numbers and boxes in this frame; ``ticket`` comes back with it."""
        self._waiting.append(_Waiting(pixels, seconds, ticket))
        self._seen.extend((seconds, number, box) for number, box in faces)
        while self._waiting and self._due(seconds):
            yield self._out()

    def finish(self) -> Iterator[BlurredFrame]:
        while self._waiting:
            yield self._out()

    def _due(self, now: float) -> bool:
        first = self._waiting[0]
        return now - first.seconds > SECONDS_BEFORE or len(self._waiting) * first.pixels.nbytes > _WAITING

    def _out(self) -> BlurredFrame:
        frame = self._waiting.popleft()
        while self._seen and self._seen[0][0] < frame.seconds - SECONDS_AFTER:
            self._seen.popleft()
        return BlurredFrame(blur_faces(frame.pixels, self._boxes(frame.seconds)), frame.ticket)

    def _boxes(self, seconds: float) -> list[Box]:
        """For each person the nearest known box in time; larger, the farther away that is."""
        nearest: dict[object, tuple[float, Box]] = {}
        for place, (when, number, box) in enumerate(self._seen):
            key = number if number is not None else ("nobody", place)
            away = abs(when - seconds)
            if key not in nearest or away < nearest[key][0]:
                nearest[key] = away, box
        return [_grown(box, MARGIN * (1 + away)) for away, box in nearest.values()]


def blur_faces(pixels: Pixels, boxes: list[Box]) -> Pixels:
    """A copy of the picture in which these boxes show nothing but a few soft colours."""
    image = Image.fromarray(pixels)
    for box in boxes:
        left, top = max(box.x, 0), max(box.y, 0)
        right, bottom = min(box.x + box.width, image.width), min(box.y + box.height, image.height)
        if right - left >= 2 and bottom - top >= 2:
            _cover(image, (left, top, right, bottom))
    return np.array(image, np.uint8)


def blur_image(image: Image.Image) -> Image.Image:
    """A picture of nothing but those soft colours, to its very corners."""
    return image.resize((CELLS, CELLS), Resampling.BOX).resize(image.size, Resampling.BICUBIC)


def _cover(image: Image.Image, place: tuple[int, int, int, int]) -> None:
    size = place[2] - place[0], place[3] - place[1]
    mask = Image.new("L", size, 0)
    radius = max(min(size) // 3, 1)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, fill=255)
    image.paste(blur_image(image.crop(place)), place, mask)


def _grown(box: Box, margin: float) -> Box:
    across, down = round(box.width * margin), round(box.height * margin)
    return Box(box.x - across, box.y - down, box.width + 2 * across, box.height + 2 * down)
