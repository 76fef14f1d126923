"""Keeps a decoder's warnings to itself, without touching what other threads hear.

Pillow warns of odd tags and large pictures through :mod:`warnings`, whose ``catch_warnings`` swaps a list that all
threads share. Here one filter is put into that list and left there: it ignores a warning only when the thread that
raises it stands inside :func:`quietly`, so for everybody else it does not exist.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast


class _InsideQuietly(threading.local):
    """Stands where a filter keeps the pattern for the message. Each thread has its own depth."""

    depth = 0

    def match(self, message: str) -> bool:
        return self.depth > 0


_inside = _InsideQuietly()
_FILTER = ("ignore", _inside, Warning, None, 0)
_placing = threading.Lock()


@contextmanager
def suppress_decoder_warnings() -> Iterator[None]:
    """No warning raised by this thread in this block is shown or turned into an exception."""
    _place_filter()
    _inside.depth += 1
    try:
        yield
    finally:
        _inside.depth -= 1


def _place_filter() -> None:
    """First in the list, where no other rule comes before it; once, however often others put theirs on top."""
    with _placing:
        filters = cast("list[Any]", warnings.filters)
        if filters and filters[0] is _FILTER:
            return
        filters.insert(0, _FILTER)
        for place in range(len(filters) - 1, 0, -1):
            if filters[place] is _FILTER:
                del filters[place]


_hush = threading.Lock()


@contextmanager
def silence_stderr() -> Iterator[None]:
    """OpenCV and what it calls write nothing to the terminal: some of it goes past every setting, to the file itself.

    For a moment only, around a single call: while it lasts, standard error of the whole process is lost.
    """
    with _hush, ExitStack() as back:
        try:
            kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        except OSError:  # a process without standard error has nothing to keep quiet
            yield
            return
        back.callback(os.close, kept)
        back.callback(os.dup2, kept, 2)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield


def silence_ffmpeg() -> None:
    """The FFmpeg inside OpenCV writes to the terminal unless the environment says no, before its first film."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
