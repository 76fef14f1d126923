"""What is said once before a camera opens, and that it has been said."""

from __future__ import annotations

import os
from pathlib import Path

from mien.models import home
from mien.words import CAMERA, LIMIT

NOTICE = """mien is about to open a camera.
What it shows is read on this machine and nowhere else. Nothing is kept: no picture, no reading, no face;
only --record and the key for a snapshot write files, where you say so. Nobody is identified.
What an expression looks like is not what a person feels. Ask the people in view before you begin."""

#: The same for a window with a button that opens it, a sentence each.
BEFORE = (
    "What the camera shows is read on this machine and nowhere else.",
    "Nothing is kept: no picture, no reading, no face. A snapshot is a file only when you save it.",
    f"{CAMERA} Nobody is identified.",
    LIMIT,
)


def is_camera(source: str) -> bool:
    """A number, or an address; the path of a film opens no camera."""
    return source.isdigit() or "://" in source


def was_told() -> bool:
    return os.path.lexists(_mark())


def remember() -> None:
    """The notice has been read; a folder that cannot be written to costs another notice, and nothing else."""
    try:
        _mark().parent.mkdir(parents=True, exist_ok=True)
        _mark().touch()
    except OSError:
        pass


def _mark() -> Path:
    return home() / "notice-live"
