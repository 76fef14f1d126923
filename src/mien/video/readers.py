"""Is a film file whole? Containers say how long they are; a copy that broke off is shorter."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import IO

from mien.errors import MissingExtra, SourceError, SourceTooLarge, SourceUnreadable, install_command, nearest
from mien.images.decode import pixel_limit
from mien.images.formats import HEAD, described, told_by
from mien.images.sources import check_path, is_url, open_error, quote_source, source_name
from mien.video.frames import FrameReader, VideoFile, VideoReader, VideoSource


def describe_truncation(path: Path) -> str | None:
    """``it is cut off: 300 of 1,000 bytes are there``; None for a whole file, and for one that does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        told = _told(file, size)
    if told is None or told <= size:
        return None
    return f"it is cut off: {size:,} of at least {told:,} bytes are there"


def _told(file: IO[bytes], size: int) -> int | None:
    head = file.read(12)
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8
    if head[:4] == b"\x1aE\xdf\xa3":
        return _matroska(file)
    return _atoms(file, size) if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") else None


def _atoms(file: IO[bytes], size: int) -> int:
    """Where the last atom of an mp4 or mov ends: each begins with its length."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0 goes to the end of the file; anything else is damage that others will find
            return size
        place += length
    return place


def _matroska(file: IO[bytes]) -> int | None:
    """Where the segment of a webm or mkv ends; None where it was streamed and nobody knew."""
    file.seek(4)
    length = _varint(file)
    file.seek(length or 0, 1)
    if file.read(4) != b"\x18S\x80g":
        return None
    told = _varint(file)
    return None if told is None else file.tell() + told


def _varint(file: IO[bytes]) -> int | None:
    """A number of Matroska's: the first byte says how many bytes there are; all ones mean unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value


# ==== mien.media.film_open
# Which reader a film needs, or why it is none.

#: What reads film files: PyAV where the extra is installed, OpenCV always.
READERS = ("pyav", "opencv")

_EXPECTED = "A film was expected: mp4, mov, webm, mkv, avi, an animated GIF, or a folder of frames"

#: Pictures that may move.
_ANIMATED = ("GIF", "WebP", "PNG")

#: Containers of the MP4 family keep a timeline that begins at 0.
_TIMELINE = re.compile(rb"....(ftyp|moov|mdat|wide|free|skip)", re.DOTALL)

#: Lists of other files and addresses, which a film must not make anybody open.
_LIST = re.compile(rb"\s*(#EXTM3U|ffconcat|\[playlist\]|<\?xml[^>]*>\s*<(MPD|playlist|SmoothStreaming))", re.IGNORECASE)


def open_video(source: VideoSource, *, rate: float = 25.0, reader: str | None = None) -> VideoReader:
    """Open a film: a path, the bytes of a film file, a folder of frames, a camera's number, or one that is open.

    ``rate`` is how many frames of a folder make a second. ``reader`` is ``pyav`` or ``opencv``; None takes the better
    one that is installed. Raises :class:`SourceError`, before anything is read.
    """
    match source:
        case bool():
            raise _not_a_film(source)
        case int():
            from mien.video.camera import open_camera

            return open_camera(source)
        case bytes() | bytearray() | memoryview():
            return _from_bytes(bytes(source), reader)
        case str() | PathLike():
            return _from_path(source, rate, reader)
        case VideoReader():
            return source
    raise _not_a_film(source)


def has_pyav() -> bool:
    """Is the extra 'video' installed?"""
    return find_spec("av") is not None


def require_pyav(what: str, instead: str) -> None:
    """:class:`MissingExtra` where PyAV is not installed; ``instead`` says what works without it."""
    if not has_pyav():
        remedy = f"Run {install_command('video')}, or {instead}"
        raise MissingExtra(f"{what} needs PyAV, which is not installed", "The extra 'video' brings it", remedy)


def _from_path(source: str | PathLike[str], rate: float, reader: str | None) -> VideoReader:
    if is_url(source):
        remedy = f"Download it and name the file, or watch it live: mien live {source_name(source)}"
        raise SourceError(f"{quote_source(source)} is an address, not a path", _EXPECTED, remedy)
    if refused := check_path(source):
        raise refused
    path = Path(os.path.abspath(os.fsdecode(source)))  # noqa: PTH100 - resolve() would follow links in names
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for names that are too long
        from mien.video.reader_images import FolderReader

        return VideoFile(FolderReader(path, rate=rate))
    return _from_file(path, source_name(source), reader)


