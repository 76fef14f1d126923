"""Output of commands: stdout, stderr, files and their errors, what the terminal can show, and the progress bar."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from mien.errors import OutputError

Item = TypeVar("Item")

#: The output argument for stdout.
STDOUT = "-"

_STDERR = 2


def print_line(text: str) -> None:
    """Write one line to stdout and flush it, so that a program that reads the pipe gets each result at once."""
    _write(sys.stdout, text + "\n")


def print_result(as_json: bool, values: object, text: str) -> None:
    """Print the values as one line of JSON, or the text that describes them."""
    print_line(json.dumps(values, ensure_ascii=False) if as_json else text.rstrip())


def print_note(text: str) -> None:
    """Write one line to stderr. A closed or broken stderr is ignored."""
    if sys.stderr is None:  # the process was started with stderr closed; print would write to stdout
        return
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def flush_stdout() -> None:
    """Write what is buffered; an OutputError if stdout takes no more."""
    _write(sys.stdout, "")


def _write(stream: IO[str] | None, text: str) -> None:
    if stream is None:  # the process was started with stdout closed
        return
    with convert_output_errors(STDOUT):
        stream.write(text)
        stream.flush()


@contextmanager
def open_table(target: str) -> Iterator[IO[str]]:
    """A text stream for a table: a file, or stdout for ``-``."""
    if target == STDOUT:
        yield sys.stdout
        return
    stream = Path(target).open("w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115
    try:
        yield stream
    finally:
        with suppress(OSError):  # the rows of every image were flushed: a write error has been reported before
            stream.close()


@contextmanager
def convert_output_errors(target: str | Path) -> Iterator[None]:
    """Convert an OSError into an OutputError that names the file or folder, or stdout for ``-``."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise make_output_error(error, target) from error


def make_output_error(error: OSError, target: str | Path = STDOUT) -> OutputError:
    """The error for a file, a folder or stdout that cannot be written."""
    place = "stdout" if target == STDOUT else f"'{target}'"
    return OutputError(
        f"{place} could not be written: {error.strerror or error}",
        "a writable path with enough space was expected",
        "Free some space, or name another path",
    )


@contextmanager
def silence_stderr() -> Iterator[int]:
    """Discard everything that is written to stderr inside; yields a file descriptor of the stderr before.

    TensorFlow reports there which processor it uses.
    """
    backup = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), _STDERR)
    try:
        yield backup
    finally:
        os.dup2(backup, _STDERR)
        os.close(backup)


@contextmanager
def silence_native_stderr() -> Iterator[None]:
    """Discard what C libraries write to stderr inside; Python's ``sys.stderr`` still works. Off with MIEN_DEBUG.

    libtiff prints a line for each bad byte of a damaged file and has no option against it.
    """
    before = sys.stderr
    if os.environ.get("MIEN_DEBUG") or not _is_process_stderr(before):
        yield
        return
    before.flush()
    with (
        silence_stderr() as backup,
        open(backup, "w", encoding=before.encoding, errors=before.errors, buffering=1, closefd=False) as stream,
    ):
        sys.stderr = stream
        try:
            yield
        finally:
            sys.stderr = before


def _is_process_stderr(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.fileno() == _STDERR
    except (OSError, ValueError):  # a stream in memory
        return False


def is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def can_redraw(stream: IO[str] | None) -> bool:
    """Can a line be cleared and written again? Not in a notebook, which keeps all of them, nor with TERM=dumb."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb" and "JPY_PARENT_PID" not in os.environ


def can_encode(characters: str, encoding: str | None) -> bool:
    """Does this encoding have these characters? Old consoles lack block characters and emoji."""
    try:
        characters.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def escape_controls(text: str) -> str:
    """The text with control characters and line breaks as escapes: names from files cannot steer the terminal."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)


def format_columns(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> str:
    """Rows of cells as lines with aligned columns; those with a number in ``right`` are right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        sizes = enumerate(zip(row, widths, strict=True))
        cells = (cell.rjust(width) if number in right else cell.ljust(width) for number, (cell, width) in sizes)
        lines.append(escape_controls("  ".join(cells).rstrip()))
    return "\n".join(lines)


_CLEAR_LINE = "\r\x1b[2K"


class ProgressBar:
    """A bar on stderr: appears after half a second, is redrawn at most ten times a second, is cleared at the end.

    Nothing is written where stderr is no terminal. rich has progress bars too, but one that shares the terminal with
    results on stdout has to be cleared before each result.
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
        self._blocks = "━─" if can_encode("━─", getattr(self._stream, "encoding", None)) else "#-"

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def track(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, which are counted; the line is clear while one of them is processed."""
        for number, item in enumerate(items, 1):
            self.clear()
            yield item
            self.update(number)

    def update(self, done: int, total: int | None = None) -> None:
        """Set the progress; ``total`` may become known later than the start."""
        self._total = total or self._total
        now = self._clock()
        if self._off or now < self._due or done == self._total:
            return
        self._due = now + 0.1
        self._write(_CLEAR_LINE + self.format_line(done, shutil.get_terminal_size().columns - 1))
        self._visible = True

    def clear(self) -> None:
        """Clear the line before something else is written there; the next update draws it again."""
        if self._visible:
            self._write(_CLEAR_LINE)
            self._visible, self._due = False, 0.0

    def format_line(self, done: int, width: int) -> str:
        """The bar as text, in at most ``width`` cells."""
        seconds = max(self._clock() - self._started, 1e-6)
        rate = f"{self._amount(int(done / seconds))}/s"
        if not self._total:
            return f"{self._amount(done)}  {rate}"[:width]
        remaining = (self._total - done) * seconds / done if done else 0.0
        label = f" {self._amount(done)} of {self._amount(self._total)}  {rate}  {format_elapsed(remaining)} left"
        cells = max(0, min(30, width - len(label)))
        full = min(cells, cells * done // self._total)
        return f"{self._blocks[0] * full}{self._blocks[1] * (cells - full)}{label}"[:width]

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # a failing progress bar must not end the run
            self._off = True


def format_elapsed(seconds: float) -> str:
    """``8 s``, ``2:05``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"
