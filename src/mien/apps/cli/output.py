"""Everything that goes to stdout and stderr goes through here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mien.errors import OutputError

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
