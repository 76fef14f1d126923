"""How a training looks while it runs: a bar for the epoch on a terminal, plain lines where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from mien.apps.cli.output import printable, remark

if TYPE_CHECKING:
    from mien.lab.events import Event


class View:
    """Takes the events of :mod:`mien.lab.events`. It draws on stderr, which the result does not use."""

    def __init__(self, stream: IO[str] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live: Any = None

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        pass

    def __call__(self, event: Event) -> None:
        from mien.lab.events import Epoch, Note

        if isinstance(event, Note):
            remark(printable(event.text))
        elif isinstance(event, Epoch):
            remark(line(event.row))


def line(row: dict[str, float]) -> str:
    """A row of the history in one line."""
    return "  ".join(f"{key} {value:.4g}" for key, value in row.items())
