"""Times on the command line, as people write them."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import click
from rich.console import Console
from rich.text import Text

from mien import video as video_io
from mien.apps.cli.console import ProgressBar, can_encode, escape_controls, is_terminal, print_line, print_note, silence_native_stderr
from mien.apps.cli.options import DETECTOR_OPTION, MODEL_OPTION, open_engine, suggest_yunet
from mien.apps.cli.results import convert_write_errors, describe_expression, open_table
from mien.apps.cli.sources import STDOUT, is_same_file, is_url
from mien.errors import MienError
from mien.files import write_atomically
from mien.labels import label_colour
from mien.results import AnalyzedFrame
from mien.text import format_duration, format_percent, format_time
from mien.video import VideoInfo, tables
from mien.video.annotate import AnnotatedVideo
from mien.video.baseline import Baseline
from mien.video.events import Event, time_frames
from mien.video.journal import AnalysisOptions, ResumableAnalysis, VideoAnalyzer
from mien.video.report import ReportOptions, render_report
from mien.video.results import PeakImages
from mien.video.timeline import SmoothedFrame, Timeline, TrackSummary, VideoSummary

if TYPE_CHECKING:
    from mien.video.journal import VideoAnalyzer


class TimeParameter(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """Seconds, or minutes and hours before colons: ``12.5``, ``1:02.5``, ``1:00:02``."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float | int):
            return float(value)
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", str(value).strip()):
            self.fail(f"'{value}' is no time. Seconds or 1:02.5 were expected.", param, ctx)
        seconds = 0.0
        for part in str(value).strip().split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


@dataclass(frozen=True)
class BaselineOption:
    """When people are at rest: in their first ``seconds``, or mostly (None)."""

    seconds: float | None


