"""Folders for films, which live no longer than their process: what a killed one left goes when the next begins."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

#: What the folders are called, and the suffix of the lock file beside each, locked while its process lives.
_PREFIX, _LOCK = "mien-web-film-", ".lock"


class Scratch:
    """A folder that only this user may look into, and that no :func:`sweep` removes while this process lives."""

    def __init__(self, place: str) -> None:
        """In ``place``, or where the system keeps such folders; OSError where there can be none."""
        # The lock comes before the folder: no other process ever sees the folder without it.
        file, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_LOCK, dir=place or None)
        os.close(file)
        self._lock_file = Path(name)
        # A job begins in the thread of a request and ends in another one. The wait is for a sweep at this moment.
        self._lock = FileLock(name, timeout=5, thread_local=False)
        try:
            with suppress(OSError):  # disks that know no locks are never swept
                self._lock.acquire()
            self.path = self._lock_file.with_suffix("")
            self.path.mkdir(mode=0o700)
        except BaseException:
            self._release()
            raise

    def remove(self) -> None:
        """Everything in it goes; a second time does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._release()

    def _release(self) -> None:
        _remove_lock(self._lock_file, self._lock)


def sweep(place: str) -> None:
    """Remove what processes left that were killed; the folders of those that live stay, and those of other users."""
    with suppress(OSError):
        for lock_file in Path(place or tempfile.gettempdir()).glob(f"{_PREFIX}*{_LOCK}"):
            with suppress(OSError):  # also filelock.Timeout: its process lives
                _remove_if_dead(lock_file)


def _remove_if_dead(lock_file: Path) -> None:
    folder = lock_file.with_suffix("")
    # In a folder that everybody may write to, a name proves nothing.
    if lock_file.is_symlink() or folder.is_symlink():
        return
    if hasattr(os, "getuid") and lock_file.stat().st_uid != os.getuid():
        return
    lock = FileLock(lock_file, blocking=False)
    lock.acquire()
    shutil.rmtree(folder, ignore_errors=True)
    _remove_lock(lock_file, lock)


def _remove_lock(lock_file: Path, lock: FileLock) -> None:
    # Removed before the release, so that never a file goes that another process has locked since. Windows refuses to
    # remove an open file; there filelock removes it during the release.
    with suppress(OSError):
        lock_file.unlink(missing_ok=True)
    lock.release()
