"""How far a long run is, on the last line of a terminal; nothing where nobody looks."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import IO

from mien.apps.cli.output import can_redraw, can_write

_WIPE = "\r\x1b[2K"


class Bar:
    """A bar on stderr. It comes after a moment, is redrawn ten times a second at most, and leaves no trace.

    rich has finer bars, but one that shares the terminal with results streaming to stdout has to be wiped by hand.
    """

    def __init__(
        self,
        total: int | None = None,
        *,
        amount: Callable[[int], str] = "{:,}".format,
        stream: IO[str] | None = None,
        after: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._amount = amount
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._started = clock()
        self._due = self._started + after
        self._visible = False
        self._off = not can_redraw(self._stream)
        self._blocks = "━─" if can_write("━─", getattr(self._stream, "encoding", None)) else "#-"

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def update(self, done: int, total: int | None = None) -> None:
        """So much is done; ``total`` is given where it becomes known on the way."""
        self._total = total or self._total
        now = self._clock()
        if self._off or now < self._due or done == self._total:  # what is through needs no bar any more
            return
        self._due = now + 0.1
        self._write(_WIPE + self.line(done, shutil.get_terminal_size().columns - 1))
        self._visible = True

    def wipe(self) -> None:
        """Clear the line, for whoever wants to write there; the next update draws it again."""
        if self._visible:
            self._write(_WIPE)
            self._visible, self._due = False, 0.0

    def line(self, done: int, width: int) -> str:
        """The bar as text, in at most ``width`` cells."""
        seconds = max(self._clock() - self._started, 1e-6)
        rate = f"{self._amount(int(done / seconds))}/s"
        if not self._total:
            return f"{self._amount(done)}  {rate}"[:width]
        left = (self._total - done) * seconds / done if done else 0.0
        words = f" {self._amount(done)} of {self._amount(self._total)}  {rate}  {span(left)} left"
        cells = max(0, min(30, width - len(words)))
        full = min(cells, cells * done // self._total)
        return f"{self._blocks[0] * full}{self._blocks[1] * (cells - full)}{words}"[:width]

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # a bar is not worth ending a run for
            self._off = True


def span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"
