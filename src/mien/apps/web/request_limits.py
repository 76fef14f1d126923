"""Limits on requests: how many run at once, with a bounded queue, and the rate limit of each client."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
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


class RateLimiter:
    """A token bucket for each client: ``per_minute`` requests a minute, and up to a sixth of that at once.

    Of more than 10,000 clients the ones that were idle for the longest time are dropped.
    """

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._capacity = max(per_minute / 6, 1.0)
        self._lock = threading.Lock()
        #: The tokens of each client, and when they were counted; the client that came last is the last.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, client: str) -> float:
        """Count a request. 0 when it is within the limit, else the number of seconds until the next one is."""
        now = time.monotonic()
        with self._lock:
            tokens, counted = self._buckets.pop(client, (self._capacity, now))
            tokens = min(self._capacity, tokens + (now - counted) * self._per_second)
            allowed = tokens >= 1
            self._buckets[client] = (tokens - 1 if allowed else tokens, now)
            while len(self._buckets) > 10_000:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._per_second
