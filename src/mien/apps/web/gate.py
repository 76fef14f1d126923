"""How many requests are worked on at once, and how many may wait; the rest are told to come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mien.faces.cores import one_core_each


class Busy(Exception):
    """There is no room to wait, or the wait took too long. ``after`` is when to try again, in seconds."""

    def __init__(self, after: int, late: bool) -> None:
        super().__init__("late" if late else "full")
        self.after, self.late = after, late


class Gate:
    """``with gate.inside(deadline)``: at most ``workers`` are inside at once, at most ``waiting`` before it."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._most, self._workers = waiting, workers
        self.waiting = self.working = 0
        #: A moving mean of how long work takes, from which a retry is reckoned.
        self._usual = 0.05

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
        if not self._free.acquire(blocking=False):
            self._wait(deadline, bounded)
        with self._lock:
            self.working += 1

    def _wait(self, deadline: float, bounded: bool) -> None:
        with self._lock:
            if bounded and self.waiting >= self._most:
                raise Busy(self._after(), late=False)
            self.waiting += 1
        try:
            if not self._free.acquire(timeout=max(deadline - time.monotonic(), 0)):
                raise Busy(self._after(), late=True)
        finally:
            with self._lock:
                self.waiting -= 1

    def _leave(self, took: float) -> None:
        with self._lock:
            self.working -= 1
            self._usual += 0.1 * (took - self._usual)
        self._free.release()

    def _after(self) -> int:
        return max(1, round(self.waiting * self._usual / self._workers))
