"""Films made of pictures: animated GIF, WebP and PNG, and folders of frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from PIL.ImageFile import ImageFile

from mien.errors import MienError, SourceError, SourceUnreadable
from mien.images.decode import DAMAGE, pixel_limit, upright
from mien.images.decoder_warnings import quietly
from mien.images.find import find_images
from mien.images.formats import HEAD, told_by
from mien.images.load import load_image
from mien.images.sources import quote_source, source_name
from mien.results import Failure, Pixels
from mien.video.frames import EncodedFrame, VideoInfo

#: Browsers show frames that claim less than two hundredths of a second for a tenth.
_SHORTEST, _INSTEAD = 20, 100


class AnimationReader:
    """A GIF, WebP or PNG, with the time that each of its frames is shown for; a still one is a film of one frame."""

    complaint: str | None = None

    def __init__(self, path: str, name: str) -> None:
        self._shown_name = quote_source(name)
        with ExitStack() as if_refused:
            self._file = if_refused.enter_context(Path(path).open("rb"))
            self._image = self._header(self._file.read(HEAD))
            if_refused.pop_all()
        self.about = VideoInfo(name, self._image.size, frames=getattr(self._image, "n_frames", 1))

    def shown(self, start: float) -> Iterator[EncodedFrame]:
        index, elapsed = 0, 0
        while self._turned_to(index):
            # Frames build on each other: each is made whether it is wanted or not.
            pixels = self._pixels()
            if pixels is None:
                return
            yield EncodedFrame(index, elapsed / 1000, partial(_same, pixels))
            told = int(self._image.info.get("duration", _INSTEAD) or 0)
            elapsed += told if told >= _SHORTEST else _INSTEAD
            index += 1

    def close(self) -> None:
        self._image.close()
        self._file.close()

    def _header(self, head: bytes) -> ImageFile:
        form = told_by(head)
        assert form is not None, "whoever opens this has looked"
        self._file.seek(0)
        try:
            with quietly():
                return form.open(self._file)
        except (ImportError, *DAMAGE) as error:
            raise SourceUnreadable(
                f"{self._shown_name} is a damaged {form.name}: {error}",
                "An animation that decodes was expected",
                "Copy or download it again",
            ) from error

    def _turned_to(self, index: int) -> bool:
        try:
            with quietly():
                self._image.seek(index)
        except EOFError:
            return False
        except DAMAGE as error:
            self.complaint = f"frame {index} is damaged ({error})"
            return False
        return True

    def _pixels(self) -> Pixels | None:
        try:
            return upright(self._image.copy(), self._shown_name, pixel_limit(None))
        except (SourceUnreadable, *DAMAGE) as error:
            happened = error.happened if isinstance(error, MienError) else error
            self.complaint = f"it could not be read to its end ({happened})"
            return None


class FolderReader:
    """The pictures of a folder, in the order people count, as the frames of a film."""

    complaint: str | None = None

    def __init__(self, folder: Path, *, rate: float = 25.0) -> None:
        found = list(find_images(folder))
        self._paths = [each for each in found if isinstance(each, Path)]
        if not self._paths:
            raise next(each.error for each in found if isinstance(each, Failure))
        self._rate = rate
        height, width = self._first().shape[:2]
        count = len(self._paths)
        self.about = VideoInfo(source_name(folder), (width, height), rate, count / rate, count)

    def shown(self, start: float) -> Iterator[EncodedFrame]:
        first = max(int(start * self._rate) - 1, 0)
        for index, path in enumerate(self._paths[first:], first):
            try:
                pixels = load_image(path).pixels
            except SourceError as error:
                self.complaint = self.complaint or error.happened
                continue
            yield EncodedFrame(index, index / self._rate, partial(_same, pixels))

    def close(self) -> None:
        """Each picture is closed as soon as it is read."""

    def _first(self) -> Pixels:
        """The first that can be read; how large a film is, is asked before it begins."""
        failure: SourceError | None = None
        for path in self._paths:
            try:
                return load_image(path).pixels
            except SourceError as error:
                failure = failure or error
        assert failure is not None, "there is a picture, and it failed"
        raise failure


def _same(pixels: Pixels) -> Pixels:
    return pixels
