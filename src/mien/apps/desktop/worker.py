"""The background thread of the application: tasks run in steps, ordered by priority, and can be cancelled.

Results reach the application when it calls :meth:`Worker.poll`, in the thread that calls it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from time import monotonic
from typing import Any, TypeAlias

from mien.errors import MienError

#: Work in steps: at every ``yield`` it can be interrupted or cancelled. A yielded value is a result; None is none.
Steps: TypeAlias = Generator[Any, None, None]

#: Priorities: the user waits for it now; the result is visible soon; background work.
IMMEDIATE, SOON, BACKGROUND = range(3)

#: Seconds that closing waits for the current step.
_CLOSE_TIMEOUT = 5.0


class Task:
    """One piece of work. ``on_result`` gets its results, ``on_error`` its error; ``on_end`` is always called."""

    def __init__(
        self,
        steps: Steps,
        on_result: Callable[[Any], None] | None = None,
        on_error: Callable[[MienError], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.steps, self.cancelled, self.finished = steps, False, False
        self._on_result, self._on_error, self._on_end = on_result, on_error, on_end

    @property
    def active(self) -> bool:
        """Neither finished nor cancelled."""
        return not (self.finished or self.cancelled)

    def cancel(self) -> None:
        """Stop at the next step. Only ``on_end`` is still called."""
        self.cancelled = True

    def report(self, result: Any) -> None:
        if self._on_result and not self.cancelled:
            self._on_result(result)

    def fail(self, error: MienError) -> None:
        if self._on_error and not self.cancelled:
            self._on_error(error)

    def end(self) -> None:
        self.finished = True
        if self._on_end:
            self._on_end()


class Worker:
    """The thread and its queue. All callbacks run in the thread that calls ``poll``; only the steps run in this one."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, Task]] = []
        self._numbers, self._messages = count(), deque[Callable[[], None]]()
        self._changed, self._closed = Condition(), False
        self._open_tasks = 0
        self._thread = Thread(target=self._run, name="mien-desktop", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """True when every task has ended and every result was delivered."""
        return self._open_tasks == 0 and not self._messages

    def submit(self, task: Task, priority: int = IMMEDIATE) -> Task:
        self._open_tasks += 1
        self._enqueue(priority, next(self._numbers), task)
        return task

    def poll(self, seconds: float = 0.01) -> bool:
        """Deliver results for at most this long. Returns whether there were any."""
        end, has_messages = monotonic() + seconds, bool(self._messages)
        while self._messages:
            self._messages.popleft()()
            if monotonic() > end:
                break
        return has_messages

    def close(self) -> None:
        """Stop all work at its next step, and deliver nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(_CLOSE_TIMEOUT)
        self._messages.clear()

    def _enqueue(self, priority: int, number: int, task: Task) -> None:
        with self._changed:
            heappush(self._queue, (priority, number, task))
            self._changed.notify()

    def _next(self) -> tuple[int, int, Task] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._queue)
            return None if self._closed else heappop(self._queue)

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            priority, number, task = entry
            if self._step(task):
                self._enqueue(priority, number, task)
            else:
                self._messages.append(lambda task=task: self._end(task))  # type: ignore[misc]
        for _, _, task in self._queue:
            task.steps.close()

    def _step(self, task: Task) -> bool:
        """Run one step. Returns whether there are more."""
        try:
            if task.cancelled:
                task.steps.close()
                return False
            result = next(task.steps)
        except StopIteration:
            return False
        except MienError as error:
            self._post(task.fail, error)
            return False
        except Exception as error:  # noqa: BLE001  # the outermost level of an application: raised again in poll
            self._post(task.fail, describe_bug(error))
            self._post(_raise, error)
            return False
        if result is not None:
            self._post(task.report, result)
        return True

    def _post(self, deliver: Callable[[Any], None], value: Any) -> None:
        self._messages.append(lambda: deliver(value))

    def _end(self, task: Task) -> None:
        self._open_tasks -= 1
        task.end()


def describe_bug(error: BaseException) -> MienError:
    """An unexpected exception as a message for the user."""
    return MienError(f"This is a bug in mien: {type(error).__name__}: {error}", "", "Please report it")


def _raise(error: Exception) -> None:
    raise error
