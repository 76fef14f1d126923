"""The open images: their list, their analysis in the background, and the annotated image for the screen."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

from mien.apps.desktop.state import AppState, ModelSelection, ModelSession
from mien.apps.desktop.worker import BACKGROUND, IMMEDIATE, SOON, Steps, Task
from mien.errors import MienError
from mien.results import Box, Face, Failure, FrameResult, Pixels, Point, Reading

#: The longest side in pixels of a preview and of a thumbnail, and the JPEG quality of a thumbnail.
PREVIEW_SIDE, THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 1800, 120, 82

#: The most images that are open at once, and the number that is added from a folder at a time.
MAX_IMAGES, _BATCH = 5000, 100

#: Previews in memory: the current image and its neighbours.
_MAX_PREVIEWS = 5

#: Small images are enlarged at most so much.
_MAX_ENLARGEMENT = 3.0


@dataclass(frozen=True, eq=False)
class OpenImage:
    """One image. Neither ``result`` nor ``error``: it was not analysed yet. ``thumbnail`` is a JPEG."""

    number: int
    source: Path | bytes | Pixels
    name: str
    result: FrameResult | None = None
    error: MienError | None = None
    thumbnail: bytes | None = None

    @property
    def outcome(self) -> FrameResult | Failure | None:
        """The result as the library and ``mien predict`` report it; None before the analysis."""
        # `or` would be wrong: a result without faces is false.
        return Failure(self.name, self.error) if self.error else self.result

    @property
    def title(self) -> str:
        return self.source.name if isinstance(self.source, Path) else self.name


class ImageUpdate(NamedTuple):
    """New values of an image's fields; and its preview, which is reduced to :data:`PREVIEW_SIDE`."""

    number: int
    changes: dict[str, Any]
    preview: Pixels | None = None


class ImageEntry(NamedTuple):
    """An image to open, or the error that it cannot be opened."""

    source: Path | bytes | Pixels
    name: str
    error: MienError | None = None