def _from_bytes(data: bytes, reader: str | None) -> VideoReader:
    """Films are read from files: a film's bytes become one, which is gone when the film is closed."""
    with ExitStack() as if_refused:
        kept = if_refused.enter_context(tempfile.NamedTemporaryFile(prefix="mien-", suffix=".film", delete=False))
        remove = partial(Path(kept.name).unlink, missing_ok=True)
        if_refused.callback(remove)
        kept.write(data)
        kept.flush()
        opened = _from_file(Path(kept.name), "<bytes>", reader, remove)
        if_refused.pop_all()
        kept.close()
    return opened


def _from_file(path: Path, name: str, reader: str | None, afterwards: Callable[[], None] | None = None) -> VideoFile:
    head = _head(path, name)
    form = told_by(head)
    if form is not None and form.name in _ANIMATED:
        from mien.video.reader_images import AnimationReader

        return _within_limit(VideoFile(AnimationReader(str(path), name), afterwards))
    _check_head(head, name, form.name if form and form.name not in ("AVIF", "HEIC") else None)
    opened = _reader(str(path), name, bool(_TIMELINE.match(head)), reader)
    return _within_limit(VideoFile(opened, afterwards, describe_truncation(path)))


def _reader(path: str, name: str, timeline: bool, wanted: str | None) -> FrameReader:
    if wanted not in (None, *READERS):
        remedy = nearest(str(wanted), READERS) or "Leave it out"
        raise SourceError(f"There is no reader '{wanted}'", f"One of {', '.join(READERS)} was expected", remedy)
    if wanted == "pyav":
        require_pyav("The reader 'pyav'", "use reader='opencv'")
    if wanted == "opencv" or not has_pyav():
        from mien.video.reader_opencv import OpenCVReader

        opened = OpenCVReader(path, name, timeline=timeline)
        if not opened:
            raise _unreadable(name)
        return opened
    return _by_pyav(path, name, timeline)


def _by_pyav(path: str, name: str, timeline: bool) -> FrameReader:
    from mien.video.reader_pyav import DAMAGE, PyAVReader

    try:
        return PyAVReader(path, name, timeline=timeline)
    except LookupError as error:
        raise SourceUnreadable(
            f"{quote_source(name)} has no pictures, only sound or text", _EXPECTED, "Name the file with the pictures"
        ) from error
    except DAMAGE as error:
        raise _unreadable(name) from error


def _unreadable(name: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{quote_source(name)} cannot be opened as a film: it is damaged, cut off, or has no pictures",
        _EXPECTED,
        "Play it in a video player; if that fails too, copy or download it again",
    )


def _head(path: Path, name: str) -> bytes:
    try:
        if path.exists() and not path.is_file():
            remedy = "Save it to a file first; for a camera use mien live"
            raise SourceUnreadable(f"{quote_source(name)} is a device or a pipe, not a file", _EXPECTED, remedy)
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError) as error:
        raise open_error(name, error, _EXPECTED) from error


def _check_head(head: bytes, name: str, picture: str | None) -> None:
    if not head:
        raise SourceUnreadable(f"{quote_source(name)} is empty", _EXPECTED, "Copy or download it again")
    if picture:
        raise SourceUnreadable(
            f"{quote_source(name)} is a {picture} picture, not a film",
            _EXPECTED,
            "Read it with mien predict or engine.read",
        )
    if _LIST.match(head):
        raise SourceUnreadable(
            f"{quote_source(name)} is a list of films, not a film", _EXPECTED, "Name a film of the list"
        )
    if described(head) not in ("a film", "in another format"):
        raise SourceUnreadable(f"{quote_source(name)} is {described(head)}, not a film", _EXPECTED, "Name a film")


def _within_limit(opened: VideoFile) -> VideoFile:
    (width, height), limit = opened.about.size, pixel_limit(None)
    if width * height <= limit:
        return opened
    opened.close()
    raise SourceTooLarge(
        f"{quote_source(opened.about.name)} is too large: {width} × {height} pixels a frame",
        f"At most {limit:,} pixels are decoded",
        "Make it smaller, or raise the limit with MIEN_MAX_PIXELS",
    )


def _not_a_film(source: object) -> SourceError:
    remedy = "For pictures use engine.read or engine.read_many"
    return SourceError(f"A {type(source).__name__} is no film", _EXPECTED, remedy)
