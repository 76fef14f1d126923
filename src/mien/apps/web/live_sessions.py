"""Live sessions: the tracks of the cameras of visitors, whose frames arrive in single requests."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from threading import Lock

from mien.apps.session.live_camera import FrameStream
from mien.engine import Engine

#: Seconds without a frame after which a session is removed.
IDLE_SECONDS = 60.0


class SessionsFull(Exception):
    """There are as many live sessions as the server accepts."""


class LiveSession:
    """The tracks of one camera. Frames are analysed one at a time: ``lock`` is held meanwhile."""

    def __init__(self, engine: Engine, now: float) -> None:
        self.id = secrets.token_urlsafe(24)
        self.engine, self.stream, self.lock = engine, FrameStream(engine), Lock()
        self.last_used = self._started = now
        self.main_track: int | None = None
        self._seconds = 0.0

    def next_seconds(self, seconds: float | None, now: float) -> float:
        """The time of a frame: the client's, or that since the beginning; it never decreases."""
        self._seconds = max(now - self._started if seconds is None else seconds, self._seconds)
        return self._seconds


class LiveSessions:
    """The open sessions by id, at most ``limit``; idle ones are removed when others are opened or used."""

    def __init__(self, limit: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._limit, self._idle_seconds = limit, idle_seconds
        self._sessions: OrderedDict[str, LiveSession] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        with self._lock:
            self._remove_idle(time.monotonic())
            return len(self._sessions)

    def open(self, engine: Engine) -> LiveSession:
        now = time.monotonic()
        with self._lock:
            self._remove_idle(now)
            if len(self._sessions) >= self._limit:
                raise SessionsFull
            session = LiveSession(engine, now)
            self._sessions[session.id] = session
            return session

    def get(self, id_: str) -> LiveSession | None:
        now = time.monotonic()
        with self._lock:
            self._remove_idle(now)
            session = self._sessions.get(id_)
            if session:
                session.last_used = now
                self._sessions.move_to_end(id_)
            return session

    def close(self, id_: str) -> bool:
        with self._lock:
            return self._sessions.pop(id_, None) is not None

    def clear(self) -> None:
        """Close all sessions."""
        with self._lock:
            self._sessions.clear()

    def _remove_idle(self, now: float) -> None:
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if now - oldest.last_used <= self._idle_seconds:
                return
            del self._sessions[oldest.id]
