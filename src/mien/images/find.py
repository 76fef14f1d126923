"""The images that paths, folders and globs name, found lazily and in natural order; each folder is entered once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import translate
from os import DirEntry, PathLike
from pathlib import Path
from typing import TypeAlias

from mien.errors import SourceMissing
from mien.images.sources import check_path, open_error, quote_source, source_name
from mien.results import Failure

#: The files of a folder that count as images. A file that is named itself is always returned.
IMAGE_SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff"]
) | frozenset([".bmp", ".dib", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".pgm", ".ppm", ".pnm"])

_WILDCARD = re.compile(r"[*?[]")
_NUMBER = re.compile(r"\d+")

_PathOrFailure: TypeAlias = Path | Failure

#: Device, inode and position in the glob of each folder that was entered.
_Visited: TypeAlias = set[tuple[int, int, int]]


def find_images(paths: Iterable[str | PathLike[str]] | str | PathLike[str]) -> Iterator[_PathOrFailure]:
    """Every image that the paths name, in the order of the paths; one that is named twice is returned twice.

    A file is returned whatever its suffix. Folders are searched recursively: the files of a folder first, then its
    folders, ``img2`` before ``img10``. Hidden files and folders are left out, links are followed, and no folder is
    entered twice. Globs (``*.jpg``, ``holiday/**/*.png``) follow the same rules. A path that names nothing is a
    :class:`Failure` in its place.
    """
    for path in (paths,) if isinstance(paths, str | PathLike) else paths:
        yield from _find_one(path)


def _find_one(path: str | PathLike[str]) -> Iterator[_PathOrFailure]:
    if error := check_path(path):
        yield Failure(source_name(path), error)
        return
    text = os.fsdecode(path)
    if os.path.isdir(text):  # noqa: PTH112 - Path.is_dir raises for a null byte before Python 3.13
        images = _walk(Path(text), ("**", "*"), set())
        happened, remedy = "has no images", f"The suffixes of images are {', '.join(sorted(IMAGE_SUFFIXES))}"
    elif _WILDCARD.search(text) and not os.path.lexists(text):
        pattern = Path(text)
        parts = pattern.parts
        start = next(index for index, part in enumerate(parts) if _WILDCARD.search(part))
        images = _walk(Path(*parts[:start]), parts[start:], set())
        happened, remedy = "matches no images", "Check the folder, and put the glob in quotes"
    else:
        yield _check_file(text)
        return
    empty = True
    for image in images:
        empty = False
        yield image
    if empty:
        error = SourceMissing(f"{quote_source(path)} {happened}", "Images were expected there", remedy)
        yield Failure(source_name(path), error)


def _check_file(path: str) -> _PathOrFailure:
    """A path that exists, or the failure; whether it can be read is checked when it is loaded."""
    try:
        os.lstat(path)
    except (OSError, ValueError) as error:
        return Failure(source_name(path), open_error(path, error))
    return Path(path)


def _walk(folder: Path, parts: tuple[str, ...], visited: _Visited) -> Iterator[_PathOrFailure]:
    """The images in a folder that match the parts of a glob; ``**`` matches any number of folders."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _walk_recursively(folder, rest or ("*",), visited)
        return
    try:
        entries = _sort_entries(_list_entries(folder, part))
    except OSError as error:
        happened = f"The folder {quote_source(folder)} cannot be listed: {error.strerror or error}"
        expected = "A folder that this user may read was expected"
        yield Failure(source_name(folder), SourceMissing(happened, expected, "Change its permissions"))
        return
    for entry in entries:
        if rest and _is_folder(entry):
            yield from _walk(folder / entry.name, rest, visited)
        elif not rest and _is_image(entry, part):
            yield folder / entry.name


def _walk_recursively(top: Path, parts: tuple[str, ...], visited: _Visited) -> Iterator[_PathOrFailure]:
    """The matches of the parts in a folder and in every folder below it."""
    # A stack instead of recursion: folders may be nested a thousand deep.
    stack = [top]
    while stack:
        folder = stack.pop()
        if _visit(folder, len(parts), visited):
            yield from _walk(folder, parts, visited)
            stack.extend(reversed(_list_folders(folder)))


def _visit(folder: Path, position: int, visited: _Visited) -> bool:
    """False if the folder was entered before, directly or through a link, at the same position of the glob."""
    try:
        status = folder.stat()
    except OSError:
        return True  # listing it returns the failure
    key = (status.st_dev, status.st_ino, position)
    if key in visited:
        return False
    visited.add(key)
    return True


def _list_folders(folder: Path) -> list[Path]:
    try:
        return [folder / entry.name for entry in _sort_entries(filter(_is_folder, _list_entries(folder, "*")))]
    except OSError:
        return []


def _list_entries(folder: Path, pattern: str) -> list[DirEntry[str]]:
    """The entries that match; hidden ones only if the pattern begins with a dot."""
    matches = re.compile(translate(os.path.normcase(pattern))).match
    with os.scandir(folder) as entries:
        visible = (entry for entry in entries if pattern.startswith(".") or not entry.name.startswith("."))
        return [entry for entry in visible if pattern == "*" or matches(os.path.normcase(entry.name))]


def _sort_entries(entries: Iterable[DirEntry[str]]) -> list[DirEntry[str]]:
    return sorted(entries, key=lambda entry: _natural_key(entry.name))


def _natural_key(name: str) -> str:
    """A key that sorts ``img2`` before ``img10`` and ignores case: each number is preceded by its length."""

    def pad(number: re.Match[str]) -> str:
        digits = number[0].lstrip("0")
        return f"{len(digits):03}{digits}"

    return _NUMBER.sub(pad, name.lower()) + "\0" + name


def _is_folder(entry: DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_image(entry: DirEntry[str], pattern: str) -> bool:
    """A file with the suffix of an image or of the glob. A broken link is reported when it is loaded."""
    has_suffix = _suffix(entry.name).lower() in IMAGE_SUFFIXES or not _WILDCARD.search(_suffix(pattern) or "*")
    try:
        return has_suffix and (entry.is_file() or (entry.is_symlink() and not entry.is_dir()))
    except OSError:
        return has_suffix  # a link that leads to itself


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]  # noqa: PTH122 - creating 100,000 Paths takes a second
