"""What the words on the command line mean, decided without opening anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

#: The word for a picture on stdin, and for a table on stdout.
STDIN = STDOUT = "-"

#: No table is ever written over a file with one of these suffixes: that would be a slip of the fingers.
PICTURES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"])

_MAGIC = frozenset("*?[")


def is_address(word: str) -> bool:
    return word.lower().startswith(("http://", "https://"))


def root(word: str) -> Path:
    """The folder that a path or glob starts from; a file's own folder."""
    path = Path(word)
    if path.is_dir():
        return path
    if path.exists() or not _MAGIC & set(word):
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
    return bool(Path(target).suffix) and not ends_as_folder and not Path(target).is_dir()


def holds_originals(target: Path, words: Sequence[str]) -> bool:
    """Would copies in this folder lie where the originals are, or above them?"""
    folders = (root(word) for word in words if word != STDIN and not is_address(word))
    return any(folder.resolve().is_relative_to(target.resolve()) for folder in folders)
