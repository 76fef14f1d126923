"""Suppression of what decoders print: Python warnings of one thread, and output on standard error."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast


class _ThreadDepth(threading.local):
    """The nesting of :func:`suppress_decoder_warnings` in the current thread.

    It takes the place of the message pattern in a warnings filter, and matches if the thread is inside a block.
    """

    depth = 0

    def match(self, message: str) -> bool:
        return self.depth > 0


_thread = _ThreadDepth()
_FILTER = ("ignore", _thread, Warning, None, 0)
_filters_lock = threading.Lock()
_stderr_lock = threading.Lock()


@contextmanager
def suppress_decoder_warnings() -> Iterator[None]:
    """No warning of this thread in this block is shown or raised as an exception.

    ``warnings.catch_warnings`` replaces a list that all threads share. Here one filter is added to that list and stays
    there: it ignores only warnings of threads that are inside this block.
    """
    _install_filter()
    _thread.depth += 1
    try:
        yield
    finally:
        _thread.depth -= 1


def _install_filter() -> None:
    """Put the filter at the start of the list, before filters that were added since, and only once."""
    with _filters_lock:
        filters = cast("list[Any]", warnings.filters)
        if filters and filters[0] is _FILTER:
            return
        filters.insert(0, _FILTER)
        for index in range(len(filters) - 1, 0, -1):
            if filters[index] is _FILTER:
                del filters[index]


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard what C libraries write to standard error, such as messages of OpenCV that no setting turns off.

    Use it around a single call: standard error of the whole process is discarded meanwhile.
    """
    with _stderr_lock, ExitStack() as stack:
        try:
            stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        except OSError:  # the process has no standard error
            yield
            return
        stack.callback(os.close, stderr)
        stack.callback(os.dup2, stderr, 2)
        os.dup2(null, 2)
        os.close(null)
        yield


def silence_ffmpeg() -> None:
    """Turn off the messages of OpenCV's FFmpeg; it must be called before OpenCV opens its first video."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
