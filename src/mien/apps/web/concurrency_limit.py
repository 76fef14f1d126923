"""How many requests are worked on at once, and how many may wait; the rest are told to come back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mien.concurrency import one_core_each


class ServerBusy(Exception):
    """There is no room to wait, or the wait took too long. ``after`` is when to try again, in seconds."""

    def __init__(self, after: int, late: bool) -> None:
        super().__init__("late" if late else "full")
        self.after, self.late = after, late


class ConcurrencyLimit:
    """``with gate.inside(deadline)``: at most ``workers`` are inside at once, at most ``waiting`` before it."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()
        self._most, self._workers = waiting, workers
        self.working = 0
        #: A moving mean of how long work takes, from which a retry is reckoned.
        self._usual = 0.05

    @property
    def waiting(self) -> int:
        return len(self._line)

    @contextmanager
    def inside(self, deadline: float, *, bounded: bool = True) -> Iterator[float]:
        """Gives how long the wait was. ``deadline`` is a time of :func:`time.monotonic`.

        What goes on with something that was begun is not ``bounded``: it waits, however many others do.
        """
        began = time.monotonic()
        self._enter(deadline, bounded)
        entered = time.monotonic()
        try:
            with ExitStack() as cores:
                # Alone, a picture may have every core; beside others, one core each is twice as fast for all.
                if self.working > 1:
                    cores.enter_context(one_core_each)
                yield entered - began
        finally:
            self._leave(time.monotonic() - entered)

    def _enter(self, deadline: float, bounded: bool) -> None:
        with self._lock:
            # In the order of coming: who has just left the worker must not take it again before those who wait.
            if self.working < self._workers and not self._line:
                self.working += 1
                return
            if bounded and len(self._line) >= self._most:
                raise ServerBusy(self._after(), late=False)
            turn = threading.Event()
            self._line.append(turn)
        if not turn.wait(max(deadline - time.monotonic(), 0)):
            self._give_up(turn)

    def _give_up(self, turn: threading.Event) -> None:
        with self._lock:
            if turn.is_set():  # it came in the last moment
                return
            self._line.remove(turn)
            raise ServerBusy(self._after(), late=True)

    def _leave(self, took: float) -> None:
        with self._lock:
            self._usual += 0.1 * (took - self._usual)
            if self._line:
                self._line.popleft().set()
            else:
                self.working -= 1

    def _after(self) -> int:
        return max(1, round(self.waiting * self._usual / self._workers))
