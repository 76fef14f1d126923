"""Opening videos: which reader a source needs, errors for sources that are not videos, and videos made of images."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import IO

from PIL.ImageFile import ImageFile

from mien.errors import (
    MienError,
    MissingExtra,
    SourceError,
    SourceTooLarge,
    SourceUnreadable,
    install_command,
    suggest_name,
)
from mien.images.decode import (
    DECODER_ERRORS,
    HEAD_BYTES,
    convert_pil_image,
    describe_content,
    detect_format,
    resolve_pixel_limit,
)
from mien.images.decoder_warnings import suppress_decoder_warnings
from mien.images.find import find_images
from mien.images.load import load_image
from mien.images.sources import check_path, is_url, open_error, quote_source, source_name
from mien.results import Failure, Pixels
from mien.video.frames import EncodedFrame, FrameReader, VideoFile, VideoInfo, VideoReader, VideoSource

#: Names of the readers of video files: PyAV needs the extra 'video', OpenCV is always installed.
READERS = ("pyav", "opencv")

_EXPECTED = "A video was expected: mp4, mov, webm, mkv, avi, an animated GIF, or a folder of images"

#: Image formats that may be animations.
_ANIMATED = ("GIF", "WebP", "PNG")

#: Milliseconds. As browsers do, frames with a shorter duration are shown for the default duration.
_MIN_DURATION, _DEFAULT_DURATION = 20, 100

#: Containers of the MP4 family have a timeline that begins at 0.
_MP4_FAMILY = re.compile(rb"....(ftyp|moov|mdat|wide|free|skip)", re.DOTALL)

#: Playlists refer to other files and addresses, which must not be opened.
_PLAYLIST = re.compile(
    rb"\s*(#EXTM3U|ffconcat|\[playlist\]|<\?xml[^>]*>\s*<(MPD|playlist|SmoothStreaming))", re.IGNORECASE
)


def open_video_file(
    source: VideoSource, *, fps: float = 25.0, reader: str | None = None, max_pixels: int | None = None
) -> VideoReader:
    """Open a path, the bytes of a video file, or a folder of images; see :func:`mien.video.open_video`."""
    match source:
        case bytes() | bytearray() | memoryview():
            return _open_bytes(bytes(source), reader, max_pixels)
        case str() | PathLike():
            return _open_path(source, fps, reader, max_pixels)
        case VideoReader():
            return source
    remedy = "For images use engine.read or engine.read_many"
    raise SourceError(f"A {type(source).__name__} is not a video", _EXPECTED, remedy)


def has_pyav() -> bool:
    """Is the extra 'video' installed?"""
    return find_spec("av") is not None


def require_pyav(feature: str, alternative: str) -> None:
    """:class:`MissingExtra` where PyAV is not installed; ``alternative`` says what works without it."""
    if not has_pyav():
        remedy = f"Run {install_command('video')}, or {alternative}"
        raise MissingExtra(f"{feature} needs PyAV, which is not installed", "The extra 'video' installs it", remedy)


def _open_path(source: str | PathLike[str], fps: float, reader: str | None, max_pixels: int | None) -> VideoReader:
    if is_url(source):
        remedy = f"Download it and name the file, or use it as a camera: mien live --camera {source_name(source)}"
        raise SourceError(f"{quote_source(source)} is an address, not a path", _EXPECTED, remedy)
    if error := check_path(source):
        raise error
    path = Path(os.path.abspath(os.fsdecode(source)))  # noqa: PTH100 - resolve() would follow links in names
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for names that are too long
        return VideoFile(FolderReader(path, fps=fps, max_pixels=max_pixels))
    return _open_file(path, source_name(source), reader, max_pixels)


def _open_bytes(data: bytes, reader: str | None, max_pixels: int | None) -> VideoReader:
    """Decoders need a file: the bytes are written to a temporary file, which is deleted when the video is closed."""
    with ExitStack() as on_error:
        file = on_error.enter_context(tempfile.NamedTemporaryFile(prefix="mien-", suffix=".video", delete=False))
        remove = partial(Path(file.name).unlink, missing_ok=True)
        on_error.callback(remove)
        file.write(data)
        file.flush()
        video = _open_file(Path(file.name), "<bytes>", reader, max_pixels, remove)
        on_error.pop_all()
        file.close()
    return video


def _open_file(
    path: Path, name: str, reader: str | None, max_pixels: int | None, on_close: Callable[[], None] | None = None
) -> VideoFile:
    head, limit = _read_head(path, name), resolve_pixel_limit(max_pixels)
    image_format = detect_format(head)
    if image_format is not None and image_format.name in _ANIMATED:
        return _check_frame_size(VideoFile(AnimationReader(str(path), name, limit), on_close, None, limit), limit)
    # AVIF and HEIC share their first bytes with MP4.
    _check_head(head, name, image_format.name if image_format and image_format.name not in ("AVIF", "HEIC") else None)
    frame_reader = _create_reader(str(path), name, bool(_MP4_FAMILY.match(head)), reader, limit)
    return _check_frame_size(VideoFile(frame_reader, on_close, describe_truncation(path), limit), limit)


def _create_reader(path: str, name: str, timeline: bool, reader: str | None, limit: int) -> FrameReader:
    if reader not in (None, *READERS):
        remedy = suggest_name(str(reader), READERS) or "Leave it out"
        raise SourceError(f"There is no reader '{reader}'", f"One of {', '.join(READERS)} was expected", remedy)
    if reader == "pyav":
        require_pyav("The reader 'pyav'", "use reader='opencv'")
    if reader == "opencv" or not has_pyav():
        from mien.video.reader_opencv import OpenCVReader

        opencv_reader = OpenCVReader(path, name, timeline=timeline)
        if not opencv_reader.is_open:
            raise _damaged_error(name)
        return opencv_reader
    from mien.video.pyav import DAMAGE, PyAVReader

    try:
        return PyAVReader(path, name, timeline=timeline, max_pixels=limit)
    except LookupError as error:
        raise SourceUnreadable(
            f"{quote_source(name)} has no video stream, only audio or text", _EXPECTED, "Name the file with the video"
        ) from error
    except DAMAGE as error:
        raise _damaged_error(name) from error


def _read_head(path: Path, name: str) -> bytes:
    try:
        if path.exists() and not path.is_file():
            remedy = "Save it to a file first; for a camera use mien live"
            raise SourceUnreadable(f"{quote_source(name)} is a device or a pipe, not a file", _EXPECTED, remedy)
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise open_error(name, error, _EXPECTED) from error


def _check_head(head: bytes, name: str, image_format: str | None) -> None:
    """:class:`SourceUnreadable` for the first bytes of a file that is not a video."""
    quoted = quote_source(name)
    if not head:
        raise SourceUnreadable(f"{quoted} is empty", _EXPECTED, "Copy or download it again")
    if image_format:
        remedy = "Read it with mien predict or engine.read"
        raise SourceUnreadable(f"{quoted} is a {image_format} image, not a video", _EXPECTED, remedy)
    if _PLAYLIST.match(head):
        raise SourceUnreadable(f"{quoted} is a playlist, not a video", _EXPECTED, "Name a video of the playlist")
    if describe_content(head) not in ("a video", "in another format"):
        raise SourceUnreadable(f"{quoted} is {describe_content(head)}, not a video", _EXPECTED, "Name a video")


def _check_frame_size(video: VideoFile, limit: int) -> VideoFile:
    width, height = video.info.size
    if width * height <= limit:
        return video
    video.close()
    raise SourceTooLarge(
        f"{quote_source(video.info.name)} is too large: {width} × {height} pixels a frame",
        f"At most {limit:,} pixels are decoded",
        "Make it smaller, or raise the limit with MIEN_MAX_PIXELS",
    )


def _damaged_error(name: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{quote_source(name)} cannot be opened as a video: it is damaged, cut off, or has no video stream",
        _EXPECTED,
        "Play it in a video player; if that fails too, copy or download it again",
    )


def describe_truncation(path: Path) -> str | None:
    """``it is cut off: 300 of at least 1,000 bytes are there``; None for a file as long as its container says.

    Compares the size of the file with the size that an mp4, mov, webm, mkv or avi container states.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            expected: int | None = int.from_bytes(head[4:8], "little") + 8
        elif head[:4] == b"\x1aE\xdf\xa3":
            expected = _matroska_size(file)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            expected = _mp4_size(file, size)
        else:
            expected = None
    if expected is None or expected <= size:
        return None
    return f"it is cut off: {size:,} of at least {expected:,} bytes are there"


