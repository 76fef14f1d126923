"""The lock of a run's folder: one training process at a time writes into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.errors import ExperimentError, OutputError

#: The lock file in the run's folder. The operating system releases the lock of a process that was killed.
LOCK = ".training"


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder`` during the block, and remove the lock file afterwards.

    Raises :class:`LabError` when another process holds it, and :class:`OutputError` when there can be no lock.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise ExperimentError(f"Another process trains in '{folder}'", "", "Wait for it, or choose another --name") from None
    except OSError as error:
        happened = f"'{folder}' cannot be locked: {error.strerror or error}"
        raise OutputError(happened, "a disk that supports file locks", "Name another with --runs") from error
    try:
        yield
    finally:
        # Removed before the release, so that never a file goes that another process has locked since. Windows refuses
        # to remove an open file; there filelock removes it during the release.
        with suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process trains in ``folder`` now; also True when that cannot be determined."""
    if not (folder / LOCK).exists():
        return False
    try:
        # Imported here, because runs are also listed where the extra 'lab' is not installed.
        from filelock import FileLock

        with FileLock(folder / LOCK, blocking=False):
            return False
    except (OSError, ModuleNotFoundError):  # filelock.Timeout is an OSError
        return True
