"""Folders for films, which live no longer than their process: what a killed one left goes when the next begins."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

#: What the folders are called, and the file in each that is locked while its process lives.
_BEGINS, _LOCK = "mien-web-film-", "lock"


class Scratch:
    """A folder that only this user may look into, and that is known as ours for as long as this process lives."""

    def __init__(self, place: str) -> None:
        """In ``place``, or where the system keeps such folders; OSError where there can be none."""
        self.path, self._lock = _made(place)

    def remove(self) -> None:
        """Everything in it goes; a second time does nothing."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(place: str) -> None:
    """Remove what processes left that were killed; the folders of those that live stay, and those of other users."""
    with suppress(OSError):
        for folder in Path(place or tempfile.gettempdir()).glob(f"{_BEGINS}*"):
            with suppress(OSError):
                _remove_if_dead(folder)


if sys.platform != "win32":

    def _made(place: str) -> tuple[Path, IO[bytes]]:
        # Locked under another name first: whoever sweeps at this moment finds it locked or not at all.
        new = Path(tempfile.mkdtemp(prefix=f".{_BEGINS}", dir=place or None))
        lock = (new / _LOCK).open("wb")
        with suppress(OSError):  # disks that know no locks are never swept
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return new.rename(new.with_name(new.name[1:])), lock

    def _remove_if_dead(folder: Path) -> None:
        # In a folder that everybody may write to, a name proves nothing.
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        with (folder / _LOCK).open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)

else:

    def _made(place: str) -> tuple[Path, IO[bytes]]:
        folder = Path(tempfile.mkdtemp(prefix=_BEGINS, dir=place or None))
        return folder, (folder / _LOCK).open("wb")

    def _remove_if_dead(folder: Path) -> None:
        # Windows removes no file that somebody has open.
        (folder / _LOCK).unlink()
        shutil.rmtree(folder, ignore_errors=True)