class BaselineParameter(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """``SECONDS|median``."""

    name = "SECONDS|median"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> BaselineOption:
        if isinstance(value, BaselineOption):
            return value
        if value == "median":
            return BaselineOption(None)
        seconds = TimeParameter().convert(value, param, ctx)
        if seconds <= 0:
            self.fail("A baseline needs some seconds, or 'median'.", param, ctx)
        return BaselineOption(seconds)


# ==== mien.apps.cli.video_summary
# The summary of a film: each person in a few lines, with a strip of colours on a terminal.

#: As many people and events are told on a terminal; files hold them all.
PEOPLE, EVENTS = 12, 5


def print_summary(record: VideoSummary, source: str, labels: Sequence[str]) -> None:
    """To stdout: for people on a terminal, line by line for pipes."""
    if not is_terminal(sys.stdout):
        for line in plain(record, source):
            print_line(line)
        return
    console = Console(highlight=False, emoji=False, markup=False)
    strip = _Strip(record.timeline, tuple(labels), console.width - 2, can_encode("█░·", console.encoding))
    for text in _drawn(record, source, strip):
        console.print(text, soft_wrap=True)


def plain(record: VideoSummary, source: str) -> Iterator[str]:
    yield _head(record, source)
    for person in _people(record):
        yield f"person {person.number}: {story(person)}"
    yield from map(str, record.events)
    for reason, seconds in record.timeline.unjudged.items():
        yield f"could not be judged: {reason}, {format_duration(seconds)}"


def story(person: TrackSummary) -> str:
    """``seen 12 s, judged 96 %, looks happy 61 %, looks neutral 30 %``."""
    judged = f"judged {format_percent(person.judged / person.seen)}" if person.seen else "judged 0 %"
    shown = [f"{describe_expression(label)} {format_percent(part)}" for label, part in person.leading()[:3] if part >= 0.01]
    unsure = [f"unsure {format_percent(person.doubted / person.judged)}"] if person.doubted > 0.01 * person.judged else []
    return ", ".join([f"seen {format_duration(person.seen)} from {format_time(person.first)}", judged, *shown, *unsure])


def _head(record: VideoSummary, source: str) -> str:
    timeline = record.timeline
    people = len(timeline.people)
    found = "no face found" if not people else f"{people:,} {'person' if people == 1 else 'people'}"
    return f"{escape_controls(source)}: {format_duration(timeline.end - timeline.start)}, {record.frames:,} frames, {found}"


def _drawn(record: VideoSummary, source: str, strip: _Strip) -> Iterator[Text]:
    yield Text(_head(record, source), "bold")
    for person in sorted(_people(record)[:PEOPLE], key=lambda one: one.number):
        yield Text.assemble("\n", (f"Person {person.number}", "bold"), f"  {story(person)}")
        yield strip.of(person)
        yield from _events([event for event in record.events if event.person == person.number], strip.labels)
    if (more := len(record.timeline.people) - PEOPLE) > 0:
        yield Text(f"\n{more:,} more people, seen for a shorter time", "dim")
    if reasons := [f"{reason} {format_duration(seconds)}" for reason, seconds in record.timeline.unjudged.items()]:
        told = ", ".join(reasons)
        yield Text(f"\nCould not be judged: {told}", "dim")


def _people(record: VideoSummary) -> list[TrackSummary]:
    return record.timeline.by_presence()


def _events(events: list[Event], labels: tuple[str, ...]) -> Iterator[Text]:
    telling = sorted((event for event in events if event.label != "neutral"), key=lambda event: -event.peak)[:EVENTS]
    for event in sorted(telling, key=lambda event: event.start):
        word = (f"{escape_controls(event.label):<10}", label_colour(event.label, labels))
        yield Text.assemble("  ", word, f"{format_time(event.start):>8} to {format_time(event.end):<8} peak {format_percent(event.peak)}")
    if len(events) > len(telling):
        number = "1 event" if len(events) == 1 else f"{len(events):,} events"
        yield Text(f"  {number} in all (--events writes them)", "dim")


class _Strip:
    """A person's film as one line: each cell has the colour of what led in its time."""

    def __init__(self, timeline: Timeline, labels: tuple[str, ...], width: int, blocks: bool) -> None:
        self.labels = labels
        self._timeline, self._width = timeline, max(min(width, 100), 10)
        self._full, self._poor, self._none = ("█", "░", "·") if blocks else ("#", "?", ".")

    def of(self, person: TrackSummary) -> Text:
        cells: list[dict[str, float]] = [{} for _ in range(self._width)]
        length = max(self._timeline.end - self._timeline.start, 1e-6)
        for step in self._timeline.steps(person.number):
            middle = (step.start + step.end) / 2 - self._timeline.start
            cell = cells[min(int(middle / length * self._width), self._width - 1)]
            first = self.labels[max(range(len(step.shares)), key=step.shares.__getitem__)] if step.shares else ""
            cell[first] = cell.get(first, 0.0) + step.seen
        # Steps may be wider than cells: what lies between two of one person's belongs to the step before.
        drawn, last = Text("  "), 0
        width = next((step.end - step.start for step in self._timeline.steps(person.number)), 0.0)
        before: dict[str, float] = {}
        for place, cell in enumerate(cells):
            if cell:
                before, last = cell, place
            reach = (place - last) * length / self._width < width
            drawn.append(*self._cell(cell or (before if reach else {})))
        return drawn

    def _cell(self, counts: dict[str, float]) -> tuple[str, str]:
        if not counts:
            return self._none, "dim"
        first = max(counts, key=lambda label: counts[label])
        return (self._full, label_colour(first, self.labels)) if first else (self._poor, "dim")


# ==== mien.apps.cli.video_outputs
# What ``mien video`` writes: tables as it goes, and the rest when it ends, however it ends.

Write: TypeAlias = Callable[[str], None]


class VideoOutputs:
    """Everything that was asked for. ``add`` each moment, then ``finish``; both may raise an OutputError."""

    def __init__(self, request: VideoCommand, engine: VideoAnalyzer, about: VideoInfo, record: VideoSummary) -> None:
        self._request, self._engine, self._record = request, engine, record
        self._about = about
        self._stack = ExitStack()
        with ExitStack() as if_refused:
            if_refused.callback(self._stack.close)
            self._csv = self._stream(request.csv, "--csv")
            self._json = self._stream(request.json, "--json")
            self._film = self._painted()
            self._peaks = PeakImages(hidden=request.blur_faces) if request.report else None
            self._begin()
            if_refused.pop_all()

    @property
    def pixels(self) -> bool:
        """Does anybody here need to see the frames?"""
        return self._film is not None or self._peaks is not None

    def add(self, told: SmoothedFrame) -> None:
        raw = told.read if self._request.raw else None
        if self._csv:
            self._csv(tables.format_csv(tables.face_rows(told.moment, raw)))
        if self._json:
            self._json("".join(_json(line) for line in _told_lines(told, self._request.raw)))
        if self._film:
            self._film.add(told.moment)
        if self._peaks:
            self._peaks.add(told.moment, self._record)

    def finish(self, unfinished: str | None) -> None:
        """Close what is open and write what is written at the end."""
        record, request = self._record, self._request
        if self._json:
            self._json("".join(_json(line) for line in _last_lines(record)))
        self._stack.close()
        if request.events:
            rows = (tables.event_row(event) for event in record.events)
            _whole(request.events, "--events", tables.format_csv([tables.event_columns(), *rows]))
        if request.vtt:
            _whole(request.vtt, "--vtt", "\n".join(tables.webvtt_lines(record.events)))
        if request.report and self._peaks:
            _whole(request.report, "--report", render_report(record, self._making(unfinished), self._peaks.of(record.events)))

    def discard(self) -> None:
        """Nothing was read: leave no file behind that says nothing."""
        self._stack.close()
        for target in (self._request.csv, self._request.json):
            if target and target != STDOUT:
                Path(target).unlink(missing_ok=True)

    def _begin(self) -> None:
        if self._csv:
            self._csv(tables.format_csv([tables.face_columns(self._engine.card.labels, self._request.raw)]))
        if self._json:
            about = self._about
            facts = {"film": self._request.source, "size": about.size, "seconds": about.seconds, "rate": about.rate}
            reader = {"detector": self._engine.detector, "model": self._engine.card.name}
            self._json(_json({"kind": "film", **facts, **reader}))

    def _stream(self, target: str | None, option: str) -> Write | None:
        if target is None:
            return None
        with convert_write_errors(target, option):
            stream = self._stack.enter_context(open_table(target))

        def write(text: str) -> None:
            # In one piece: a run that is stopped leaves whole moments behind.
            with convert_write_errors(target, option):
                stream.write(text)
                stream.flush()

        return write

    def _painted(self) -> AnnotatedVideo | None:
        request = self._request
        if request.annotate is None:
            return None
        wish = AnalysisOptions(request.source, request.every, request.fps, request.start, request.end, request.min_face)
        painted = AnnotatedVideo(Path(request.annotate), wish, self._about, hide=request.blur_faces)
        return self._stack.enter_context(painted)

    def _making(self, unfinished: str | None) -> ReportOptions:
        request, engine = self._request, self._engine
        return ReportOptions(
            Path(request.source).name,
            engine.card.labels,
            engine.detector,
            engine.card.name,
            _chosen(request),
            _baseline(request),
            request.blur_faces,
            _beside(request),
            unfinished,
        )


def _told_lines(told: SmoothedFrame, raw: bool) -> Iterator[dict[str, Any]]:
    line = {"kind": "frame", **told.moment.to_dict()}
    if raw:
        for face, read in zip(line["faces"], told.read, strict=True):
            face["raw"] = dict(read.emotions.scores)
    yield line
    yield from map(tables.event_record, told.events)


def _last_lines(record: VideoSummary) -> Iterator[dict[str, Any]]:
    """Each event that the end of the film ended, and each person."""
    yield from map(tables.event_record, record.last)
    yield from tables.track_records(record)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _whole(target: str, option: str, text: str) -> None:
    """A file whole or not at all: one that was there stays until the new one is complete."""
    with convert_write_errors(target, option):
        write_atomically(target, text)


def _chosen(request: VideoCommand) -> str:
    frames = f"every {request.every}th frame" if request.every and request.every > 1 else "every frame"
    frames = f"{request.fps:g} frames a second at most" if request.fps else frames
    start = f" from {request.start:g} s" if request.start else ""
    end = f" until {request.end:g} s" if request.end is not None else ""
    return frames + start + end


def _baseline(request: VideoCommand) -> str | None:
    if request.baseline is None:
        return None
    seconds = request.baseline.seconds
    rest = "the median of the film" if seconds is None else f"the first {seconds:g} s in which they can be judged"
    return (
        f"Shares are relative to each person's own face at rest, which is {rest}: "
        "an expression counts by how far it goes beyond theirs."
    )


def _beside(request: VideoCommand) -> str | None:
    """The film that the page plays when it lies beside it: the painted one, or the original where faces may show."""
    if request.annotate:
        return Path(request.annotate).name
    plays = Path(request.source).suffix.lower() in (".mp4", ".webm", ".mov", ".m4v", ".ogv")
    return Path(request.source).name if plays and not request.blur_faces else None


# ==== mien.apps.cli.video_run
# The run of ``mien video``, from the first frame to the exit status.

#: What the last lines call each file.
_WRITTEN = {
    "--csv": "Table",
    "--json": "JSON lines",
    "--annotate": "Painted",
    "--report": "Report",
    "--events": "Events",
    "--vtt": "Subtitles",
}


def run(request: VideoCommand, engine: VideoAnalyzer) -> int:
    """Read the film, write what was asked for, show the summary, and return the exit status."""
    wish = AnalysisOptions(request.source, request.every, request.fps, request.start, request.end, request.min_face)
    about = _about(request.source)
    with ExitStack() as stack:
        stack.enter_context(silence_native_stderr())
        going = ResumableAnalysis(engine, wish, _journal(request, stack), resume=request.resume)
        _greet(request, going)
        _Film(request, engine, going, about).read()
    return 0


class _Film:
    """One run: learning what people look like at rest, where that was asked for, and then telling the film."""

    def __init__(self, request: VideoCommand, engine: VideoAnalyzer, going: ResumableAnalysis, about: VideoInfo) -> None:
        self._request, self._engine, self._going, self._about = request, engine, going, about
        self._total = frames(about, request)

    def read(self) -> None:
        baseline, stopped = self._baseline()
        record = VideoSummary(self._going.judge, baseline)
        outputs = VideoOutputs(self._request, self._engine, self._about, record)
        try:
            with closing(self._moments(outputs.pixels, bool(baseline))) as moments, ProgressBar(self._total) as bar:
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
        self._close(outputs, record, self._going.damage)
        self._going.through()
        self._say(record)

    def _baseline(self) -> tuple[Baseline | None, BaseException | None]:
        """What everybody looks like at rest, and what stopped the learning, if anything did."""
        if self._request.baseline is None:
            return None, None
        baseline, done = Baseline(self._engine.card.labels, self._request.baseline.seconds), 0
        try:
            with closing(self._going.moments(False)) as moments, ProgressBar(self._total) as bar:
                for span in time_frames(moments):
                    baseline.learn(span.moment, span.until)
                    done += 1
                    bar.update(done)
        except BaseException as error:
            if not done:
                raise
            return baseline, error
        return baseline, None

    def _moments(self, pixels: bool, learned: bool) -> Generator[AnalyzedFrame]:
        return self._going.again(pixels) if learned else self._going.moments(pixels)

    def _close(self, outputs: VideoOutputs, record: VideoSummary, unfinished: str | None) -> None:
        record.finish()
        outputs.finish(unfinished)
        if unfinished:
            print_note(f"mien: {escape_controls(unfinished)}")

    def _say(self, record: VideoSummary) -> None:
        request = self._request
        if STDOUT not in (request.csv, request.json):
            print_summary(record, request.source, self._engine.card.labels)
        if is_terminal(sys.stderr) and is_terminal(sys.stdout):
            for option, target in request.files().items():
                print_note(f"{_WRITTEN[option]}: {escape_controls(target)}")
            if request.detector == "auto" and self._engine.detector == "haar":
                suggest_yunet(record.timeline.end - record.timeline.start)


def frames(about: VideoInfo, request: VideoCommand) -> int | None:
    """About how many frames will be read; None where nobody knows."""
    seconds = about.seconds or (about.frames / about.rate if about.frames and about.rate else None)
    if not seconds or not about.rate:
        return about.frames
    first = request.start or 0.0
    wanted = max(min(seconds, inf if request.end is None else request.end) - first, 0.0)
    rate = about.rate / (request.every or 1)
    return round(wanted * min(rate, request.fps or inf)) or None


def _about(source: str) -> VideoInfo:
    film = video_io.open_video(source)
    try:
        return film.info
    finally:
        film.close()


def _journal(request: VideoCommand, stack: ExitStack) -> Path:
    """Beside the first file that is written; a run without files has one that nobody will go on with."""
    if targets := request.files():
        first = Path(next(iter(targets.values())))
        return first.with_name(f"{first.name}.mien-journal")
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-"))) / "journal"


def _greet(request: VideoCommand, going: ResumableAnalysis) -> None:
    if request.resume and not going.journal.exists():
        print_note("There is no stopped run to go on with; it begins at the beginning.")
    elif not request.resume and going.journal.exists():
        print_note("An earlier run was stopped here; --resume would have gone on with it. It begins anew.")


def _unfinished(error: BaseException, record: VideoSummary) -> str:
    at = format_time(record.timeline.end)
    if isinstance(error, MienError):
        return f"The film was read up to {at}."
    return f"Stopped at {at}. What is written holds the film up to there; --resume goes on."


# ==== mien.apps.cli.video
# ``mien video``: read the expressions in a film, and say whose they are and when.

EPILOG = """\b
Examples:
  mien video clip.webm
  mien video clip.webm --csv faces.csv --events events.csv
  mien video clip.webm --report report.html --annotate painted.webm
  mien video clip.webm --report report.html --blur-faces
  mien video clip.webm --vtt clip.vtt --fps 10 --start 0:00.5
  mien video clip.webm --csv faces.csv --baseline median --raw
  mien video clip.webm --csv faces.csv --resume

\b
Ctrl-C leaves valid files up to that frame. A run that was stopped, or killed, goes on with
--resume and the same options. Exit status: 0, also when no face was found; 1 if the film could
not be read; 2 for wrong usage; 130 when stopped.
"""


@dataclass(frozen=True)
class VideoCommand:
    """The command line of ``mien video``, as it was given."""

    source: str
    csv: str | None
    json: str | None
    annotate: str | None
    report: str | None
    events: str | None
    vtt: str | None
    every: int | None
    fps: float | None
    start: float | None
    end: float | None
    min_face: int | None
    blur_faces: bool
    baseline: BaselineOption | None
    raw: bool
    resume: bool
    detector: str
    model: str

    def files(self) -> dict[str, str]:
        """The files to be written, by option, in a steady order."""
        names = ("csv", "json", "annotate", "report", "events", "vtt")
        targets = {f"--{name}": getattr(self, name) for name in names}
        return {option: target for option, target in targets.items() if target and target != STDOUT}


@click.command(epilog=EPILOG)
@click.argument("source", metavar="SRC")
@click.option("--csv", metavar="FILE", help="Write a table with one row for each face in each frame; - is stdout.")
@click.option("--json", metavar="FILE", help="Write a line of JSON for each frame and each event; - is stdout.")
@click.option("--annotate", metavar="FILE", help="Write the film with boxes and labels: .webm, or .mp4 with PyAV.")
@click.option("--report", metavar="FILE", help="Write a page with everybody's timeline: .html.")
@click.option("--events", metavar="FILE", help="Write a table with one row for each expression that lasted.")
@click.option("--vtt", metavar="FILE", help="Write the events as subtitles, which any player shows.")
@click.option("--every", type=click.IntRange(min=1), metavar="N", help="Read every Nth frame.")
@click.option("--fps", type=click.FloatRange(min=0, min_open=True), metavar="F", help="Read F frames a second at most.")
@click.option("--start", type=TimeParameter(), help="Begin here: seconds, or 1:02.5.")
@click.option("--end", type=TimeParameter(), help="End before this.")
@click.option("--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to look for, in pixels.")
@click.option("--blur-faces", is_flag=True, help="Hide faces in the annotated film and in the report.")
@click.option(
    "--baseline",
    type=BaselineParameter(),
    help="Tell expressions relative to each person's own face at rest: their first SECONDS, or their median.",
)
@click.option("--raw", is_flag=True, help="Add the shares as they were read, before steadying, to --csv and --json.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped; give it the same options.")
@DETECTOR_OPTION
@MODEL_OPTION
@click.pass_context
def video(context: click.Context, /, **options: Any) -> None:
    """Read the expressions in a film: whose, and when.

    SRC is a film (mp4, webm, avi, mov, ...), an animated GIF, or a folder of frames. People keep
    their number while a shot lasts, shares are steadied over time, and an expression that lasts
    is an event. Without any file to write, a summary of each person is shown.
    """
    request = VideoCommand(**options)
    _check(request)
    # Imported here: reading needs NumPy, OpenCV and ONNX Runtime, and --help does not.
    pass

    engine = open_engine(context, request.model, request.detector)
    # What reads pictures reads films too.
    context.exit(run(request, cast("VideoAnalyzer", engine)))


def _check(request: VideoCommand) -> None:
    """Refuse what cannot be meant, before anything is loaded or written."""
    if is_url(request.source):
        raise click.UsageError(f"'{request.source}' is an address. Download it, or watch it live: mien live.")
    if request.every and request.fps:
        raise click.UsageError("--every and --fps both say which frames are read. Give one of them.")
    if request.start is not None and request.end is not None and request.end <= request.start:
        raise click.UsageError(f"--end {request.end:g} is not after --start {request.start:g}.")
    if STDOUT in (request.annotate, request.report, request.events, request.vtt):
        raise click.UsageError("only --csv and --json write to stdout. Give the others a file.")
    if request.csv == STDOUT and request.json == STDOUT:
        raise click.UsageError("--csv - and --json - both want stdout. Give one of them a file.")
    _check_files(request)
    if request.blur_faces and not (request.annotate or request.report):
        raise click.UsageError("--blur-faces hides faces in --annotate and --report. Give one of them.")
    if request.raw and not (request.csv or request.json):
        raise click.UsageError("--raw adds to --csv and --json. Give one of them.")
    if request.resume and not request.files():
        raise click.UsageError("--resume goes on with the files of an earlier run. Name them as before.")


def _check_files(request: VideoCommand) -> None:
    taken: dict[Path, str] = {}
    for option, target in request.files().items():
        path = Path(target).absolute()
        if path in taken:
            raise click.UsageError(f"{taken[path]} and {option} both write to '{escape_controls(target)}'.")
        taken[path] = option
        if is_same_file(target, request.source):
            raise click.UsageError(f"{option} would write over the film '{escape_controls(target)}' itself.")
        if path.is_dir():
            raise click.UsageError(f"{option} '{escape_controls(target)}' is a folder. Name a file.")
        if not path.parent.is_dir():
            raise click.UsageError(f"{option}: there is no folder '{escape_controls(str(Path(target).parent))}'.")