class ImageList:
    """The open images in order, one of them current.

    Topics: ``images`` (opened, closed or analysed), ``image`` (another is current, or its preview or result arrived),
    ``face`` (another of its faces is selected).
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        self.images: list[OpenImage] = []
        self.index, self.face_index = -1, 0
        self._numbers = count(1)
        self._previews: OrderedDict[int, Pixels] = OrderedDict()
        self._queue: deque[OpenImage] = deque()
        self._background: Task | None = None
        self._omitted = 0

    # The current image

    @property
    def current(self) -> OpenImage | None:
        return self.images[self.index] if 0 <= self.index < len(self.images) else None

    @property
    def preview(self) -> Pixels | None:
        """The pixels of the current image for the screen; None while it is being loaded."""
        return self._previews.get(self.current.number) if self.current else None

    @property
    def preview_count(self) -> int:
        return len(self._previews)

    @property
    def readings(self) -> tuple[Reading, ...]:
        return self.current.result.readings if self.current and self.current.result else ()

    @property
    def reading(self) -> Reading | None:
        """The reading of the selected face."""
        return self.readings[self.face_index] if self.face_index < len(self.readings) else None

    @property
    def completed(self) -> int:
        """The number of images that were analysed or failed."""
        return sum(image.outcome is not None for image in self.images)

    def outcomes(self) -> list[FrameResult | Failure]:
        return [image.outcome for image in self.images if image.outcome is not None]

    def select(self, index: int) -> None:
        """Make another image current."""
        if not 0 <= index < len(self.images) or index == self.index:
            return
        self.index, self.face_index = index, 0
        self._load_current()
        self._state.events.publish("image", "face")

    def step_face(self, step: int) -> None:
        """Select the next or previous face of the current image, in a circle."""
        if face_count := len(self.readings):
            self.select_face((self.face_index + step) % face_count)

    def select_face(self, index: int) -> None:
        if 0 <= index < len(self.readings) and index != self.face_index:
            self.face_index = index
            self._state.events.publish("face")

    # Opening and closing

    def open(self, paths: Iterable[Path]) -> None:
        """Append images and the images of folders; the first new one becomes current."""
        first = len(self.images)
        self._state.submit(_list_images(list(paths)), lambda batch: self._append(batch, first), priority=SOON)

    def add(self, source: bytes | Pixels, name: str) -> None:
        """Append an image without a file: pasted, or from the camera."""
        self._append([ImageEntry(source, name)], len(self.images))

    def close_current(self) -> None:
        if self.current:
            closed = self.images.pop(self.index)
            self._previews.pop(closed.number, None)
            if closed in self._queue:
                self._queue.remove(closed)
            self._state.events.publish("images")
            index, self.index = min(self.index, len(self.images) - 1), -1
            self.select(index)
            if not self.images:
                self._state.events.publish("image", "face")

    def clear(self) -> None:
        """Close all images."""
        self.cancel()
        self.images, self.index, self.face_index = [], -1, 0
        self._previews.clear()
        self._state.events.publish("images", "image", "face")

    def analyze_again(self) -> None:
        """Analyse all images anew, with another model."""
        self.images = [replace(image, result=None, error=None) for image in self.images]
        self.face_index = 0
        self._queue = deque(self.images)
        if self._background:
            self._background.cancel()
        self._start_background()
        self._load_current()
        self._state.events.publish("images", "image", "face")

    def cancel(self) -> None:
        """Stop the background analysis."""
        self._queue.clear()

    # Analysis

    def _append(self, batch: list[ImageEntry], first: int) -> None:
        open_paths = {image.source: index for index, image in enumerate(self.images) if isinstance(image.source, Path)}
        added = [
            entry
            for entry in batch
            if entry.error or not isinstance(entry.source, Path) or entry.source not in open_paths
        ]
        if batch and not added:
            self.select(open_paths[batch[0].source])  # type: ignore[index]
            return
        capacity = max(MAX_IMAGES - len(self.images), 0)
        self._omitted += max(len(added) - capacity, 0)
        images = [
            OpenImage(next(self._numbers), entry.source, entry.name, error=entry.error) for entry in added[:capacity]
        ]
        self.images += images
        self._queue.extend(image for image in images if image.outcome is None)
        self._state.events.publish("images")
        if self.index < first < len(self.images):
            self.select(first)
        self._start_background()
        if self._omitted:
            self._state.show_message(
                f"The first {MAX_IMAGES:,} images are open; 'mien predict' reads folders of any size into a table."
            )

    def _start_background(self) -> None:
        if self._queue and (self._background is None or not self._background.active):
            self._background = self._state.submit(
                self._analyze_queue(self._state.selection),
                self._apply,
                priority=BACKGROUND,
                on_end=self._start_background,
            )

    def _analyze_queue(self, selection: ModelSelection) -> Steps:
        """In the worker: analyse the queue on one core; the other cores stay free for the user's requests."""
        from mien.concurrency import single_core_opencv

        with single_core_opencv:
            while self._queue:
                try:
                    image = self._queue.popleft()
                except IndexError:  # the window removed the last one in between
                    return
                yield from _analyze(self._state.session, image, selection)

    def _load_current(self) -> None:
        """Load the current image, and analyse it before the others."""
        image, state = self.current, self._state
        if image is None:
            return
        if image.outcome is None and self._dequeue(image):
            state.submit(_analyze(state.session, image, state.selection), self._apply, priority=SOON)
        elif image.number not in self._previews and not image.error:
            state.submit(_load_preview(state.session, image), self._apply, priority=IMMEDIATE)

    def _dequeue(self, image: OpenImage) -> bool:
        """Remove the image from the queue; False where the background task analyses it already."""
        try:
            self._queue.remove(image)
        except ValueError:
            return self._background is None or not self._background.active
        return True

    def _apply(self, update: ImageUpdate) -> None:
        # The numbers increase along the list.
        index = bisect_left(self.images, update.number, key=lambda image: image.number)
        if index == len(self.images) or self.images[index].number != update.number:  # closed in the meantime
            return
        self.images[index] = replace(self.images[index], **update.changes)
        if update.preview is not None:
            self._cache_preview(update.number, index, update.preview)
        self._state.events.publish("images", *(("image", "face") if index == self.index else ()))

    def _cache_preview(self, number: int, index: int, pixels: Pixels) -> None:
        if abs(index - self.index) < _MAX_PREVIEWS // 2 + 1:
            self._previews[number] = pixels
        current = self.current.number if self.current else None
        while len(self._previews) > _MAX_PREVIEWS:
            self._previews.pop(next(cached for cached in self._previews if cached != current))


# In the worker


def _list_images(paths: list[Path]) -> Steps:
    """The images that the paths name, in batches, so that the first of a folder of thousands appear at once."""
    from mien import images

    entries = (
        ImageEntry(Path(path.source), path.source, path.error)
        if isinstance(path, Failure)
        else ImageEntry(path, images.source_name(path))
        for path in images.find_images(paths)
    )
    while batch := list(islice(entries, _BATCH)):
        yield batch


