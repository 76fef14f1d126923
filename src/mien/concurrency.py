"""Threads: an ordered map with bounded look-ahead, an iterator that runs in the background, OpenCV on one core."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import takewhile
from queue import Full, Queue
from threading import Event, Lock
from time import monotonic
from types import TracebackType
from typing import TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")

_END = object()


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    *,
    group_per_worker: int = 4,
    max_delay: float = 0.5,
) -> Generator[list[Result]]:
    """Apply ``function`` to every item in ``workers`` threads, and yield the results in order, in groups.

    The caller processes a group at once, such as in one run of a model. A group has ``workers * group_per_worker``
    results; at most two groups of items are taken from ``items`` before their results are yielded. From a slow source,
    smaller groups are yielded after ``max_delay`` seconds. An exception of ``function`` is raised in its place. When
    the generator ends or is closed, its threads have ended. Only after Ctrl-C or a signal that raises they are not
    waited for: one may be reading from a pipe to which nothing is written.
    """
    pending: deque[Future[Result]] = deque()
    group_size, last_yield = workers * group_per_worker, monotonic()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mien-read")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            count = 0
            if len(pending) >= 2 * group_size:
                count = group_size
            elif monotonic() - last_yield > max_delay:
                count = sum(1 for _ in takewhile(Future.done, pending))
            if count:
                yield [pending.popleft().result() for _ in range(count)]
                last_yield = monotonic()
        while pending:
            yield [pending.popleft().result() for _ in range(min(group_size, len(pending)))]
    finally:
        error = sys.exception()
        pool.shutdown(wait=error is None or isinstance(error, Exception | GeneratorExit), cancel_futures=True)


def iterate_in_background(
    items: Generator[Item], queue_size: int, thread_name: str, *, poll_seconds: float = 0.1
) -> Generator[Item]:
    """Iterate over ``items`` in a thread that runs at most ``queue_size`` items ahead, and yield them in order.

    An exception of ``items`` is raised after the items before it. When the generator ends or is closed, the thread has
    ended and ``items`` is closed; a thread that waits for space in the queue checks this every ``poll_seconds``.
    """
    queue: Queue[object] = Queue(max(queue_size, 1))
    stopped = Event()

    def put(item: object) -> bool:
        """Wait for space in the queue; False if the consumer has stopped."""
        while not stopped.is_set():
            with suppress(Full):
                queue.put(item, timeout=poll_seconds)
                return True
        return False

    def produce() -> None:
        try:
            with closing(items):
                for item in items:
                    if not put(item):
                        return
        finally:
            put(_END)

    pool = ThreadPoolExecutor(1, thread_name_prefix=thread_name)
    try:
        producer = pool.submit(produce)
        while (item := queue.get()) is not _END:
            yield item  # type: ignore[misc]
        producer.result()
    finally:
        stopped.set()
        pool.shutdown()


class SingleCoreOpenCV:
    """A reentrant context in which OpenCV uses one core for an image.

    Threads that process one image each, on one core each, detect faces twice as fast as threads that share all cores:
    OpenCV runs parallel code of one thread at a time, and the others wait. The previous number is restored when the
    last of nested or parallel blocks ends.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._active = 0
        self._previous = 1

    def __enter__(self) -> None:
        with self._lock:
            if self._active == 0:
                self._previous = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._active += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._active -= 1
            if self._active == 0:
                cv2.setNumThreads(self._previous)


#: The only instance: OpenCV's number of threads applies to the whole process.
single_core_opencv = SingleCoreOpenCV()
