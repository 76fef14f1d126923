"""A limit on concurrent requests, with a bounded queue: what exceeds both is rejected and retried by the client."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mien.concurrency import single_core_opencv


class ServerBusy(Exception):
    """The queue is full, or a request waited in it for too long (``timed_out``).

    ``retry_after`` is the number of seconds after which a retry may succeed.
    """

    def __init__(self, retry_after: int, timed_out: bool) -> None:
        super().__init__("timed out" if timed_out else "queue full")
        self.retry_after, self.timed_out = retry_after, timed_out


class ConcurrencyLimit:
    """At most ``workers`` holders of a slot at once, and at most ``queue`` requests that wait for one, in order."""

    def __init__(self, workers: int, queue: int) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._queue, self._workers = queue, workers
        self.running = 0
        #: The moving average of the seconds for which a slot is held; retry times are estimated from it.
        self._average = 0.05

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @contextmanager
    def slot(self, deadline: float, *, bounded: bool = True) -> Iterator[float]:
        """Hold a slot; the value is for how many seconds it was waited for. ServerBusy if there is none in time.

        ``deadline`` is a time of :func:`time.monotonic`. A request that is not ``bounded``, since it has had a slot
        before, joins the queue also when that is full.
        """
        start = time.monotonic()
        self._acquire(deadline, bounded)
        acquired = time.monotonic()
        try:
            with ExitStack() as cores:
                # Alone, an image may use every core; beside others, one core for each is twice as fast for all.
                if self.running > 1:
                    cores.enter_context(single_core_opencv)
                yield acquired - start
        finally:
            self._release(time.monotonic() - acquired)

    def _acquire(self, deadline: float, bounded: bool) -> None:
        with self._lock:
            # First come, first served: a thread that has just released a slot must not overtake those that wait.
            if self.running < self._workers and not self._waiting:
                self.running += 1
                return
            if bounded and len(self._waiting) >= self._queue:
                raise ServerBusy(self._retry_after(), timed_out=False)
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(max(deadline - time.monotonic(), 0)):
            return
        with self._lock:
            if not turn.is_set():  # else the slot was passed on between the timeout and here
                self._waiting.remove(turn)
                raise ServerBusy(self._retry_after(), timed_out=True)

    def _release(self, seconds: float) -> None:
        with self._lock:
            self._average += 0.1 * (seconds - self._average)
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self.running -= 1

    def _retry_after(self) -> int:
        return max(1, round(self.waiting * self._average / self._workers))
