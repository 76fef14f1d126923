"""The run of ``mien predict``, from the first picture to the exit status."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from mien.apps.cli.bar import Bar
from mien.apps.cli.hint import hint_at_yunet
from mien.apps.cli.output import alone_on_stderr, on_terminal, printable, remark
from mien.apps.cli.paths import STDOUT, real
from mien.apps.cli.reader import Reader
from mien.apps.cli.rows import rows_to
from mien.apps.cli.screens import complaint, screen
from mien.apps.cli.sources import Item, count, items
from mien.errors import MienError
from mien.types import Failure, FrameResult

if TYPE_CHECKING:
    from mien.apps.cli.copies import Copies
    from mien.apps.cli.predict import Request

Result: TypeAlias = FrameResult | Failure


@dataclass
class Tally:
    """What came of the pictures so far."""

    pictures: int = 0
    faces: int = 0
    faceless: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def add(self, result: Result) -> None:
        self.pictures += 1
        if isinstance(result, Failure):
            self.failed += 1
        else:
            self.faces += len(result)
            self.faceless += not len(result)

    def status(self, require_face: bool) -> int:
        return int(self.failed > 0 or (require_face and self.faceless > 0))

    def __str__(self) -> str:
        parts = [f"{self.pictures:,} pictures", f"{self.faces:,} face{'s' * (self.faces != 1)}"]
        parts += [f"{self.faceless:,} without a face"] * bool(self.faceless)
        parts += [f"{self.failed:,} failed"] * bool(self.failed)
        return ", ".join([*parts, f"{self.seconds:.1f} s"])


def run(request: Request, engine: Reader) -> int:
    """Read everything that was asked for, show it as it comes, and return the exit status."""
    copies = _copies(request)
    pictures = _pictures(request, copies)
    show = screen(request.as_json, quiet=request.csv == STDOUT)
    tally = Tally()
    with ExitStack() as stack:
        stack.enter_context(alone_on_stderr())
        write_rows = stack.enter_context(rows_to(request.csv, engine.labels))
        bar = stack.enter_context(Bar(count(request.sources) if on_terminal(sys.stderr) else None))
        for item, result in stack.enter_context(closing(_in_order(engine, pictures, request))):
            tally.add(result)
            bar.wipe()
            show(result)
            write_rows(result)
            if copies and isinstance(result, FrameResult):
                tally.failed += not _copied(copies, item, result)
            bar.update(tally.pictures)
    _sum_up(request, engine, tally)
    return tally.status(request.require_face)


def _copies(request: Request) -> Copies | None:
    if request.annotate is None:
        return None
    from mien.apps.cli.copies import Copies  # painting is imported by those who paint

    return Copies(request.annotate, request.max_pixels)


def _pictures(request: Request, copies: Copies | None) -> Iterator[Item]:
    if copies is None:
        return items(request.sources)
    if not copies.one_file:
        return items(request.sources, leave_out=real(copies.target))
    first = list(islice(found := items(request.sources), 2))
    if len(first) > 1:
        raise click.UsageError(
            f"'{request.annotate}' is one file, and there are several pictures. "
            "Name a folder for the copies, such as --annotate painted."
        )
    return chain(first, found)


def _in_order(engine: Reader, pictures: Iterator[Item], request: Request) -> Generator[tuple[Item, Result], None, None]:
    """Each picture with what came of it. The engine looks a few pictures ahead; so many wait here, and no more."""
    waiting: deque[Item] = deque()

    def sources() -> Iterator[Path | bytes | Failure]:
        for item in pictures:
            waiting.append(item)
            yield item.source

    results = engine.read_many(sources(), min_face=request.min_face, max_pixels=request.max_pixels, jobs=request.jobs)
    for result in results:
        item = waiting.popleft()
        yield item, replace(result, source=item.name)


def _copied(copies: Copies, item: Item, result: FrameResult) -> bool:
    """A copy that fails takes nothing with it: the reading has been shown, and the run goes on."""
    try:
        copies.write(item, result)
    except MienError as error:
        remark(complaint(Failure(item.name, error)))
        return False
    return True


def _sum_up(request: Request, engine: Reader, tally: Tally) -> None:
    """The last words, for a person at a terminal; a pipe has its results and needs no more."""
    if request.require_face and tally.faceless:
        remark(f"mien: {tally.faceless:,} of {tally.pictures:,} pictures without a face, and --require-face was given.")
    if request.as_json or not on_terminal(sys.stderr) or not on_terminal(sys.stdout):
        return
    if tally.pictures > 1:
        remark(str(tally))
    if request.annotate:
        remark(f"Painted: {printable(request.annotate)}")
    if request.csv:
        remark(f"Table: {printable(request.csv)}")
    if request.detector == "auto" and engine.detector == "haar":
        hint_at_yunet(tally.seconds)
