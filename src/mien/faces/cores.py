"""How many cores OpenCV takes for one picture."""

from __future__ import annotations

from threading import Lock
from types import TracebackType

import cv2


class OneCoreEach:
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
one_core_each = OneCoreEach()
