"""The run of ``mien video``, from the first frame to the exit status."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, closing
from math import inf
from pathlib import Path

from mien import media
from mien.apps.cli.bar import Bar
from mien.apps.cli.hint import hint_at_yunet
from mien.apps.cli.output import alone_on_stderr, on_terminal, printable, remark
from mien.apps.cli.paths import STDOUT
from mien.apps.cli.video import Request
from mien.apps.cli.video_outputs import Outputs
from mien.apps.cli.video_summary import summary
from mien.apps.film.going import Going
from mien.apps.film.wish import Watcher, Wish
from mien.errors import MienError
from mien.media import About
from mien.moments import Baseline, Record
from mien.moments.spans import spans
from mien.moments.words import clock
from mien.types import Moment

#: What the last lines call each file.
_WRITTEN = {
    "--csv": "Table",
    "--json": "JSON lines",
    "--annotate": "Painted",
    "--report": "Report",
    "--events": "Events",
    "--vtt": "Subtitles",
}


def run(request: Request, engine: Watcher) -> int:
    """Read the film, write what was asked for, show the summary, and return the exit status."""
    wish = Wish(request.source, request.every, request.fps, request.start, request.end, request.min_face)
    about = _about(request.source)
    with ExitStack() as stack:
        stack.enter_context(alone_on_stderr())
        going = Going(engine, wish, _journal(request, stack), resume=request.resume)
        _greet(request, going)
        _Film(request, engine, going, about).read()
    return 0


class _Film:
    """One run: learning what people look like at rest, where that was asked for, and then telling the film."""

    def __init__(self, request: Request, engine: Watcher, going: Going, about: About) -> None:
        self._request, self._engine, self._going, self._about = request, engine, going, about
        self._total = frames(about, request)

    def read(self) -> None:
        baseline, stopped = self._baseline()
        record = Record(self._going.judge, baseline)
        outputs = Outputs(self._request, self._engine, self._about, record)
        try:
            with closing(self._moments(outputs.pixels, bool(baseline))) as moments, Bar(self._total) as bar:
                for told in record.follow(moments):
                    outputs.add(told)
                    bar.update(record.frames)
            if stopped:
                raise stopped
        except BaseException as error:
            # Whatever ends it: what was read until then is in whole files, and where nothing was there are none.
            for told in record.rest():
                outputs.add(told)
            if record.frames:
                self._close(outputs, record, _unfinished(error, record))
            else:
                outputs.discard()
                self._going.through()
            raise
        self._close(outputs, record, self._going.complaint)
        self._going.through()
        self._say(record)

    def _baseline(self) -> tuple[Baseline | None, BaseException | None]:
        """What everybody looks like at rest, and what stopped the learning, if anything did."""
        if self._request.baseline is None:
            return None, None
        baseline, done = Baseline(self._engine.card.labels, self._request.baseline.seconds), 0
        try:
            with closing(self._going.moments(False)) as moments, Bar(self._total) as bar:
                for span in spans(moments):
                    baseline.learn(span.moment, span.until)
                    done += 1
                    bar.update(done)
        except BaseException as error:
            if not done:
                raise
            return baseline, error
        return baseline, None

    def _moments(self, pixels: bool, learned: bool) -> Generator[Moment]:
        return self._going.again(pixels) if learned else self._going.moments(pixels)

    def _close(self, outputs: Outputs, record: Record, unfinished: str | None) -> None:
        record.finish()
        outputs.finish(unfinished)
        if unfinished:
            remark(f"mien: {printable(unfinished)}")

    def _say(self, record: Record) -> None:
        request = self._request
        if STDOUT not in (request.csv, request.json):
            summary(record, request.source, self._engine.card.labels)
        if on_terminal(sys.stderr) and on_terminal(sys.stdout):
            for option, target in request.files().items():
                remark(f"{_WRITTEN[option]}: {printable(target)}")
            if request.detector == "auto" and self._engine.detector == "haar":
                hint_at_yunet(record.timeline.end - record.timeline.start)


def frames(about: About, request: Request) -> int | None:
    """About how many frames will be read; None where nobody knows."""
    seconds = about.seconds or (about.frames / about.rate if about.frames and about.rate else None)
    if not seconds or not about.rate:
        return about.frames
    first = request.start or 0.0
    wanted = max(min(seconds, inf if request.end is None else request.end) - first, 0.0)
    rate = about.rate / (request.every or 1)
    return round(wanted * min(rate, request.fps or inf)) or None


def _about(source: str) -> About:
    film = media.film(source)
    try:
        return film.about
    finally:
        film.close()


def _journal(request: Request, stack: ExitStack) -> Path:
    """Beside the first file that is written; a run without files has one that nobody will go on with."""
    if targets := request.files():
        first = Path(next(iter(targets.values())))
        return first.with_name(f"{first.name}.mien-journal")
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-"))) / "journal"


def _greet(request: Request, going: Going) -> None:
    if request.resume and not going.journal.exists():
        remark("There is no stopped run to go on with; it begins at the beginning.")
    elif not request.resume and going.journal.exists():
        remark("An earlier run was stopped here; --resume would have gone on with it. It begins anew.")


def _unfinished(error: BaseException, record: Record) -> str:
    at = clock(record.timeline.end)
    if isinstance(error, MienError):
        return f"The film was read up to {at}."
    return f"Stopped at {at}. What is written holds the film up to there; --resume goes on."
