"""The analysis of one video as a job: its progress, its result files, its error, and how it is cancelled.

A job either runs in a thread of its own::

    with VideoJob(engine, request) as job:
        for report in job.reports(timeout=0.5):
            show(report)

or in a thread of the caller (:meth:`VideoJob.run`). Leaving the block cancels a job that is still running.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any, Protocol, Self

from mien.apps.session.uploads import hide_server_paths, hide_server_settings
from mien.engine import Engine
from mien.errors import MienError, SourceTooLarge
from mien.video.results import VideoRequest, VideoResults, save_video_results
from mien.video.timeline import SmoothedFrame

#: The states of a job. The last three are final.
WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
FINAL_STATES = (DONE, FAILED, CANCELLED)


class VideoAnalysis(Protocol):
    """What a job runs: :func:`mien.video.results.save_video_results`, or a replacement in tests."""

    def __call__(
        self,
        engine: Engine,
        request: VideoRequest,
        *,
        is_cancelled: Callable[[], bool],
        on_progress: Callable[[dict[str, Any]], None],
        on_frame: Callable[[SmoothedFrame], None],
    ) -> VideoResults | None: ...


class VideoJob:
    """One video: its request, and what is known of its analysis at the moment.

    ``on_frame`` gets each analysed frame with its pixels, in the thread that runs the job. All other methods may be
    called from any thread.
    """

    def __init__(
        self,
        engine: Engine,
        request: VideoRequest,
        *,
        on_frame: Callable[[SmoothedFrame], None] = lambda frame: None,
        analyze: VideoAnalysis = save_video_results,
    ) -> None:
        #: An identifier that cannot be guessed.
        self.id = secrets.token_urlsafe(24)
        self.request, self.state = request, WAITING
        #: What is known of the video, in values for JSON; complete when the state is ``done``.
        self.facts: dict[str, Any] = {}
        #: The names of the result files in the request's folder; empty until the state is ``done``.
        self.results: tuple[str, ...] = ()
        #: Why the job failed. A MienError has the client's name of the video; any other exception is a bug.
        self.error: Exception | None = None
        #: When it ended, in seconds of :func:`time.monotonic`.
        self.ended: float | None = None
        self._engine, self._on_frame, self._analyze = engine, on_frame, analyze
        self._cancelled, self._changed, self._version = Event(), Condition(), 0
        self._thread: Thread | None = None

    @property
    def cancelled(self) -> bool:
        """Was :meth:`cancel` called before the job ended?"""
        return self._cancelled.is_set()

    @property
    def files(self) -> dict[str, Path]:
        """The result files by name."""
        return {name: self.request.folder / name for name in self.results}

    @property
    def message(self) -> str | None:
        """The error for people, without paths of this machine and without the text of unexpected exceptions."""
        if self.error is None or isinstance(self.error, MienError):
            return str(self.error) if self.error else None
        return "This is a bug in mien, and its log has the details. Please report it."

    def start(self) -> None:
        """Run the job in a thread of its own."""
        self._thread = Thread(target=self.run, name="mien-video", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End the job before its next frame. Its state changes at once; :meth:`join` waits for its thread."""
        with self._changed:
            if self.state not in FINAL_STATES:
                self._cancelled.set()
                self._update(state=CANCELLED, ended=time.monotonic())

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread of a job that was started."""
        if self._thread:
            self._thread.join(timeout)

    def run(self) -> None:
        """Analyse the video in the calling thread. Errors are kept in ``error`` and not raised."""
        with self._changed:
            if self.cancelled:
                return
            self._update(state=RUNNING)
        try:
            results = self._analyze(
                self._engine,
                self.request,
                is_cancelled=self._cancelled.is_set,
                on_progress=self._report,
                on_frame=self._on_frame,
            )
        except Exception as error:  # noqa: BLE001 - whoever owns the job decides what becomes of a bug
            self._finish(FAILED, error=self._without_server_facts(error))
        except BaseException:
            self.cancel()
            raise
        else:
            if results is None:
                self.cancel()
            else:
                self._finish(DONE, facts={**self.facts, **results.facts}, results=results.files)

    def reports(self, timeout: float) -> Iterator[dict[str, Any] | None]:
        """:meth:`to_dict` now and after each change, until the job has ended; None when nothing changed in time.

        ``timeout`` is in seconds. A reader that is slower than the changes gets the newest.
        """
        version = -1
        while True:
            with self._changed:
                changed = self._changed.wait_for(lambda: self._version != version, timeout)  # noqa: B023 - called at once
                version, report = self._version, self.to_dict()
            yield report if changed else None
            if report["state"] in FINAL_STATES:
                return

    def to_dict(self) -> dict[str, Any]:
        with self._changed:
            return {
                "id": self.id,
                "source": self.request.name,
                "state": self.state,
                "error": self.message,
                "results": list(self.results),
                **self.facts,
            }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()
        self.join()

    def _report(self, facts: dict[str, Any]) -> None:
        self._update(facts={**self.facts, **facts})

    def _finish(self, state: str, **values: Any) -> None:
        with self._changed:
            # A job that was cancelled stays so, also where its last step failed for it or just succeeded.
            if not self.cancelled:
                self._update(state=state, ended=time.monotonic(), **values)

    def _update(self, **values: Any) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(self, name, value)
            self._version += 1
            self._changed.notify_all()

    def _without_server_facts(self, error: Exception) -> Exception:
        if not isinstance(error, MienError):
            return error
        if isinstance(error, SourceTooLarge):
            error = hide_server_settings(error)
        return hide_server_paths(error, self.request.path, self.request.name, self.request.folder)
