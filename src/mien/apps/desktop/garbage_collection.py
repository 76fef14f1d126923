"""Rubbish is collected in Tk's thread alone: a widget that another thread frees ends the process.

Widgets and what belongs to them hold each other, so only Python's collector frees them, and it runs in whatever thread
happens to need memory. While the window is open it rests, and the window runs it: often, and briefly.
"""

from __future__ import annotations

import gc
from time import monotonic

#: Seconds between collecting what is young, and everything.
_YOUNG, _ALL = 0.5, 20.0


class Tidy:
    """From when it is made until ``close``; ``step`` is to be called often.

    To be used inside :func:`mien.apps.desktop.live_window.collected_here`, which lets the collector run again at its end.
    """

    def __init__(self) -> None:
        gc.disable()
        self._young = self._all = monotonic()

    def step(self) -> None:
        now = monotonic()
        if now - self._all > _ALL:
            gc.collect()
            self._all = self._young = now
        elif now - self._young > _YOUNG:
            gc.collect(1)
            self._young = now

    def settle(self) -> None:
        """What is there stays: it is left out of every collection from now on, which makes them short."""
        gc.collect()
        gc.freeze()
        self._all = self._young = monotonic()

    def close(self) -> None:
        gc.unfreeze()
