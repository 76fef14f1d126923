"""Work done in threads, a few items ahead of whoever waits for it, handed out in order and in groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import takewhile
from time import monotonic
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")

#: How many items per worker are worked on ahead of the caller: a group shares what is done with it next.
_AHEAD = 4

#: Seconds after which results that are there are handed out, however few: a slow source does not hold them back.
_PATIENCE = 0.5


def ahead(work: Callable[[Item], Done], items: Iterable[Item], jobs: int) -> Generator[list[Done]]:
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