def _mp4_size(file: IO[bytes], size: int) -> int:
    """Where the last atom of an mp4 or mov ends: each begins with its length."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0 means to the end of the file; other small values are damage, reported when decoding
            return size
        position += length
    return position


def _matroska_size(file: IO[bytes]) -> int | None:
    """Where the segment of a webm or mkv ends; None for a stream of unknown length."""
    file.seek(4)
    header_length = _read_varint(file)
    file.seek(header_length or 0, 1)
    if file.read(4) != b"\x18S\x80g":
        return None
    length = _read_varint(file)
    return None if length is None else file.tell() + length


def _read_varint(file: IO[bytes]) -> int | None:
    """A variable-length integer of Matroska: the first byte gives the number of bytes; all ones mean unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value


# Videos made of images: animated GIF, WebP and PNG, and folders


class AnimationReader:
    """A GIF, WebP or PNG with the durations of its frames; a still image is a video of one frame."""

    damage: str | None = None

    def __init__(self, path: str, name: str, limit: int) -> None:
        self._quoted_name, self._limit = quote_source(name), limit
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
        width, height = self._image.size  # a frame may extend the image
        if width * height > self._limit:
            self.damage = f"it has a frame of {width} × {height} pixels, more than are decoded"
            return None
        try:
            return convert_pil_image(self._image.copy(), self._quoted_name, self._limit)
        except (SourceError, MemoryError, *DECODER_ERRORS) as error:
            happened = error.happened if isinstance(error, MienError) else error
            self.damage = f"it could not be read to its end ({happened})"
            return None


