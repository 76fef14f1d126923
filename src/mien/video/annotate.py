"""The annotated video: every analysed frame with boxes and labels, and with blurred faces on request.

Faces are blurred also shortly before they are detected, while they are missed, and afterwards. A face is replaced by
the mean colours of a few large cells, from which nothing finer can be restored. A face that no detector detects is not
blurred, and clothes, gait and surroundings stay visible.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from PIL.Image import Resampling

from mien import video
from mien.draw import draw_readings
from mien.results import AnalyzedFrame, Box, FrameResult, Pixels, Reading
from mien.video import VideoInfo
from mien.video.frames import ClosingContext
from mien.video.journal import AnalysisOptions

#: Seconds for which a face is blurred before it is first detected, and after it is last detected.
SECONDS_BEFORE, SECONDS_AFTER = 0.4, 0.8

#: The blurred area is larger than the box by this part of it on each side (hair, chin and ears identify a person), and
#: has so many cells a side.
MARGIN, CELLS = 0.3, 4

#: Bytes of frames that wait for later detections; large frames wait for a shorter time.
_MAX_WAITING_BYTES = 96_000_000


class AnnotatedVideo(ClosingContext):
    """Writes the frames of one video as they are analysed. Whenever it is closed, the file is a complete video."""

    def __init__(self, path: Path, options: AnalysisOptions, info: VideoInfo, *, blur_faces: bool = False) -> None:
        self._blur = FaceBlur() if blur_faces else None
        fps = info.fps and info.fps / (options.every or 1)
        fps = min(fps or options.fps, options.fps) if options.fps else fps
        self._writer = video.open_writer(path, info.size, fps, audio=options.source, start=options.start or 0.0)

    def add(self, frame: AnalyzedFrame) -> None:
        """Add a frame with its pixels."""
        for ready in (frame,) if self._blur is None else self._blur.step(frame):
            self._write(ready)

    def close(self) -> None:
        for ready in () if self._blur is None else self._blur.finish():
            self._write(ready)
        self._writer.close()

    def _write(self, frame: AnalyzedFrame) -> None:
        assert frame.pixels is not None, "frames are analysed with frames=True"
        self._writer.write(draw_readings(frame.pixels, simplify_labels(frame.result)), frame.seconds)


def simplify_labels(result: FrameResult) -> FrameResult:
    """The result for drawing on moving images: one label without a mixture, and uncertain for unusable faces."""
    return replace(result, readings=tuple(map(_simplify, result.readings)))


def _simplify(reading: Reading) -> Reading:
    emotions = replace(reading.emotions, mixture=())
    if not reading.quality.ok:
        emotions = replace(emotions, uncertain=reading.quality.reason or "the face is not clear")
    return replace(reading, emotions=emotions)


class FaceBlur:
    """Takes the frames of one video in order, with pixels, and returns each a little later with all faces blurred."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[AnalyzedFrame, Pixels]] = deque()
        self._detections: deque[tuple[float, int | None, Box]] = deque()

    def step(self, frame: AnalyzedFrame) -> Iterator[AnalyzedFrame]:
        assert frame.pixels is not None, "frames are analysed with frames=True"
        self._waiting.append((frame, frame.pixels))
        self._detections.extend((frame.seconds, reading.track, reading.face.box) for reading in frame)
        while self._waiting and (
            frame.seconds - self._waiting[0][0].seconds > SECONDS_BEFORE
            or len(self._waiting) * frame.pixels.nbytes > _MAX_WAITING_BYTES
        ):
            yield self._blur_next()

    def finish(self) -> Iterator[AnalyzedFrame]:
        """The frames that still wait, at the end of the video."""
        while self._waiting:
            yield self._blur_next()

    def _blur_next(self) -> AnalyzedFrame:
        frame, pixels = self._waiting.popleft()
        while self._detections and self._detections[0][0] < frame.seconds - SECONDS_AFTER:
            self._detections.popleft()
        return replace(frame, pixels=blur_faces(pixels, self._boxes_at(frame.seconds)))

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
