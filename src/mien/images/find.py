"""The pictures that paths, folders and globs name: lazily, in the order people count, each folder once."""

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

#: Files in a folder that are taken for pictures. A file that is named itself is always tried.
IMAGE_SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff"]
) | frozenset([".bmp", ".dib", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".pgm", ".ppm", ".pnm"])

_MAGIC = re.compile(r"[*?[]")
_NUMBER = re.compile(r"\d+")
_READ_IN_FOLDERS = f"In folders these are read: {', '.join(sorted(IMAGE_SUFFIXES))}"

_Found: TypeAlias = Path | Failure
_Seen: TypeAlias = set[tuple[int, int, int]]


def find_images(paths: Iterable[str | PathLike[str]] | str | PathLike[str]) -> Iterator[_Found]:
    """Every picture the paths name, one by one, in the order of the paths; named twice, it comes twice.

    A file comes as it is, whatever its suffix. A folder is searched with everything below it: a folder's own files
    first, then its folders, ``img2`` before ``img10``; hidden files and folders are left out, links are followed and
    no folder is entered twice. Globs (``*.jpg``, ``holiday/**/*.png``) follow the same rules. A path that names
    nothing is a :class:`Failure` in its place.
    """
    for path in (paths,) if isinstance(paths, str | PathLike) else paths:
        yield from _named(path)


def _named(path: str | PathLike[str]) -> Iterator[_Found]:
    if refused := check_path(path):
        yield Failure(source_name(path), refused)
        return
    word = os.fsdecode(path)
    if os.path.isdir(word):  # noqa: PTH112 - Path.is_dir raises for a null byte before Python 3.13
        yield from _any(_walk(Path(word), ("**", "*"), set()), path, "has no pictures in it", _READ_IN_FOLDERS)
    elif _MAGIC.search(word) and not os.path.lexists(word):
        yield from _any(_glob(Path(word)), path, "matches no picture", "Check the folder, and put the glob in quotes")
    else:
        yield _file(word)


def _file(word: str) -> _Found:
    """Whatever is there is tried; what cannot even be looked at is told now."""
    try:
        os.lstat(word)
    except (OSError, ValueError) as error:
        return Failure(source_name(word), open_error(word, error))
    return Path(word)


def _any(found: Iterator[_Found], path: str | PathLike[str], happened: str, remedy: str) -> Iterator[_Found]:
    """What was found; one failure when that is nothing."""
    empty = True
    for each in found:
        empty = False
        yield each
    if empty:
        yield Failure(
            source_name(path), SourceMissing(f"{quote_source(path)} {happened}", "Pictures were expected there", remedy)
        )


def _glob(pattern: Path) -> Iterator[_Found]:
    parts = pattern.parts
    plain = next(place for place, part in enumerate(parts) if _MAGIC.search(part))
    return _walk(Path(*parts[:plain]), parts[plain:], set())


def _walk(folder: Path, parts: tuple[str, ...], seen: _Seen) -> Iterator[_Found]:
    """What lies at the end of the parts of a glob; ``**`` stands for any number of folders."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _below(folder, rest or ("*",), seen)
        return
    try:
        entries = _ordered(_entries(folder, part))
    except OSError as error:
        yield _closed(folder, error)
        return
    for entry in entries:
        if rest and _is_folder(entry):
            yield from _walk(folder / entry.name, rest, seen)
        elif not rest and _is_picture(entry, part):
            yield folder / entry.name


def _below(top: Path, parts: tuple[str, ...], seen: _Seen) -> Iterator[_Found]:
    """The parts in a folder, then in every folder below it. A stack of our own: folders may lie a thousand deep."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        if _entered(folder, len(parts), seen):
            yield from _walk(folder, parts, seen)
            waiting.extend(reversed(_folders(folder)))


def _entered(folder: Path, place: int, seen: _Seen) -> bool:
    """False for a folder that was entered before, through a link or as itself, at the same place of the glob."""
    try:
        found = folder.stat()
    except OSError:
        return True  # let its listing say what is wrong
    key = (found.st_dev, found.st_ino, place)
    if key in seen:
        return False
    seen.add(key)
    return True


def _folders(folder: Path) -> list[Path]:
    try:
        return [folder / entry.name for entry in _ordered(filter(_is_folder, _entries(folder, "*")))]
    except OSError:
        return []


def _entries(folder: Path, pattern: str) -> list[DirEntry[str]]:
    """What matches in a folder; hidden names only where the pattern asks for them."""
    hidden = pattern.startswith(".")
    matches = re.compile(translate(os.path.normcase(pattern))).match
    with os.scandir(folder) as entries:
        seen = entries if hidden else (entry for entry in entries if not entry.name.startswith("."))
        return [entry for entry in seen if pattern == "*" or matches(os.path.normcase(entry.name))]


def _ordered(entries: Iterable[DirEntry[str]]) -> list[DirEntry[str]]:
    return sorted(entries, key=lambda entry: _natural(entry.name))


def _natural(name: str) -> str:
    """A key that sorts ``img2`` before ``img10``, whatever the case: a number's length stands before its digits."""
    return _NUMBER.sub(_measured, name.lower()) + "\0" + name


def _measured(number: re.Match[str]) -> str:
    digits = number[0].lstrip("0")
    return f"{len(digits):03}{digits}"


def _is_folder(entry: DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_picture(entry: DirEntry[str], pattern: str) -> bool:
    """A file that looks like a picture, or whose suffix was asked for. A broken link is told when it is opened."""
    wanted = _suffix(entry.name).lower() in IMAGE_SUFFIXES or not _MAGIC.search(_suffix(pattern) or "*")
    try:
        return wanted and (entry.is_file() or (entry.is_symlink() and not entry.is_dir()))
    except OSError:
        return wanted  # a link that leads to itself


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]  # noqa: PTH122 - a Path for each of 100,000 names takes a second


def _closed(folder: Path, error: OSError) -> Failure:
    happened = f"The folder {quote_source(folder)} cannot be looked into: {error.strerror or error}"
    return Failure(
        source_name(folder),
        SourceMissing(happened, "A folder that this user may read was expected", "Change its permissions"),
    )
