"""Everything that goes to stdout and stderr goes through here."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import IO

from mien.errors import OutputError


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


def on_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


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
