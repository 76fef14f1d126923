"""One worker for everything that takes time: it works in steps, takes the most urgent one next, and can be stopped.

What it finds out reaches the window when the window asks for it, in the window's own thread.
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

#: Work in steps: every ``yield`` is a place where it can be interrupted or left. What is yielded is news, None is none.
Steps: TypeAlias = Generator[Any, None, None]

#: How urgent: somebody waits for it with the hand on the mouse; somebody looks at where it will be; whenever.
NOW, SOON, LATER = range(3)

#: Seconds that closing waits for the step at which the worker is.
PARTING = 5.0


class Task:
    """One piece of work. ``told`` gets its news, ``failed`` what stopped it, and ``ended`` is called in any case."""

    def __init__(
        self,
        steps: Steps,
        told: Callable[[Any], None] | None = None,
        failed: Callable[[MienError], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self.steps, self.left, self.over = steps, False, False
        self._told, self._failed, self._ended = told, failed, ended

    def cancel(self) -> None:
        """It is left at its next step, and nothing more is heard of it but its end."""
        self.left = True

    def tell(self, news: Any) -> None:
        if self._told and not self.left:
            self._told(news)

    def fail(self, error: MienError) -> None:
        if self._failed and not self.left:
            self._failed(error)

    def end(self) -> None:
        self.over = True
        if self._ended:
            self._ended()


class Worker:
    """The thread, and what it has still to do. Everything but the steps happens in the thread that calls ``poll``."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Task]] = []
        self._numbers, self._news = count(), deque[Callable[[], None]]()
        self._more, self._closed = Condition(), False
        self._open = 0
        self._thread = Thread(target=self._work, name="mien-desktop", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Is everything done, and told?"""
        return self._open == 0 and not self._news

    def do(self, task: Task, urgency: int = NOW) -> Task:
        self._open += 1
        self._put(urgency, next(self._numbers), task)
        return task

    def poll(self, seconds: float = 0.01) -> bool:
        """Tell what there is to tell, for so long at most. Was there anything?"""
        end, any_news = monotonic() + seconds, bool(self._news)
        while self._news:
            self._news.popleft()()
            if monotonic() > end:
                break
        return any_news

    def close(self) -> None:
        """Leave all work at its next step; nothing more is told."""
        with self._more:
            self._closed = True
            self._more.notify()
        self._thread.join(PARTING)
        self._news.clear()

    def _put(self, urgency: int, number: int, task: Task) -> None:
        with self._more:
            heappush(self._waiting, (urgency, number, task))
            self._more.notify()

    def _next(self) -> tuple[int, int, Task] | None:
        with self._more:
            self._more.wait_for(lambda: self._closed or self._waiting)
            return None if self._closed else heappop(self._waiting)

    def _work(self) -> None:
        while (waiting := self._next()) is not None:
            urgency, number, task = waiting
            if self._step(task):
                self._put(urgency, number, task)
            else:
                self._news.append(lambda task=task: self._over(task))  # type: ignore[misc]
        for _, _, task in self._waiting:
            task.steps.close()

    def _step(self, task: Task) -> bool:
        """One step; False when that was the last."""
        try:
            if task.left:
                task.steps.close()
                return False
            news = next(task.steps)
        except StopIteration:
            return False
        except MienError as error:
            self._tell(task.fail, error)
            return False
        except Exception as error:  # noqa: BLE001  # the edge of an app: raised again where it is seen
            self._tell(task.fail, bug(error))
            self._tell(_raise, error)
            return False
        if news is not None:
            self._tell(task.tell, news)
        return True

    def _tell(self, tell: Callable[[Any], None], what: Any) -> None:
        self._news.append(lambda: tell(what))

    def _over(self, task: Task) -> None:
        self._open -= 1
        task.end()


def bug(error: BaseException) -> MienError:
    """What nobody foresaw, in words for whoever sits before it."""
    return MienError(f"This is a bug in mien: {type(error).__name__}: {error}", "", "Please report it")


def _raise(error: Exception) -> None:
    raise error
