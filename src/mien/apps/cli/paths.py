"""What the words on the command line mean, decided without opening anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

#: The word for a picture on stdin, and for a table on stdout.
STDIN = STDOUT = "-"

_MAGIC = frozenset("*?[")


def is_address(word: str) -> bool:
    return word.lower().startswith(("http://", "https://"))


def is_folder(word: str) -> bool:
    try:
        return Path(word).is_dir()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def root(word: str) -> Path:
    """The folder that a path or glob starts from; a file's own folder."""
    path = Path(word)
    if is_folder(word):
        return path
    if os.path.lexists(word) or not _MAGIC & set(word):
        return path.parent
    plain = []
    for part in path.parts:
        if _MAGIC & set(part):
            break
        plain.append(part)
    return Path(*plain)


def is_file(target: str) -> bool:
    """Does the person mean one file? A suffix says so, unless a folder of that name is there or a slash ends it."""
    ends_as_folder = target.endswith(("/", os.sep))
    return bool(Path(target).suffix) and not ends_as_folder and not is_folder(target)


def holds_originals(target: Path, words: Sequence[str]) -> bool:
    """Would copies in this folder lie where the originals are, or above them?"""
    folders = (root(word) for word in words if word != STDIN and not is_address(word))
    return any(real(folder).is_relative_to(real(target)) for folder in folders)


def real(path: Path) -> Path:
    """The path without links; one that leads in a circle stays as it is, where ``Path.resolve`` raises."""
    return Path(os.path.realpath(path))


def same_file(one: str | Path, other: str | Path) -> bool:
    """Do both name one file? Not if either is not there, or may not be looked at."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
