"""How a training looks while it runs: a row for each epoch, and on a terminal a bar for the one that is under way."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from mien.apps.cli.bar import span
from mien.apps.cli.output import can_redraw, can_write, printable

if TYPE_CHECKING:
    from mien.lab.events import Epoch, Event, Step

#: The columns of the rows: key in the history, title, width, and how the number is written.
COLUMNS: tuple[tuple[str, str, int, Callable[[float], str]], ...] = (
    ("epoch", "epoch", 6, "{:.0f}".format),
    ("loss", "loss", 8, "{:.3f}".format),
    ("accuracy", "learned", 9, lambda share: f"{100 * share:.1f} %"),
    ("held_out", "held out", 10, lambda share: f"{100 * share:.1f} %"),
    ("held_out_votes", "votes", 9, lambda share: f"{100 * share:.1f} %"),
    ("rate", "rate", 10, "{:.2g}".format),
    ("seconds", "time", 9, lambda seconds: span(seconds)),
)


class View:
    """Takes the events of :mod:`mien.lab.events` and shows them on stderr; ``batch`` tells faces from steps.

    On a terminal the epoch under way is a live line below the rows; elsewhere there are the rows alone.
    """

    def __init__(
        self, batch: int = 1, stream: IO[str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._batch = batch
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live: Any = None
        self._headed = False
        self._best = ""
        self._began: tuple[float, int] | None = None  # when this process saw its first step, and of which epoch

    def __enter__(self) -> View:
        if can_redraw(self._stream):
            # rich is imported only where there is a terminal to draw on.
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, highlight=False, emoji=False, markup=False)
            self._live = Live(console=console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The live line goes; rows stay."""
        if self._live:
            self._live.stop()
            self._live = None

    def __call__(self, event: Event) -> None:
        from mien.lab.events import Epoch, Note

        if isinstance(event, Note):
            self._show(printable(event.text))
        elif isinstance(event, Epoch):
            self._row(event)
        elif self._live:
            self._moment(event)

    def _row(self, event: Epoch) -> None:
        row = event.row
        if self._live:
            self._live.update("", refresh=True)
        if not self._headed:
            self._show(head(row))
            self._headed = True
        best = _best(event.history)
        self._best = best[1] if best else ""
        self._show(line(row) + ("  best" if best and best[0] == row.get("epoch") and len(event.history) > 1 else ""))

    def _moment(self, step: Step) -> None:
        """The epoch under way, on two lines that fit the terminal."""
        if self._began is None:
            self._began = (self._clock() - step.seconds, step.epoch)
        width = self._live.console.width - 1
        blocks = "━─" if can_write("━─", getattr(self._stream, "encoding", None)) else "#-"
        lines = (bar(step, width, blocks), moment(step, self._batch, self._left(step), self._best))
        self._live.update("\n".join(each[:width] for each in lines))

    def _left(self, step: Step) -> float:
        """Seconds to the end of the run, as fast as it went in this process."""
        began, first = self._began or (self._clock(), step.epoch)
        done = step.epoch - first + step.step / step.steps
        return (self._clock() - began) / max(done, 1e-9) * (step.epochs - first + 1 - done)

    def _show(self, text: str) -> None:
        if self._live:
            self._live.console.print(text, soft_wrap=True)
            return
        with suppress(OSError):  # who stopped listening shall not end a training
            print(text, file=self._stream, flush=True)


def bar(step: Step, width: int, blocks: str) -> str:
    """How far the epoch is."""
    before, behind = f"epoch {step.epoch} of {step.epochs}  ", f"  {step.step:,} of {step.steps:,} steps"
    cells = max(0, min(40, width - len(before) - len(behind)))
    full = cells * step.step // step.steps
    return f"{before}{blocks[0] * full}{blocks[1] * (cells - full)}{behind}"


def moment(step: Step, batch: int, left: float, best: str) -> str:
    """What there is to say below the bar."""
    speed = f"{step.step * batch / max(step.seconds, 1e-9):,.0f} images/s"
    parts = [f"loss {step.loss:.3f}", f"rate {step.rate:.2g}", speed, f"{span(left)} left"]
    return "  ".join([*parts, f"best {best}"] if best else parts)


def head(row: Mapping[str, float]) -> str:
    """The titles of the columns that this history has."""
    return "".join(f"{title:>{width}}" for key, title, width, _ in COLUMNS if key in row)


def line(row: Mapping[str, float]) -> str:
    """One epoch, under those titles."""
    return "".join(f"{write(row[key]):>{width}}" for key, _, width, write in COLUMNS if key in row)


def _best(history: tuple[Mapping[str, float], ...]) -> tuple[float, str] | None:
    """The epoch with the best accuracy on the held-out faces, and that accuracy in words."""
    told = [row for row in history if "held_out" in row]
    if not told:
        return None
    top = max(told, key=lambda row: row["held_out"])
    return top["epoch"], f"{100 * top['held_out']:.1f} % in epoch {top['epoch']:.0f}"
