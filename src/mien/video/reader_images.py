"""Videos made of images: animated GIF, WebP and PNG, and folders of images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from PIL.ImageFile import ImageFile

from mien.errors import MienError, SourceError, SourceUnreadable
from mien.images.decode import DECODER_ERRORS, convert_pil_image, resolve_pixel_limit
from mien.images.decoder_warnings import suppress_decoder_warnings
from mien.images.find import find_images
from mien.images.formats import HEAD_BYTES, detect_format
from mien.images.load import load_image
from mien.images.sources import quote_source, source_name
from mien.results import Failure, Pixels
from mien.video.frames import EncodedFrame, VideoInfo

#: Milliseconds. As browsers do, frames with a shorter duration are shown for the default duration.
_MIN_DURATION, _DEFAULT_DURATION = 20, 100


class AnimationReader:
    """A GIF, WebP or PNG with the durations of its frames; a still image is a video of one frame."""

    damage: str | None = None

    def __init__(self, path: str, name: str) -> None:
        self._quoted_name = quote_source(name)
        with ExitStack() as on_error:
            self._file = on_error.enter_context(Path(path).open("rb"))
            self._image = self._open_image(self._file.read(HEAD_BYTES))
            on_error.pop_all()
        self.info = VideoInfo(name, self._image.size, frames=getattr(self._image, "n_frames", 1))

    def read_from(self, start: float) -> Iterator[EncodedFrame]:
        index, elapsed = 0, 0
        while self._seek(index):
            # Frames depend on the frames before them, so each is decoded even when it is not selected.
            pixels = self._decode()
            if pixels is None:
                return
            yield EncodedFrame(index, elapsed / 1000, lambda pixels=pixels: pixels)  # type: ignore[misc]
            duration = int(self._image.info.get("duration", _DEFAULT_DURATION) or 0)
            elapsed += duration if duration >= _MIN_DURATION else _DEFAULT_DURATION
            index += 1

    def close(self) -> None:
        self._image.close()
        self._file.close()

    def _open_image(self, head: bytes) -> ImageFile:
        image_format = detect_format(head)
        assert image_format is not None, "open_video detects the format"
        self._file.seek(0)
        try:
            with suppress_decoder_warnings():
                return image_format.open(self._file)
        except (ImportError, *DECODER_ERRORS) as error:
            raise SourceUnreadable(
                f"{self._quoted_name} is a damaged {image_format.name}: {error}",
                "An animation that can be decoded was expected",
                "Copy or download it again",
            ) from error

    def _seek(self, index: int) -> bool:
        try:
            with suppress_decoder_warnings():
                self._image.seek(index)
        except EOFError:
            return False
        except DECODER_ERRORS as error:
            self.damage = f"frame {index} is damaged ({error})"
            return False
        return True

    def _decode(self) -> Pixels | None:
        try:
            return convert_pil_image(self._image.copy(), self._quoted_name, resolve_pixel_limit(None))
        except (SourceUnreadable, *DECODER_ERRORS) as error:
            happened = error.happened if isinstance(error, MienError) else error
            self.damage = f"it could not be read to its end ({happened})"
            return None


class FolderReader:
    """The images of a folder, in natural order of their names, as the frames of a video."""

    damage: str | None = None

    def __init__(self, folder: Path, *, fps: float = 25.0) -> None:
        entries = list(find_images(folder))
        self._paths = [entry for entry in entries if isinstance(entry, Path)]
        if not self._paths:
            raise next(entry.error for entry in entries if isinstance(entry, Failure))
        self._fps = fps
        height, width = self._first_readable().shape[:2]
        count = len(self._paths)
        self.info = VideoInfo(source_name(folder), (width, height), fps, count / fps, count)

    def read_from(self, start: float) -> Iterator[EncodedFrame]:
        first = max(int(start * self._fps) - 1, 0)
        for index, path in enumerate(self._paths[first:], first):
            try:
                pixels = load_image(path).pixels
            except SourceError as error:
                self.damage = self.damage or error.happened
                continue
            yield EncodedFrame(index, index / self._fps, lambda pixels=pixels: pixels)  # type: ignore[misc]

    def close(self) -> None:
        """Nothing to do: each image is closed as soon as it is read."""

    def _first_readable(self) -> Pixels:
        """The first image that can be read gives the size of the frames."""
        failure: SourceError | None = None
        for path in self._paths:
            try:
                return load_image(path).pixels
            except SourceError as error:
                failure = failure or error
        assert failure is not None, "the folder has images, and all failed"
        raise failure
