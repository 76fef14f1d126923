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

#: The largest frame, in bytes of its file and in pixels: more than a 4K camera has in a JPEG.
MAX_FRAME_BYTES, MAX_FRAME_PIXELS = 2_000_000, 9_000_000


class SessionsFull(Exception):
    """There are as many live sessions as the server accepts; with ``of_client``, of this client."""

    def __init__(self, of_client: bool) -> None:
        super().__init__("of this client" if of_client else "of all clients")
        self.of_client = of_client


class LiveSession:
    """The tracks of one camera. Frames are analysed one at a time: ``lock`` is held meanwhile.

    ``client`` is the address of the client that opened it.
    """

    def __init__(self, engine: Engine, client: str, now: float) -> None:
        self.id, self.client = secrets.token_urlsafe(24), client
        self.engine, self.stream, self.lock = engine, FrameStream(engine), Lock()
        self.last_used = self._started = now
        self.main_track: int | None = None
        self._seconds = 0.0

    def next_seconds(self, seconds: float | None, now: float) -> float:
        """The time of a frame: the client's, or that since the beginning; it never decreases."""
        self._seconds = max(now - self._started if seconds is None else seconds, self._seconds)
        return self._seconds


class LiveSessions:
    """The open sessions by id, at most ``limit``, and at most half of them of one client.

    Only the client that opened a session finds it. Idle ones are removed when others are opened or used.
    """

    def __init__(self, limit: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._limit, self._idle_seconds = limit, idle_seconds
        self._sessions: OrderedDict[str, LiveSession] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        with self._lock:
            self._remove_idle(time.monotonic())
            return len(self._sessions)

    def open(self, engine: Engine, client: str) -> LiveSession:
        """A new session. SessionsFull if there are too many."""
        now = time.monotonic()
        with self._lock:
            self._remove_idle(now)
            if len(self._sessions) >= self._limit:
                raise SessionsFull(of_client=False)
            # One client cannot take the sessions of all others.
            if sum(each.client == client for each in self._sessions.values()) >= max(self._limit // 2, 1):
                raise SessionsFull(of_client=True)
            session = LiveSession(engine, client, now)
            self._sessions[session.id] = session
            return session

    def get(self, id_: str, client: str) -> LiveSession | None:
        """The session of this client; None if it has none with this id."""
        now = time.monotonic()
        with self._lock:
            self._remove_idle(now)
            session = self._sessions.get(id_)
            if session is None or session.client != client:
                return None
            session.last_used = now
            self._sessions.move_to_end(id_)
            return session

    def close(self, id_: str, client: str) -> bool:
        """Remove a session of this client; False if it has none with this id."""
        with self._lock:
            session = self._sessions.get(id_)
            if session is None or session.client != client:
                return False
            del self._sessions[id_]
            return True

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
