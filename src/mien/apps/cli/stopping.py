"""SIGTERM and Ctrl-C as a question that a long run can ask, so that it ends where it may."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from mien.apps.cli.edge import Terminated
from mien.apps.cli.output import remark


class Signals:
    """While inside, the first signal sets ``came``; a second one ends at once, as it would have without us."""

    def __init__(self) -> None:
        self.came = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._note)
            except ValueError:  # not the main thread: whoever runs us there minds the signals
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def error(self) -> BaseException:
        """What the signal that came would have been."""
        return Terminated() if self.came == signal.SIGTERM else KeyboardInterrupt()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise self.error()
        self.came = number
        remark("mien: stopping after this step; once more ends at once")
