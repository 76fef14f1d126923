"""Blurring of faces in a video: also shortly before a face is detected, while it is missed, and afterwards.

A face is replaced by the mean colours of a few large cells, from which nothing finer can be restored. A face that no
detector detects is not blurred, and clothes, gait and surroundings stay visible.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageDraw
from PIL.Image import Resampling

from mien.results import Box, Pixels

#: Seconds for which a face is blurred before it is first detected, and after it is last detected.
SECONDS_BEFORE, SECONDS_AFTER = 0.4, 0.8

#: The blurred area is larger than the box by this part of it on each side (hair, chin and ears identify a person), and
#: has so many cells a side.
MARGIN, CELLS = 0.3, 4

#: Bytes of frames that wait for later detections; large frames wait for a shorter time.
_MAX_WAITING_BYTES = 96_000_000

Payload = TypeVar("Payload")


@dataclass(frozen=True, eq=False)
class BlurredFrame(Generic[Payload]):
    """A frame with blurred faces, and the payload that was passed with it."""

    pixels: Pixels
    payload: Payload


class _WaitingFrame(NamedTuple, Generic[Payload]):
    pixels: Pixels
    seconds: float
    payload: Payload


class FaceBlur(Generic[Payload]):
    """Takes the frames of one video in order, and returns each a little later with all faces blurred."""

    def __init__(self) -> None:
        self._waiting: deque[_WaitingFrame[Payload]] = deque()
        self._detections: deque[tuple[float, int | None, Box]] = deque()

    def step(
        self, pixels: Pixels, seconds: float, faces: list[tuple[int | None, Box]], payload: Payload
    ) -> Iterator[BlurredFrame[Payload]]:
        """``faces`` are the track numbers and boxes in this frame; ``payload`` is returned with it."""
        self._waiting.append(_WaitingFrame(pixels, seconds, payload))
        self._detections.extend((seconds, track, box) for track, box in faces)
        while self._waiting and (
            seconds - self._waiting[0].seconds > SECONDS_BEFORE
            or len(self._waiting) * self._waiting[0].pixels.nbytes > _MAX_WAITING_BYTES
        ):
            yield self._blur_next()

    def finish(self) -> Iterator[BlurredFrame[Payload]]:
        """The frames that still wait, at the end of the video."""
        while self._waiting:
            yield self._blur_next()

    def _blur_next(self) -> BlurredFrame[Payload]:
        frame = self._waiting.popleft()
        while self._detections and self._detections[0][0] < frame.seconds - SECONDS_AFTER:
            self._detections.popleft()
        return BlurredFrame(blur_faces(frame.pixels, self._boxes_at(frame.seconds)), frame.payload)

    def _boxes_at(self, seconds: float) -> list[Box]:
        """For each track the box that is nearest in time, enlarged with the distance in time."""
        nearest: dict[object, tuple[float, Box]] = {}
        for index, (at, track, box) in enumerate(self._detections):
            key = track if track is not None else ("no track", index)
            distance = abs(at - seconds)
            if key not in nearest or distance < nearest[key][0]:
                nearest[key] = distance, box
        boxes = []
        for distance, box in nearest.values():
            margin = MARGIN * (1 + distance)
            dx, dy = round(box.width * margin), round(box.height * margin)
            boxes.append(Box(box.x - dx, box.y - dy, box.width + 2 * dx, box.height + 2 * dy))
        return boxes


def blur_faces(pixels: Pixels, boxes: list[Box]) -> Pixels:
    """A copy of the image with these boxes blurred, also where they exceed the image."""
    image = Image.fromarray(pixels)
    for box in boxes:
        left, top = max(box.x, 0), max(box.y, 0)
        right, bottom = min(box.x + box.width, image.width), min(box.y + box.height, image.height)
        size = right - left, bottom - top
        if min(size) >= 2:
            mask = Image.new("L", size, 0)
            radius = max(min(size) // 3, 1)
            ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, fill=255)
            area = (left, top, right, bottom)
            image.paste(blur_image(image.crop(area)), area, mask)
    return np.array(image, np.uint8)


def blur_image(image: Image.Image) -> Image.Image:
    """The whole image blurred, to its corners."""
    return image.resize((CELLS, CELLS), Resampling.BOX).resize(image.size, Resampling.BICUBIC)