class FolderReader:
    """The images of a folder, in natural order of their names, as the frames of a video."""

    damage: str | None = None

    def __init__(self, folder: Path, *, fps: float = 25.0, max_pixels: int | None = None) -> None:
        self._max_pixels = max_pixels
        entries = list(find_images(folder))
        self._paths = [entry for entry in entries if isinstance(entry, Path)]
        if not self._paths:
            raise next(entry.error for entry in entries if isinstance(entry, Failure))
        self._fps = fps
        height, width = self._read_first().shape[:2]
        count = len(self._paths)
        self.info = VideoInfo(source_name(folder), (width, height), fps, count / fps, count)

    def read_from(self, start: float) -> Iterator[EncodedFrame]:
        first = max(int(start * self._fps) - 1, 0)
        for index, path in enumerate(self._paths[first:], first):
            try:
                pixels = load_image(path, max_pixels=self._max_pixels).pixels
            except SourceError as error:
                self.damage = self.damage or error.happened
                continue
            yield EncodedFrame(index, index / self._fps, lambda pixels=pixels: pixels)  # type: ignore[misc]

    def close(self) -> None:
        """Nothing to do: each image is closed as soon as it is read."""

    def _read_first(self) -> Pixels:
        """The first image that can be read gives the size of the frames."""
        failure: SourceError | None = None
        for path in self._paths:
            try:
                return load_image(path, max_pixels=self._max_pixels).pixels
            except SourceError as error:
                failure = failure or error
        assert failure is not None, "the folder has images, and all failed"
        raise failure
