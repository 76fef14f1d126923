"""Threads of mien that run in this process, and waiting for a condition."""

import threading
import time
from collections.abc import Callable

_earlier_threads: set[threading.Thread] = set()


def ignore_running_threads() -> None:
    """Leave the threads of earlier tests out of :func:`mien_threads`: a web app, for one, keeps its worker."""
    _earlier_threads.clear()
    _earlier_threads.update(threading.enumerate())


def mien_threads() -> set[str]:
    """The names of mien's threads that this test started."""
    threads = set(threading.enumerate()) - _earlier_threads
    return {thread.name for thread in threads if thread.name.startswith("mien")}


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()
