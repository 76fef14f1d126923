"""Folders for films, which live no longer than their process: what a killed one left goes when the next begins."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from mien.apps.web.request_log import log_event, logger
from mien.apps.web.settings import Settings
from mien.engine import Engine
from mien.errors import MienError, OutputError
from mien.video.results import VideoRequest, save_video_results

#: What the folders are called, and the suffix of the lock file beside each, locked while its process lives.
_PREFIX, _LOCK = "mien-web-film-", ".lock"


class TemporaryFolder:
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


def remove_abandoned_folders(place: str) -> None:
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


# ==== mien.apps.web.jobs
# Films that are being read: one at a time, few waiting, each in a folder of its own that goes when its time is over.
#
# Jobs live in one process. Several processes behind one address would each know only their own.

#: What a job may be. The last three are ends.
WAITING, READING, DONE, FAILED, CANCELLED = "waiting", "reading", "done", "failed", "cancelled"
ENDS = (DONE, FAILED, CANCELLED)


@dataclass(eq=False)
class Job:
    """One film: what was asked, how far it is, and what came of it."""

    id: str
    name: str
    scratch: TemporaryFolder
    engine: Engine
    options: dict[str, Any]
    state: str = WAITING
    facts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    results: tuple[str, ...] = ()
    ended: float | None = None
    left: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)
    version: int = 0

    @property
    def folder(self) -> Path:
        """Where its film lies, and then its results."""
        return self.scratch.path

    def tell(self, **news: Any) -> None:
        """Something is new; whoever waits for it hears of it."""
        with self.changed:
            self.facts |= news.pop("facts", {})
            for name, value in news.items():
                setattr(self, name, value)
            self.version += 1
            self.changed.notify_all()

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "source": self.name,
            "state": self.state,
            "error": self.error,
            "results": list(self.results),
            **self.facts,
        }

    def news(self, patience: float) -> Iterator[dict[str, Any] | None]:
        """What the job is now, and each time it changes until it ends; None when nothing was new for ``patience``."""
        seen = -1
        while True:
            with self.changed:
                new = self.changed.wait_for(lambda: self.version != seen, patience)  # noqa: B023 - called at once
                seen, told = self.version, self.to_dict()
            yield told if new else None
            if told["state"] in ENDS:
                return


class QueueFull(Exception):
    """As many films wait or are kept as may."""


class VideoQueue:
    """``read`` reads one job's film in its folder, telling the job how it goes."""

    def __init__(self, settings: Settings, read: Callable[[Job], None]) -> None:
        self._settings, self._read = settings, read
        self._jobs: dict[str, Job] = {}
        self._queue: list[Job] = []
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        remove_abandoned_folders(settings.scratch)
        #: How many more streams of events there may be.
        self.streams = threading.Semaphore(settings.streams)

    def add(self, data: bytes, name: str, engine: Engine, options: dict[str, Any]) -> Job:
        """Put a film on the list. Full where it is too long; OutputError where there is no room on the disk."""
        with self._wake:
            self._sweep()
            if self._closed or len(self._jobs) >= self._settings.film_jobs:
                raise QueueFull
            job = Job(secrets.token_urlsafe(24), name, self._scratch(), engine, options)
            self._jobs[job.id] = job
        try:
            _write(job.folder / "film", data)
        except OSError as error:
            self.remove(job.id)
            raise OutputError(f"The film could not be kept: {error.strerror}", "Room for it was expected") from error
        with self._wake:
            self._queue.append(job)
            self._start()
            self._wake.notify_all()
        return job

    def get(self, id_: str) -> Job | None:
        with self._wake:
            self._sweep()
            return self._jobs.get(id_)

    def remove(self, id_: str) -> bool:
        """Stop a job if it runs, and remove everything of it. Was there such a job?"""
        with self._wake:
            job = self._jobs.pop(id_, None)
            if job in self._queue:
                self._queue.remove(job)
        if job is None:
            return False
        job.left.set()
        job.tell(state=CANCELLED if job.state not in ENDS else job.state, results=())
        job.scratch.remove()
        return True

    def states(self) -> dict[str, int]:
        with self._wake:
            states = [job.state for job in self._jobs.values()]
        return {state: states.count(state) for state in (WAITING, READING, *ENDS)}

    def close(self) -> None:
        """The server leaves: every job ends and every folder goes."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        for id_ in list(self._jobs):
            self.remove(id_)
        if self._thread:
            self._thread.join(5)

    def _scratch(self) -> TemporaryFolder:
        try:
            return TemporaryFolder(self._settings.scratch)
        except OSError as error:
            happened = f"There is no folder for films: {error.strerror}"
            raise OutputError(happened, "A folder that can be written was expected", "Set 'scratch' to one") from error

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="mien-films", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._wake:
                # Also when nobody asks, what is over is removed in time.
                self._wake.wait_for(lambda: bool(self._queue) or self._closed, timeout=15)
                if self._closed:
                    return
                self._sweep()
                job = self._queue.pop(0) if self._queue else None
            if job is not None:
                self._run(job)

    def _run(self, job: Job) -> None:
        began = time.monotonic()
        job.tell(state=READING)
        try:
            self._read(job)
            job.tell(state=CANCELLED if job.left.is_set() else DONE)
        except MienError as error:
            job.tell(state=FAILED, error=_told(error, job))
        except Exception as error:  # noqa: BLE001  # the edge: a bug in one film must not end the films after it
            logger.error("bug", exc_info=error, extra={"facts": {"job": job.id[:6]}})
            job.tell(state=FAILED, error="This is a bug in mien, and it was written down.")
        with suppress(OSError):
            (job.folder / "film").unlink(missing_ok=True)
        job.ended = time.monotonic()
        if job.left.is_set() or job.state == FAILED:
            # Nobody gets the beginnings of results; they would only take room, of which there may be none.
            job.scratch.remove()
        log_event("film", state=job.state, seconds=round(job.ended - began, 2), frames=job.facts.get("frames"))

    def _sweep(self) -> None:
        """Remove what ended long ago; called with the lock held."""
        over = time.monotonic() - 60 * self._settings.keep_minutes
        for job in [each for each in self._jobs.values() if each.ended is not None and each.ended < over]:
            del self._jobs[job.id]
            job.scratch.remove()


def _told(error: MienError, job: Job) -> str:
    """The failure in the words of whoever sent the film: folders of this machine are nobody's business."""
    told = str(error).replace(f"'{job.folder / 'film'}'", f"'{job.name}'")
    return told.replace(f"{job.folder}{os.sep}", "")


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


# ==== mien.apps.web.filming
# A film read for a job.


def read(job: Job) -> None:
    """Read the job's film and leave the results in its folder. Ends early, leaving nothing, when the job is left."""
    options = job.options
    order = VideoRequest(job.folder / "film", job.name, job.folder, options["fps"], options["end"], options["blur"])
    done = save_video_results(job.engine, order, left=job.left.is_set, tell=lambda facts: job.tell(facts=facts))
    if done is not None:
        job.tell(facts=done.facts, results=done.results)
