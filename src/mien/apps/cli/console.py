"""Silence for native code that talks to stderr past Python."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mien.errors import OutputError


@contextmanager
def hushed() -> Iterator[None]:
    """TensorFlow's native code tells stderr what processor this is; nobody asked. Exceptions are heard as ever."""
    heard, nobody = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, 2)
    try:
        yield
    finally:
        os.dup2(heard, 2)
        os.close(heard)
        os.close(nobody)


# ==== mien.apps.cli.output
# Everything that goes to stdout and stderr goes through here.

_STDERR = 2


def say(line: str) -> None:
    """One line to stdout, at once: who reads our pipe sees a result when it is there."""
    _written(sys.stdout, line + "\n")


def flush() -> None:
    """Whatever is still held back goes out, or the reason why not is told."""
    _written(sys.stdout, "")


def remark(line: str) -> None:
    """One line to stderr, for the person and not for the pipe. Where nobody can be told, nothing is said."""
    if sys.stderr is None:  # started with stderr closed; print would turn to stdout
        return
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


@contextmanager
def alone_on_stderr() -> Iterator[None]:
    """Inside, stderr is ours: what C libraries write there past Python goes nowhere.

    libtiff has a line for each byte of a damaged file that it does not like, and no switch. With MIEN_DEBUG it speaks.
    """
    before = sys.stderr
    if os.environ.get("MIEN_DEBUG") or not _is_descriptor_two(before):
        yield
        return
    before.flush()
    kept = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        with open(kept, "w", encoding=before.encoding, errors=before.errors, buffering=1, closefd=False) as ours:
            sys.stderr = ours
            yield
    finally:
        sys.stderr = before
        os.dup2(kept, _STDERR)
        os.close(kept)


def _is_descriptor_two(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.fileno() == _STDERR
    except (OSError, ValueError):  # a stream in memory
        return False


def on_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def can_redraw(stream: IO[str] | None) -> bool:
    """Can lines be wiped and drawn again? Not in a notebook, which shows all of them, nor where TERM says dumb."""
    return on_terminal(stream) and os.environ.get("TERM") != "dumb" and "JPY_PARENT_PID" not in os.environ


def can_write(characters: str, encoding: str | None) -> bool:
    """Does the stream's encoding have these characters? Old consoles lack blocks and emoji."""
    try:
        characters.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def printable(name: str) -> str:
    """A name that stays on its line and cannot steer the terminal: control characters become escapes."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in name)


def unwritten(error: OSError) -> OutputError:
    """What to say when stdout takes no more."""
    reason = error.strerror or error
    return OutputError(
        f"the output could not be written: {reason}", "Stdout takes no more", "Make room, or send it somewhere else"
    )


def _written(stream: IO[str] | None, text: str) -> None:
    if stream is None:  # started with stdout closed
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritten(error) from error


# ==== mien.apps.cli.bar
# How far a long run is, on the last line of a terminal; nothing where nobody looks.

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
