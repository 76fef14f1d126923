"""The ways a result reaches stdout: lines of JSON, plain lines for pipes, a table on a terminal, CSV."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TypeAlias

from mien.apps.cli import words
from mien.apps.cli.output import on_terminal, printable, remark, say
from mien.types import Failure, FrameResult

Screen: TypeAlias = Callable[[FrameResult | Failure], None]


def screen(as_json: bool, quiet: bool) -> Screen:
    """The one that fits: ``quiet`` when stdout belongs to something else, which leaves only the failures."""
    if as_json:
        return _json()
    if quiet:
        return _only_failures
    return _table() if on_terminal(sys.stdout) else _plain


def complaint(failure: Failure) -> str:
    """The failure in one line, with the picture's name exactly once."""
    name, message = printable(failure.source), printable(str(failure.error))
    return f"mien: {message if name in message else f'{name}: {message}'}"


def _json() -> Screen:
    # JSON is UTF-8 wherever it goes; a name that is no text becomes the escape JSON has for it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return lambda result: say(result.to_json())


def _only_failures(result: FrameResult | Failure) -> None:
    if isinstance(result, Failure):
        remark(complaint(result))


def _plain(result: FrameResult | Failure) -> None:
    if isinstance(result, Failure):
        remark(complaint(result))
        return
    for line in words.plain_lines(result):
        say(line)


def _table() -> Screen:
    # rich is imported only where there is a terminal to draw on; it would cost every pipe 50 ms.
    from rich.console import Console

    from mien.apps.cli.table import Table

    table = Table(Console(highlight=False, emoji=False, markup=False))
    head = table.head()

    def show(result: FrameResult | Failure) -> None:
        if isinstance(result, Failure):
            remark(complaint(result))
            return
        for line in (*head, *table.rows(result)):
            table.show(line)

    return show