def _analyze(session: ModelSession, image: OpenImage, selection: ModelSelection) -> Steps:
    """Yield the preview, then the result or the error."""
    try:
        yield _create_preview(session, image)
        engine = session.engine(selection)
        yield None
        result = engine.read(session.pixels(image.number, image.source))
        yield ImageUpdate(image.number, {"result": replace(result, source=image.name)})
    except MienError as error:
        yield ImageUpdate(image.number, {"error": error})


def _load_preview(session: ModelSession, image: OpenImage) -> Steps:
    try:
        yield _create_preview(session, image)
    except MienError as error:
        yield ImageUpdate(image.number, {"error": error})


def _create_preview(session: ModelSession, image: OpenImage) -> ImageUpdate:
    from PIL import Image

    pixels = _reduce(session.pixels(image.number, image.source), PREVIEW_SIDE)
    stream = BytesIO()
    Image.fromarray(_reduce(pixels, THUMBNAIL_SIDE)).save(stream, "JPEG", quality=_THUMBNAIL_QUALITY)
    return ImageUpdate(image.number, {"thumbnail": stream.getvalue()}, pixels)


def _reduce(pixels: Pixels, side: int) -> Pixels:
    """No side longer than ``side`` pixels; a smaller image stays as it is."""
    import cv2
    import numpy as np

    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


# The annotated image in the size of the screen


class ScaledImage(NamedTuple):
    """``scale`` is the size of the annotated pixels relative to the original image."""

    pixels: Pixels
    scale: float


class ImageAnnotator:
    """Draws boxes and labels on the current image, scaled to its view so that labels stay readable.

    Topic: ``annotated``, when the image of the last request is ready.
    """

    def __init__(self, state: AppState, images: ImageList) -> None:
        self._state, self._images = state, images
        self._size = (0, 0)
        #: The result, the pixels and the size that were requested, and the image of them.
        self._requested: tuple[FrameResult | None, Pixels | None, tuple[int, int]] = None, None, (0, 0)
        self._image: ScaledImage | None = None
        self._task: Task | None = None

    @property
    def image(self) -> ScaledImage | None:
        """None while it is being drawn."""
        return self._image if self._is_requested() else None

    def request(self, width: int, height: int) -> None:
        """Draw the current image in this size, unless that was requested already."""
        self._size = width, height
        if self._images.preview is None or min(self._size) < 8 or self._is_requested():
            return
        if self._task:
            self._task.cancel()
        result, pixels, _ = self._requested = self._result, self._images.preview, self._size
        self._image = None

        def store(image: ScaledImage) -> None:
            self._image = image
            self._state.events.publish("annotated")

        self._task = self._state.submit(_annotate(pixels, result, self._size), store, priority=IMMEDIATE)

    def clear(self) -> None:
        self._requested = None, None, (0, 0)

    @property
    def _result(self) -> FrameResult | None:
        return self._images.current.result if self._images.current else None

    def _is_requested(self) -> bool:
        """Whether the current objects are those of the request: comparing contents would take longer than drawing."""
        result, pixels, size = self._requested
        return pixels is not None and pixels is self._images.preview and result is self._result and size == self._size


def _annotate(pixels: Pixels, result: FrameResult | None, size: tuple[int, int]) -> Steps:
    from mien.draw import draw_readings

    fitted = fit_image(pixels, size)
    if result is None:
        yield ScaledImage(fitted, fitted.shape[1] / pixels.shape[1])
        return
    scale = fitted.shape[1] / result.size[0]
    yield ScaledImage(draw_readings(fitted, scale_result(result, scale), numbered=True), scale)


def fit_image(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The largest image that fits into ``(width, height)``, enlarged at most three times."""
    import cv2
    import numpy as np

    height, width = pixels.shape[:2]
    scale = min(size[0] / width, size[1] / height, _MAX_ENLARGEMENT)
    fitted = max(round(width * scale), 1), max(round(height * scale), 1)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, fitted, interpolation=interpolation), np.uint8)


def scale_result(result: FrameResult, scale: float) -> FrameResult:
    """The result with boxes and landmarks for a scaled image."""
    size = round(result.size[0] * scale), round(result.size[1] * scale)
    return replace(result, size=size, readings=tuple(_scale_reading(reading, scale) for reading in result))


def _scale_reading(reading: Reading, scale: float) -> Reading:
    face = reading.face
    box = Box(*(round(value * scale) for value in face.box))
    landmarks = face.landmarks and tuple(Point(point.x * scale, point.y * scale) for point in face.landmarks)
    return replace(reading, face=Face(box, face.detection, landmarks))
