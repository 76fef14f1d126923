"""``--csv``: one row for each face, through the report room."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeAlias

from mien.apps.cli.output import printable
from mien.apps.cli.paths import STDOUT
from mien.errors import OutputError
from mien.types import Failure, FrameResult

WriteRows: TypeAlias = Callable[[FrameResult | Failure], None]


@contextmanager
def rows_to(target: str | None, labels: Sequence[str]) -> Iterator[WriteRows]:
    """What writes a result's rows: to a file, to stdout for ``-``, or nowhere."""
    if target is None:
        yield lambda result: None
        return
    from mien.report import CsvTable  # imported by those who want a table

    with ExitStack() as stack:
        with told_of(target):
            table = CsvTable(stack.enter_context(stream_to(target)), labels)

        def write(result: FrameResult | Failure) -> None:
            with told_of(target):
                table.write(result)

        yield write


@contextmanager
def stream_to(target: str) -> Iterator[IO[str]]:
    """A file for tables, or stdout for ``-``."""
    if target == STDOUT:
        yield sys.stdout
        return
    stream = Path(target).open("w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115
    try:
        yield stream
    finally:
        with suppress(OSError):  # every picture's rows were flushed: what could go wrong has been said
            stream.close()


@contextmanager
def told_of(target: str, option: str = "--csv") -> Iterator[None]:
    """Inside, what goes wrong with writing is told in our words."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        where = "stdout" if target == STDOUT else f"'{printable(target)}'"
        raise OutputError(
            f"the table could not be written to {where}: {error.strerror or error}",
            "A place with room that may be written to was expected",
            f"Name another file with {option}",
        ) from error
