"""What somebody hands over: pictures, folders of them, or a film."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

#: What film files end in; whatever else there is, is tried as a picture, which tells what it is not.
FILMS = frozenset([".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv"])


class Opened(NamedTuple):
    pictures: list[Path]
    films: list[Path]


def sorted_out(paths: Iterable[Path]) -> Opened:
    """Pictures and folders, and films, each in their order. A GIF is a picture here."""
    opened = Opened([], [])
    for path in paths:
        (opened.films if path.suffix.lower() in FILMS else opened.pictures).append(path)
    return opened
