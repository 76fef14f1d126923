"""One stage of several that work at once: a thread of its own, a bounded number of items ahead of the next."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from queue import Full, Queue
from threading import Event
from typing import TypeVar

T = TypeVar("T")

#: Seconds after which a thread that waits for room looks whether it is still wanted.
_LOOK = 0.1

_END = object()


def staged(items: Generator[T], depth: int, name: str) -> Generator[T]:
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
