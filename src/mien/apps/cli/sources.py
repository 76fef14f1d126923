"""From the words on the command line to pictures, lazily and in order: files, folders, globs, stdin, addresses."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien import images
from mien.apps.cli.paths import STDIN, is_address, is_folder, real, root
from mien.errors import MienError, SourceMissing, SourceTooLarge
from mien.results import Failure

#: More than any picture file has; a pipe that never ends must not fill the memory.
_STDIN_LIMIT = 1 << 30

#: File systems take 255 bytes; a number and a suffix may follow.
_LONGEST_NAME = 100

_TO_STDIN = "Give it a picture: mien predict - < photo.jpg"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture on its way: what the engine opens, what people call it, and its place in a folder of copies."""

    source: Path | bytes | Failure
    name: str
    place: Path


def items(words: Sequence[str], leave_out: Path | None = None) -> Iterator[Item]:
    """Every picture the words name. What cannot be opened stands in its place as a Failure.

    A lone folder is mirrored as it is; several words share one folder of copies, each under its own name.
    ``leave_out`` is a folder whose pictures are skipped: the copies of this run, where they lie among the originals.
    """
    taken: set[str] = set()
    for word in words:
        if word == STDIN:
            yield Item(_stdin(), STDIN, _place("stdin.png", taken))
        elif is_address(word):
            yield Item(_fetched(word), word, _place(_last_part(word), taken))
        else:
            yield from _found(word, len(words) == 1, taken, leave_out)


def _found(word: str, alone: bool, taken: set[str], leave_out: Path | None) -> Iterator[Item]:
    folder = root(word)
    several = is_folder(word) or not os.path.lexists(word)
    top = _place(real(folder).name, taken) if several and not alone else Path()
    for found in images.find_images([word]):
        if isinstance(found, Failure):
            yield Item(found, found.source, Path())
        elif not several:
            yield Item(found, str(found), _place(found.name, taken))
        elif leave_out is None or not real(found).is_relative_to(leave_out):
            yield Item(found, str(found), top / found.relative_to(folder))


def _last_part(address: str) -> str:
    """What an address would be called as a file on any system; its host where it has no path."""
    last = re.split(r"[?#]", address)[0].rstrip("/").rpartition("/")[2]
    return re.sub(r'[\\:*"<>|\0-\x1f]', "_", last)[-_LONGEST_NAME:]


def _place(name: str, taken: set[str]) -> Path:
    """A name still free in the folder of copies: ``photo.jpg``, then ``photo-2.jpg``; case tells no names apart."""
    path, candidate, number = Path(name), name, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{path.stem}-{number}{path.suffix}"
    taken.add(candidate.lower())
    return Path(candidate)


def _stdin() -> bytes | Failure:
    if sys.stdin is None:
        return Failure(STDIN, SourceMissing("stdin is closed", "A picture was expected there", _TO_STDIN))
    try:
        data = sys.stdin.buffer.read(_STDIN_LIMIT + 1)
    except OSError as error:
        happened = f"stdin cannot be read: {error.strerror or error}"
        return Failure(STDIN, SourceMissing(happened, "A picture was expected there", _TO_STDIN))
    if len(data) <= _STDIN_LIMIT:
        return data
    return Failure(STDIN, SourceTooLarge("stdin brought more than 1 GiB", "One picture was expected", _TO_STDIN))


def _fetched(address: str) -> bytes | Failure:
    try:
        return images.download(address)
    except MienError as error:
        return Failure(address, error)


def count(words: Sequence[str], within: float = 1.0) -> int | None:
    """How many pictures the words name; None when counting takes longer than that many seconds."""
    until, total = time.monotonic() + within, 0
    for word in words:
        for _ in (word,) if word == STDIN or is_address(word) else images.find_images([word]):
            total += 1
            if time.monotonic() > until:
                return None
    return total
