"""Files that a client uploads: how large they may be, what they are called, and how errors name them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from mien.errors import MienError, SourceError, SourceTooLarge, SourceUnreadable
from mien.images.decode import count_decoding_pixels
from mien.images.decode import decode_image as decoded
from mien.images.sources import quote_source
from mien.results import Pixels

MB = 1_000_000

#: The default limits of every window: images in one request, bytes of an image, bytes of a video, seconds of a video
#: that are analysed, and minutes after which the results of a video are removed. The pixels of an image have the limit
#: of the library and of the command line: ``mien.images.MAX_PIXELS``.
MAX_IMAGES, MAX_IMAGE_BYTES = 32, 20 * MB
MAX_VIDEO_BYTES, MAX_VIDEO_SECONDS, RESULT_MINUTES = 200 * MB, 1800.0, 15.0


@dataclass(frozen=True)
class Upload:
    """One uploaded file: the client's name for it, which must be safe to print, and its content.

    ``error`` is set where the content could not be received; every use of the content then raises it.
    """

    name: str
    data: bytes
    error: SourceError | None = None

    def decode_image(self, max_pixels: int) -> Pixels:
        """The image, upright RGB uint8; a SourceError that has the client's name if it cannot be decoded."""
        if self.error:
            raise self.error
        try:
            return decoded(BytesIO(self.data), quote_source(self.name), max_pixels)
        except SourceTooLarge as error:
            raise hide_server_settings(error) from error

    def count_pixels(self) -> int:
        """The pixels of the image by its header, as the memory for decoding counts them; 0 for what is no image."""
        return count_decoding_pixels(BytesIO(self.data))

    def video_bytes(self) -> bytes:
        """The content of a video that is not empty, else a SourceError."""
        if self.error:
            raise self.error
        check_video_size(self.name, len(self.data))
        return self.data


def check_image_size(name: str, size: int, limit: int = MAX_IMAGE_BYTES) -> None:
    """SourceTooLarge for an image file of more than ``limit`` bytes."""
    _check_size(name, size, limit, "An image")


def check_video_size(name: str, size: int, limit: int | None = None) -> None:
    """SourceTooLarge for a video file of more than ``limit`` bytes, SourceUnreadable for an empty one."""
    if limit is not None:
        _check_size(name, size, limit, "A video")
    if not size:
        expected = "A video was expected: mp4, mov, webm, mkv, avi or an animated GIF"
        raise SourceUnreadable(f"{quote_source(name)} is empty", expected)


def hide_server_settings(error: SourceTooLarge) -> SourceTooLarge:
    """The error without the settings of the server as a remedy, which a visitor cannot change."""
    return SourceTooLarge(error.happened, error.expected, "Send a smaller one")


def hide_server_paths(error: MienError, path: Path, name: str, folder: Path | None = None) -> MienError:
    """The error with the client's ``name`` in place of ``path``, and without the folders of this machine.

    ``folder`` is where results are written, if it is not the folder of ``path``.
    """

    def replace(text: str) -> str:
        text = text.replace(str(path), name)
        for parent in (path.parent, folder):
            text = text.replace(f"{parent}{os.sep}", "")
        return text

    return type(error)(replace(error.happened), replace(error.expected), replace(error.remedy))


def _check_size(name: str, size: int, limit: int, kind: str) -> None:
    if size > limit:
        happened = f"{quote_source(name)} is a file of {size / MB:.0f} MB"
        raise SourceTooLarge(happened, f"{kind} of at most {limit // MB} MB was expected", "Send a smaller one")
