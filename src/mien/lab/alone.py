"""One process to a folder: two trainings in one would tear each other's files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.errors import LabError

try:
    import fcntl
except ImportError:  # Windows has none, and refuses to open a file that another process holds as we do
    fcntl = None  # type: ignore[assignment]

LOCK = ".training"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Inside, the folder is ours; a LabError where another process has it. The system lets go of what was killed."""
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _taken(file):
            raise LabError(f"Another process trains in '{folder}'", "", "Wait for it, or choose another --name")
        try:
            yield
        finally:
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
    finally:
        os.close(file)


def is_busy(folder: Path) -> bool:
    """Does a process train in this folder at this moment?"""
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _taken(file)
    finally:
        os.close(file)


def _taken(file: int) -> bool:
    """Is it ours now?"""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
