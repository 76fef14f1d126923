"""Work done in threads, a few items ahead of whoever waits for it, handed out in order and in groups."""

from __future__ import annotations

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
Done = TypeVar("Done")

#: How many items per worker are worked on ahead of the caller: a group shares what is done with it next.
_AHEAD = 4

#: Seconds after which results that are there are handed out, however few: a slow source does not hold them back.
_PATIENCE = 0.5


def ordered_map(work: Callable[[Item], Done], items: Iterable[Item], jobs: int) -> Generator[list[Done]]:
    """Do the work in ``jobs`` threads, a bounded number of items ahead, and yield it in order, in groups."""
    pending: deque[Future[Done]] = deque()
    group, told = jobs * _AHEAD, monotonic()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="mien-read")
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            full, late = len(pending) >= 2 * group, monotonic() - told > _PATIENCE
            if ready := group if full else late and _leading(pending):
                yield [pending.popleft().result() for _ in range(ready)]
                told = monotonic()
        while pending:
            yield [pending.popleft().result() for _ in range(min(group, len(pending)))]
    finally:
        pool.shutdown(cancel_futures=True)


def _leading(pending: Iterable[Future[Done]]) -> int:
    """How many are done before the first that is not."""
    return sum(1 for _ in takewhile(Future.done, pending))


# ==== mien.stage
# One stage of several that work at once: a thread of its own, a bounded number of items ahead of the next.

T = TypeVar("T")

#: Seconds after which a thread that waits for room looks whether it is still wanted.
_LOOK = 0.1

_END = object()


def iterate_in_background(items: Generator[T], depth: int, name: str) -> Generator[T]:
    """The items, in order, made by a thread that is at most ``depth`` of them ahead.

    An error of theirs is raised here. However this ends, by the last item, by an error or because the caller leaves
    early: when it has, the thread is gone and ``items`` are closed.
    """
    ready: Queue[object] = Queue(max(depth, 1))
    unwanted = Event()
    pool = ThreadPoolExecutor(1, thread_name_prefix=name)
    try:
        made = pool.submit(_make, items, ready, unwanted)
        while (item := ready.get()) is not _END:
            yield item  # type: ignore[misc]
        made.result()
    finally:
        unwanted.set()
        pool.shutdown()


def _make(items: Generator[T], ready: Queue[object], unwanted: Event) -> None:
    try:
        with closing(items):
            for item in items:
                if not _handed(item, ready, unwanted):
                    return
    finally:
        _handed(_END, ready, unwanted)


def _handed(item: object, ready: Queue[object], unwanted: Event) -> bool:
    """Wait for room; False when nobody wants it any more."""
    while not unwanted.is_set():
        with suppress(Full):
            ready.put(item, timeout=_LOOK)
            return True
    return False


# ==== mien.faces.cores
# How many cores OpenCV takes for one picture.


class SingleCoreOpenCV:
    """While anybody is inside, OpenCV takes one core for a picture; the last to leave restores what was.

    Several threads with a picture each, on one core each, find faces twice as fast as all of them sharing every core:
    OpenCV lets one of them at a time spread out, and the others wait for it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                cv2.setNumThreads(self._before)


#: OpenCV knows one number for the whole process, and so there is one of these.
single_core_opencv = SingleCoreOpenCV()
