"""The queue of videos: one is analysed at a time, few may wait, and results are removed after a while.

Each video has a temporary folder that no other user may read. Folders are removed with their process; those of a
process that was killed are removed when the next one starts. Jobs live in one process: several processes behind one
address would each know only their own.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path

from filelock import FileLock

from mien.apps.session.video_jobs import FAILED, FINAL_STATES, RUNNING, WAITING, VideoAnalysis, VideoJob
from mien.apps.web.monitoring import log_event
from mien.apps.web.settings import WebSettings
from mien.engine import Engine
from mien.errors import MienError, OutputError
from mien.files import write_bytes
from mien.video.results import VideoRequest, save_video_results

#: The names of the folders, and the suffix of the lock file beside each, which is locked while its process lives.
_PREFIX, _LOCK = "mien-web-video-", ".lock"


class TemporaryFolder:
    """A folder for this user alone, which :func:`remove_abandoned_folders` ignores while this process lives."""

    def __init__(self, parent: str) -> None:
        """In ``parent``, or in the system's temporary folder if that is empty; OSError if it cannot be created."""
        # The lock file comes first: no other process ever sees the folder without it.
        file, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_LOCK, dir=parent or None)
        os.close(file)
        self._lock_file = Path(name)
        # Created in the thread of a request and removed in another one. The timeout is for a concurrent removal.
        self._lock = FileLock(name, timeout=5, thread_local=False)
        try:
            with suppress(OSError):  # file systems without locks: their folders are never abandoned
                self._lock.acquire()
            self.path = self._lock_file.with_suffix("")
            self.path.mkdir(mode=0o700)
        except BaseException:
            _remove_lock(self._lock_file, self._lock)
            raise

    def remove(self) -> None:
        """Remove the folder and its content; a second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        _remove_lock(self._lock_file, self._lock)


def remove_abandoned_folders(parent: str) -> None:
    """Remove the folders of processes that were killed, but not those of other users."""
    with suppress(OSError):
        for lock_file in Path(parent or tempfile.gettempdir()).glob(f"{_PREFIX}*{_LOCK}"):
            with suppress(OSError):  # also filelock.Timeout: its process lives
                _remove_abandoned(lock_file)


def _remove_abandoned(lock_file: Path) -> None:
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
    # Removed before the release, so that no file is removed that another process has locked since. Windows refuses to
    # remove an open file; there filelock removes it during the release.
    with suppress(OSError):
        lock_file.unlink(missing_ok=True)
    lock.release()


class QueueFull(Exception):
    """As many videos wait, are analysed or have results as the setting ``video_jobs`` permits."""


@dataclass(frozen=True)
class VideoOptions:
    """Frames analysed per second of the video at most, the second at which it ends, and whether faces are blurred."""

    fps: float = 10.0
    end: float = inf
    blur: bool = False


class VideoQueue:
    """Video jobs by id, and a thread that runs them one after the other."""

    def __init__(self, settings: WebSettings, analyze: VideoAnalysis = save_video_results) -> None:
        self._settings = settings
        #: What new jobs run.
        self.analyze = analyze
        self._jobs: dict[str, VideoJob] = {}
        self._folders: dict[str, TemporaryFolder] = {}
        self._waiting: list[VideoJob] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        #: The event streams that may still be opened.
        self.streams = threading.Semaphore(settings.streams)
        remove_abandoned_folders(settings.scratch)
        if settings.scratch and not os.access(settings.scratch, os.W_OK):  # now, not at the first video
            happened = f"The folder for videos '{settings.scratch}' cannot be written to"
            raise OutputError(happened, "A writable folder was expected", "Set 'scratch' to one")

    def add(self, data: bytes, name: str, engine: Engine, options: VideoOptions) -> VideoJob:
        """Add a video with this content and client's name. QueueFull, or OutputError if the disk is full."""
        with self._changed:
            self._remove_expired()
            active = sum(job.state not in FINAL_STATES for job in self._jobs.values())
            if self._closed or active >= self._settings.video_jobs:
                raise QueueFull
            ended = [id_ for id_, job in self._jobs.items() if job.state in FINAL_STATES]
            for id_ in ended[: len(ended) - self._settings.video_jobs + 1]:
                del self._jobs[id_]
                self._folders.pop(id_).remove()
            folder = self._create_folder()
            path = folder.path / "source"
            request = VideoRequest(
                path,
                name,
                folder.path,
                options.fps,
                options.end,
                options.blur,
                self._settings.max_pixels,
                self._settings.max_analysis_seconds,
            )
            job = VideoJob(engine, request, analyze=self.analyze)
            self._jobs[job.id], self._folders[job.id] = job, folder
        try:
            write_bytes(path, data)
            path.chmod(0o600)
        except OSError as error:
            self.remove(job.id)
            raise OutputError(
                f"The video could not be stored: {error.strerror}", "Free disk space was expected"
            ) from error
        with self._changed:
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run_jobs, name="mien-videos", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return job

    def get(self, id_: str) -> VideoJob | None:
        with self._changed:
            self._remove_expired()
            return self._jobs.get(id_)

    def list_jobs(self) -> list[VideoJob]:
        with self._changed:
            return list(self._jobs.values())

    def remove(self, id_: str) -> bool:
        """Cancel a job and remove its folder. False if there is no such job."""
        with self._changed:
            job, folder = self._jobs.pop(id_, None), self._folders.pop(id_, None)
            if job in self._waiting:
                self._waiting.remove(job)
        if job is None or folder is None:
            return False
        job.cancel()
        folder.remove()
        return True

    def states(self) -> dict[str, int]:
        """The number of jobs by state."""
        states = [job.state for job in self.list_jobs()]
        return {state: states.count(state) for state in (WAITING, RUNNING, *FINAL_STATES)}

    def close(self) -> None:
        """Cancel all jobs, remove all folders, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for job in self.list_jobs():
            self.remove(job.id)
        if self._thread:
            self._thread.join(5)

    def _create_folder(self) -> TemporaryFolder:
        try:
            return TemporaryFolder(self._settings.scratch)
        except OSError as error:
            happened = f"A folder for the video could not be created: {error.strerror}"
            raise OutputError(happened, "A writable folder was expected", "Set 'scratch' to one") from error

    def _run_jobs(self) -> None:
        while True:
            with self._changed:
                # The timeout is for results that expire while no request arrives.
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed, timeout=15)
                if self._closed:
                    return
                self._remove_expired()
                job = self._waiting.pop(0) if self._waiting else None
                folder = self._folders.get(job.id) if job else None
            if job is not None and folder is not None:
                self._run_job(job, folder)

    def _run_job(self, job: VideoJob, folder: TemporaryFolder) -> None:
        start = time.monotonic()
        job.run()
        if job.error is not None and not isinstance(job.error, MienError):
            log_event("bug", level=logging.ERROR, error=job.error, job=job.id[:6])
        with suppress(OSError):
            job.request.path.unlink(missing_ok=True)
        if job.cancelled or job.state == FAILED:
            # Incomplete results are of no use, and their disk space may be what is missing.
            folder.remove()
        log_event("video", state=job.state, seconds=round(time.monotonic() - start, 2), frames=job.facts.get("frames"))

    def _remove_expired(self) -> None:
        """Remove jobs that ended more than ``keep_minutes`` ago; the caller holds the lock."""
        limit = time.monotonic() - 60 * self._settings.keep_minutes
        for job in [job for job in self._jobs.values() if job.ended is not None and job.ended < limit]:
            del self._jobs[job.id]
            self._folders.pop(job.id).remove()
