"""Which images the arguments of a command name: files, folders, globs, stdin and URLs, read lazily and in order."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import MienError, SourceMissing, SourceTooLarge

if TYPE_CHECKING:  # mien.results imports NumPy, which `--help` does without
    from mien.results import Failure

#: The argument for an image on stdin, and for a table on stdout.
STDIN = STDOUT = "-"

#: More bytes than any image file has: an endless pipe must not fill the memory.
_STDIN_LIMIT = 1 << 30

#: File systems allow 255 bytes; a number and a suffix may be appended.
_MAX_NAME_LENGTH = 100

_GLOB_CHARACTERS = frozenset("*?[")

_STDIN_REMEDY = "Send it an image: mien predict - < photo.jpg"


@dataclass(frozen=True, slots=True)
class InputImage:
    """One image to read: what the engine opens, the name in results, and its path inside a folder of copies."""

    source: Path | bytes | Failure
    name: str
    relative_path: Path


def find_inputs(arguments: Sequence[str], exclude: Path | None = None) -> Iterator[InputImage]:
    """All images that the arguments name, in order. What cannot be opened is a Failure in its place.

    The relative paths mirror a single folder; with several arguments each gets a name of its own. ``exclude`` is a
    folder whose images are skipped: that of the annotated copies, if it is inside the folder that is read.
    """
    from mien import images
    from mien.results import Failure

    used: set[str] = set()
    for argument in arguments:
        if argument == STDIN:
            yield InputImage(_read_stdin(), STDIN, _make_unique("stdin.png", used))
            continue
        if is_url(argument):
            try:
                from mien.images.download import download_image  # Python's HTTP client takes long to import

                source: bytes | Failure = download_image(argument)
            except MienError as error:
                source = Failure(argument, error)
            yield InputImage(source, argument, _make_unique(_file_name_of_url(argument), used))
            continue
        folder = search_root(argument)
        is_search = is_directory(argument) or not os.path.lexists(argument)
        top = _make_unique(resolve_links(folder).name, used) if is_search and len(arguments) > 1 else Path()
        for path in images.find_images([argument]):
            if isinstance(path, Failure):
                yield InputImage(path, path.source, Path())
            elif not is_search:
                yield InputImage(path, str(path), _make_unique(path.name, used))
            elif exclude is None or not resolve_links(path).is_relative_to(exclude):
                yield InputImage(path, str(path), top / path.relative_to(folder))


def count_inputs(arguments: Sequence[str], time_limit: float = 1.0) -> int | None:
    """How many images the arguments name; None if counting takes longer than ``time_limit`` seconds."""
    from mien import images

    deadline, total = time.monotonic() + time_limit, 0
    for argument in arguments:
        for _ in (argument,) if argument == STDIN or is_url(argument) else images.find_images([argument]):
            total += 1
            if time.monotonic() > deadline:
                return None
    return total


def _read_stdin() -> bytes | Failure:
    from mien.results import Failure

    if sys.stdin is None:
        return Failure(STDIN, SourceMissing("stdin is closed", "An image was expected there", _STDIN_REMEDY))
    try:
        data = sys.stdin.buffer.read(_STDIN_LIMIT + 1)
    except OSError as error:
        happened = f"stdin cannot be read: {error.strerror or error}"
        return Failure(STDIN, SourceMissing(happened, "An image was expected there", _STDIN_REMEDY))
    if len(data) <= _STDIN_LIMIT:
        return data
    return Failure(STDIN, SourceTooLarge("stdin contains more than 1 GiB", "One image was expected", _STDIN_REMEDY))


def _file_name_of_url(url: str) -> str:
    """The last part of a URL as a file name that every system accepts; the host where there is no path."""
    last = re.split(r"[?#]", url)[0].rstrip("/").rpartition("/")[2]
    return re.sub(r'[\\:*"<>|\0-\x1f]', "_", last)[-_MAX_NAME_LENGTH:]


def _make_unique(name: str, used: set[str]) -> Path:
    """``photo.jpg``, then ``photo-2.jpg``; names that differ only in case count as equal. Adds the name to ``used``."""
    path, candidate, number = Path(name), name, 1
    while candidate.lower() in used:
        number += 1
        candidate = f"{path.stem}-{number}{path.suffix}"
    used.add(candidate.lower())
    return Path(candidate)


def is_url(argument: str) -> bool:
    return argument.lower().startswith(("http://", "https://"))


def is_directory(argument: str) -> bool:
    try:
        return Path(argument).is_dir()
    except OSError:  # the name is too long, or a folder above may not be entered
        return False


def search_root(argument: str) -> Path:
    """The folder in which a folder argument or a glob searches; for a file, the folder that contains it."""
    path = Path(argument)
    if is_directory(argument):
        return path
    if os.path.lexists(argument) or not _GLOB_CHARACTERS & set(argument):
        return path.parent
    plain = []
    for part in path.parts:
        if _GLOB_CHARACTERS & set(part):
            break
        plain.append(part)
    return Path(*plain)


def denotes_file(target: str) -> bool:
    """Does an output argument mean one file? Yes if it has a suffix, is no folder and does not end with a slash."""
    return bool(Path(target).suffix) and not target.endswith(("/", os.sep)) and not is_directory(target)


def contains_sources(target: Path, arguments: Sequence[str]) -> bool:
    """Would files in this folder be among the images that are read, or above them?"""
    folders = (search_root(argument) for argument in arguments if argument != STDIN and not is_url(argument))
    return any(resolve_links(folder).is_relative_to(resolve_links(target)) for folder in folders)


def resolve_links(path: Path) -> Path:
    """The path without symbolic links; a circular link stays as it is, where ``Path.resolve`` would raise."""
    return Path(os.path.realpath(path))


def is_same_file(first: str | Path, second: str | Path) -> bool:
    """Do both paths name one existing file? False if either cannot be accessed."""
    try:
        return Path(first).samefile(second)
    except OSError:
        return False
