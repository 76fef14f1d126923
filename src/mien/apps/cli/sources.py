"""Which images the arguments of a command name: files, folders, globs, stdin and URLs, read lazily and in order."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import is_terminal
from mien.errors import MienError, SourceMissing, SourceTooLarge

if TYPE_CHECKING:  # mien.results imports NumPy, which `--help` does without
    from mien.results import Failure

#: The argument for an image on stdin.
STDIN = "-"

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


class ImageSources:
    """The images that the arguments SRC name. What cannot be opened counts as an image, and is a Failure."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments

    def check(self, allow_url: bool, example: str) -> None:
        """Refuse a URL without --allow-url, and the keyboard as stdin; ``example`` is a command that reads stdin."""
        url = next(filter(is_url, self._arguments), None)
        if url and not allow_url:
            raise click.UsageError(f"'{url}' is a URL. Add --allow-url to download it.")
        if STDIN in self._arguments and is_terminal(sys.stdin):
            raise click.UsageError(f"'-' reads an image from stdin. Send it one: {example}")

    def find(self, exclude: Path | None = None) -> Iterator[InputImage]:
        """All images, in order.

        The relative paths mirror a single folder; with several arguments each gets a name of its own. ``exclude`` is a
        folder whose images are skipped: that of the annotated copies, if it is inside the folder that is read.
        """
        used: set[str] = set()
        exclude = exclude and _resolve_links(exclude)
        for argument in self._arguments:
            if argument == STDIN:
                yield InputImage(_read_stdin(), STDIN, make_unique(Path("stdin.png"), used))
            elif not is_url(argument):
                yield from self._find_files(argument, exclude, used)
            else:
                path = make_unique(Path(_file_name_of_url(argument)), used)
                yield InputImage(_download(argument), argument, path)

    def _find_files(self, argument: str, exclude: Path | None, used: set[str]) -> Iterator[InputImage]:
        from mien import images
        from mien.results import Failure

        folder, top = _search_root(argument), Path()
        is_search = _is_directory(argument) or not os.path.lexists(argument)
        if is_search and len(self._arguments) > 1:
            top = make_unique(Path(_resolve_links(folder).name), used)
        for path in images.find_images(argument):
            if isinstance(path, Failure):
                yield InputImage(path, path.source, Path())
            elif not is_search:
                yield InputImage(path, str(path), make_unique(Path(path.name), used))
            elif exclude is None or not _resolve_links(path).is_relative_to(exclude):
                yield InputImage(path, str(path), top / path.relative_to(folder))

    def count(self, time_limit: float = 1.0) -> int | None:
        """The number of images; None if counting takes longer than ``time_limit`` seconds."""
        deadline, total = time.monotonic() + time_limit, 0
        for _ in self._list_sources():
            total += 1
            if time.monotonic() > deadline:
                return None
        return total

    def is_folder(self) -> bool:
        """Is the first argument a folder?"""
        return _is_directory(self._arguments[0])

    def has_several(self) -> bool:
        """Are there several images?"""
        return len(list(islice(self._list_sources(), 2))) > 1

    def _list_sources(self) -> Iterator[object]:
        """One value for each image; nothing is read or downloaded."""
        from mien import images

        for argument in self._arguments:
            yield from (argument,) if _is_stream(argument) else images.find_images(argument)

    def includes(self, path: str) -> bool:
        """Is this file one of the arguments?"""
        return any(is_same_file(path, argument) for argument in self._arguments)

    def are_below(self, folder: Path) -> bool:
        """Would files in this folder be among the images that are read, or above them?"""
        roots = (_search_root(argument) for argument in self._arguments if not _is_stream(argument))
        return any(_resolve_links(root).is_relative_to(_resolve_links(folder)) for root in roots)


def make_unique(path: Path, used: set[str]) -> Path:
    """``photo.jpg``, then ``photo-2.jpg``; paths that differ only in case count as equal. Adds the path to ``used``."""
    numbered = (path.parent / f"{path.stem}-{number}{path.suffix}" for number in count(2))
    unique = next(candidate for candidate in chain([path], numbered) if str(candidate).lower() not in used)
    used.add(str(unique).lower())
    return unique


def is_url(argument: str) -> bool:
    return argument.lower().startswith(("http://", "https://"))


def is_same_file(first: str | Path, second: str | Path) -> bool:
    """Do both paths name one existing file? False if either cannot be accessed."""
    try:
        return Path(first).samefile(second)
    except OSError:
        return False


def find_output_folder(target: str) -> Path | None:
    """The folder that an output argument means; None for one file: it has a suffix, and does not end with a slash."""
    is_file = Path(target).suffix and not target.endswith(("/", os.sep)) and not _is_directory(target)
    return None if is_file else Path(target)


def _is_stream(argument: str) -> bool:
    return argument == STDIN or is_url(argument)


def _is_directory(argument: str) -> bool:
    try:
        return Path(argument).is_dir()
    except OSError:  # the name is too long, or a folder above may not be entered
        return False


def _search_root(argument: str) -> Path:
    """The folder in which a folder argument or a glob searches; for a file, the folder that contains it."""
    path = Path(argument)
    if _is_directory(argument):
        return path
    if os.path.lexists(argument) or not _GLOB_CHARACTERS & set(argument):
        return path.parent
    return Path(*takewhile(lambda part: not _GLOB_CHARACTERS & set(part), path.parts))


def _resolve_links(path: Path) -> Path:
    """The path without symbolic links; a circular link stays as it is, where ``Path.resolve`` would raise."""
    return Path(os.path.realpath(path))


def _file_name_of_url(url: str) -> str:
    """The last part of a URL as a file name that every system accepts; the host where there is no path."""
    last = re.split(r"[?#]", url)[0].rstrip("/").rpartition("/")[2]
    return re.sub(r'[\\:*"<>|\0-\x1f]', "_", last)[-_MAX_NAME_LENGTH:]


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


def _download(url: str) -> bytes | Failure:
    from mien.images.download import download_image  # Python's HTTP client takes long to import
    from mien.results import Failure

    try:
        return download_image(url)
    except MienError as error:
        return Failure(url, error)
