"""``mien video``: analyse the expressions in a video: which face showed which expression, and when."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import click

from mien.apps.cli.console import (
    STDOUT,
    ProgressBar,
    can_encode,
    convert_output_errors,
    escape_controls,
    is_terminal,
    open_table,
    print_line,
    print_note,
    silence_native_stderr,
)
from mien.apps.cli.options import ENGINE_OPTIONS, MIN_FACE_OPTION, open_engine, suggest_yunet
from mien.apps.cli.sources import is_same_file, is_url
from mien.errors import MienError
from mien.files import write_atomically
from mien.labels import label_colour
from mien.text import format_duration, format_percent, format_time

if TYPE_CHECKING:  # what analyses videos imports NumPy, OpenCV and ONNX Runtime, which `--help` does without
    from rich.text import Text

    from mien.video import VideoInfo
    from mien.video.annotate import AnnotatedVideo
    from mien.video.baseline import Baseline
    from mien.video.events import Event
    from mien.video.journal import AnalysisOptions, ResumableAnalysis, VideoAnalyzer
    from mien.video.report import ReportOptions
    from mien.video.timeline import SmoothedFrame, TrackSummary, VideoSummary, VideoTimeline

EPILOG = """\b
Examples:
  mien video clip.webm
  mien video clip.webm --csv faces.csv --events events.csv
  mien video clip.webm --report report.html --annotate annotated.webm
  mien video clip.webm --report report.html --blur-faces
  mien video clip.webm --vtt clip.vtt --fps 10 --start 0:00.5
  mien video clip.webm --csv faces.csv --baseline median --raw
  mien video clip.webm --csv faces.csv --resume

\b
Ctrl-C leaves valid files with the frames until then. An interrupted run, also a killed one,
continues with --resume and the same options. Exit status: 0, also when no face was found; 1 if
the video could not be read; 2 for wrong usage; 130 after Ctrl-C.
"""


@dataclass(frozen=True)
class VideoCommand:
    """The arguments and options of ``mien video``."""

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
    prior: str

    def files(self) -> dict[str, str]:
        """The output files by option, in a fixed order; without stdout."""
        names = ("csv", "json", "annotate", "report", "events", "vtt")
        targets = {f"--{name}": getattr(self, name) for name in names}
        return {option: target for option, target in targets.items() if target and target != STDOUT}

    def analysis_options(self) -> AnalysisOptions:
        from mien.video.journal import AnalysisOptions

        return AnalysisOptions(self.source, self.every, self.fps, self.start, self.end, self.min_face)


class TimeParameter(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """Seconds, or minutes and hours before colons: ``12.5``, ``1:02.5``, ``1:00:02``."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float | int):
            return float(value)
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", str(value).strip()):
            self.fail(f"'{value}' is not a time. Seconds, or a time such as 1:02.5, were expected.", param, ctx)
        seconds = 0.0
        for part in str(value).strip().split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


@dataclass(frozen=True)
class BaselineOption:
    """The face at rest is the mean of the first ``seconds``, or the median of the video (None)."""

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
            self.fail("A baseline needs more than 0 seconds, or 'median'.", param, ctx)
        return BaselineOption(seconds)


_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(epilog=EPILOG)
@click.argument("source", metavar="SRC")
@click.option("--csv", metavar="FILE", help="Write a table with one row for each face in each frame; - is stdout.")
@click.option("--json", metavar="FILE", help="Write a line of JSON for each frame and each event; - is stdout.")
@click.option("--annotate", metavar="FILE", help="Write the video with boxes and labels: .webm, or .mp4 with PyAV.")
@click.option("--report", metavar="FILE", help="Write a page with a timeline of each track: .html.")
@click.option("--events", metavar="FILE", help="Write a table with one row for each expression that lasted.")
@click.option("--vtt", metavar="FILE", help="Write the events as WebVTT subtitles.")
@click.option("--every", type=click.IntRange(min=1), metavar="N", help="Analyse every Nth frame.")
@click.option("--fps", type=_POSITIVE, metavar="F", help="Analyse F frames a second at most.")
@click.option("--start", type=TimeParameter(), help="Start here: seconds, or 1:02.5.")
@click.option("--end", type=TimeParameter(), help="End before this.")
@MIN_FACE_OPTION
@click.option("--blur-faces", is_flag=True, help="Blur faces in the annotated video and in the report.")
@click.option(
    "--baseline",
    type=BaselineParameter(),
    help="Make scores relative to the face at rest: the first SECONDS of a track, or its median.",
)
@click.option("--raw", is_flag=True, help="Add the scores before smoothing to --csv and --json.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run; give the same options.")
@ENGINE_OPTIONS
@click.pass_context
def video(context: click.Context, /, **options: Any) -> None:
    """Analyse the expressions in a video over time.

    SRC is a video (mp4, webm, avi, mov, ...), an animated GIF, or a folder of frames. A face that
    is followed through a shot is a track with a number; its scores are smoothed over time, and an
    expression that lasts is an event. Without an output file, a summary of each track is printed.
    """
    command = VideoCommand(**options)
    _check_options(command)
    engine = open_engine(context, command.model, command.detector, command.prior)
    # What reads images analyses videos too.
    context.exit(run(command, cast("VideoAnalyzer", engine)))


def _check_options(command: VideoCommand) -> None:
    """Refuse options that contradict each other, before anything is loaded or written."""
    if is_url(command.source):
        raise click.UsageError(f"'{command.source}' is a URL. Download it, or analyse it live: mien live --camera URL.")
    if command.every and command.fps:
        raise click.UsageError("--every and --fps both select frames. Give one of them.")
    if command.start is not None and command.end is not None and command.end <= command.start:
        raise click.UsageError(f"--end {command.end:g} is not after --start {command.start:g}.")
    if STDOUT in (command.annotate, command.report, command.events, command.vtt):
        raise click.UsageError("Only --csv and --json can write to stdout. Give the others a file.")
    if command.csv == STDOUT and command.json == STDOUT:
        raise click.UsageError("--csv - and --json - both write to stdout. Give one of them a file.")
    _check_files(command)
    if command.blur_faces and not (command.annotate or command.report):
        raise click.UsageError("--blur-faces blurs faces in --annotate and --report. Give one of them.")
    if command.raw and not (command.csv or command.json):
        raise click.UsageError("--raw adds to --csv and --json. Give one of them.")
    if command.resume and not command.files():
        raise click.UsageError("--resume continues the files of an earlier run. Name them as before.")


def _check_files(command: VideoCommand) -> None:
    options: dict[Path, str] = {}
    for option, target in command.files().items():
        path = Path(target).absolute()
        if path in options:
            raise click.UsageError(f"{options[path]} and {option} both write to '{escape_controls(target)}'.")
        options[path] = option
        if is_same_file(target, command.source):
            raise click.UsageError(f"{option} would overwrite the video '{escape_controls(target)}' itself.")
        if path.is_dir():
            raise click.UsageError(f"{option} '{escape_controls(target)}' is a folder. Name a file.")
        if not path.parent.is_dir():
            raise click.UsageError(f"{option}: there is no folder '{escape_controls(str(Path(target).parent))}'.")


# The run


def run(command: VideoCommand, engine: VideoAnalyzer) -> int:
    """Analyse the video, write the outputs, print the summary, and return the exit status."""
    from mien.video import open_video
    from mien.video.journal import ResumableAnalysis

    with closing(open_video(command.source)) as reader:
        info = reader.info
    with ExitStack() as stack:
        stack.enter_context(silence_native_stderr())
        journal = _journal_path(command, stack)
        analysis = ResumableAnalysis(engine, command.analysis_options(), journal, resume=command.resume)
        if command.resume and not journal.exists():
            print_note("There is no interrupted run to continue; this run starts at the beginning.")
        elif not command.resume and journal.exists():
            print_note("An earlier run was interrupted here; --resume would have continued it. This run starts again.")
        _VideoRun(command, engine, analysis, info).run()
    return 0


def _journal_path(command: VideoCommand, stack: ExitStack) -> Path:
    """Beside the first output file; a run without files has a temporary one."""
    if targets := command.files():
        first = Path(next(iter(targets.values())))
        return first.with_name(f"{first.name}.mien-journal")
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-"))) / "journal"


class _VideoRun:
    """One run: with a baseline the video is analysed first, and the outputs are written from the journal."""

    def __init__(
        self, command: VideoCommand, engine: VideoAnalyzer, analysis: ResumableAnalysis, info: VideoInfo
    ) -> None:
        self._command, self._engine, self._analysis, self._info = command, engine, analysis, info
        self._total = info.estimate_frames(command.analysis_options().frame_selection())

    def run(self) -> None:
        from mien.video.timeline import VideoSummary

        baseline, interruption = self._measure_baseline()
        summary = VideoSummary(self._analysis.decide, baseline)
        with closing(VideoOutputs(self._command, self._engine, self._info, summary)) as outputs:
            self._write(outputs, summary, baseline, interruption)
        self._analysis.delete_journal()
        self._print(summary)

    def _write(
        self,
        outputs: VideoOutputs,
        summary: VideoSummary,
        baseline: Baseline | None,
        interruption: BaseException | None,
    ) -> None:
        """Analyse the video, or what the journal has of it, into the outputs."""
        try:
            analyze = self._analysis.replay if baseline else self._analysis.frames
            with closing(analyze(outputs.needs_pixels)) as frames, ProgressBar(self._total) as bar:
                for smoothed in summary.process(frames):
                    outputs.add(smoothed)
                    bar.update(summary.frames)
            if interruption:
                raise interruption
        except BaseException as error:
            # Whatever ended the run: the frames until then are in complete files; without any there are no files.
            for smoothed in summary.flush():
                outputs.add(smoothed)
            if summary.frames:
                self._finish(outputs, summary, _describe_interruption(error, summary))
            else:
                outputs.discard()
                self._analysis.delete_journal()
            raise
        self._finish(outputs, summary, self._analysis.damage)

    def _measure_baseline(self) -> tuple[Baseline | None, BaseException | None]:
        """The faces at rest, and what interrupted the analysis."""
        from mien.video.baseline import Baseline
        from mien.video.events import time_frames

        if self._command.baseline is None:
            return None, None
        baseline, count = Baseline(self._engine.card.labels, self._command.baseline.seconds), 0
        try:
            with closing(self._analysis.frames(pixels=False)) as frames, ProgressBar(self._total) as bar:
                for timed in time_frames(frames):
                    baseline.add(timed.frame, timed.until)
                    count += 1
                    bar.update(count)
        except BaseException as error:
            if not count:
                raise
            return baseline, error
        return baseline, None

    def _finish(self, outputs: VideoOutputs, summary: VideoSummary, incomplete: str | None) -> None:
        summary.finish()
        outputs.finish(incomplete)
        if incomplete:
            print_note(f"mien: {escape_controls(incomplete)}")

    def _print(self, summary: VideoSummary) -> None:
        command = self._command
        if STDOUT not in (command.csv, command.json):
            print_summary(summary, command.source, self._engine.card.labels)
        if is_terminal(sys.stderr) and is_terminal(sys.stdout):
            for option, target in command.files().items():
                print_note(f"{_FILE_NAMES[option]}: {escape_controls(target)}")
            if command.detector == "auto" and self._engine.detector == "haar":
                suggest_yunet(summary.timeline.end - summary.timeline.start)


def _describe_interruption(error: BaseException, summary: VideoSummary) -> str:
    end = format_time(summary.timeline.end)
    if isinstance(error, MienError):
        return f"The video was analysed up to {end}."
    return f"Stopped at {end}. The files hold the video up to there; --resume continues."


# The outputs

_Write: TypeAlias = Callable[[str], None]

#: What the output files are called in the last lines on a terminal.
_FILE_NAMES = {
    "--csv": "Table",
    "--json": "JSON lines",
    "--annotate": "Annotated video",
    "--report": "Report",
    "--events": "Events",
    "--vtt": "Subtitles",
}


class VideoOutputs:
    """The output files of a command. ``add`` each frame, then ``finish``; both may raise an OutputError."""

    def __init__(self, command: VideoCommand, engine: VideoAnalyzer, info: VideoInfo, summary: VideoSummary) -> None:
        from mien.video.results import PeakImages

        self._command, self._engine, self._info, self._summary = command, engine, info, summary
        self._stack = ExitStack()
        with ExitStack() as on_error:
            on_error.callback(self._stack.close)
            self._write_csv = self._open_stream(command.csv)
            self._write_json = self._open_stream(command.json)
            self._annotated = self._open_annotated()
            self._peaks = PeakImages(blur=command.blur_faces) if command.report else None
            self._write_headers()
            on_error.pop_all()

    @property
    def needs_pixels(self) -> bool:
        return self._annotated is not None or self._peaks is not None

    def add(self, smoothed: SmoothedFrame) -> None:
        from mien.video import tables

        if self._write_csv:
            rows = tables.face_rows(smoothed.frame, smoothed.raw if self._command.raw else None)
            self._write_csv(tables.format_csv(rows))
        if self._write_json:
            record = {"kind": "frame", **smoothed.frame.to_dict()}
            if self._command.raw:
                for face, raw in zip(record["faces"], smoothed.raw, strict=True):
                    face["raw"] = dict(raw.emotions.scores)
            self._write_json(tables.format_json_lines([record, *map(tables.event_record, smoothed.events)]))
        if self._annotated:
            self._annotated.add(smoothed.frame)
        if self._peaks:
            self._peaks.add(smoothed.frame, self._summary)

    def finish(self, incomplete: str | None) -> None:
        """Close the files, and write those that are written at the end."""
        from mien.video import tables
        from mien.video.report import render_report

        summary, command = self._summary, self._command
        if self._write_json:
            records = [*map(tables.event_record, summary.final_events), *tables.track_records(summary)]
            self._write_json(tables.format_json_lines(records))
        self._stack.close()
        if command.events:
            _write_file(command.events, tables.format_events(summary.events))
        if command.vtt:
            _write_file(command.vtt, tables.format_webvtt(summary.events))
        if command.report and self._peaks:
            images = self._peaks.images(summary.events)
            _write_file(command.report, render_report(summary, self._report_options(incomplete), images))

    def close(self) -> None:
        """Leave no open or temporary file behind, also where finishing them failed."""
        with suppress(MienError, OSError):
            self._stack.close()

    def discard(self) -> None:
        """Without any frame, no file is left behind."""
        self._stack.close()
        for target in (self._command.csv, self._command.json):
            if target and target != STDOUT:
                Path(target).unlink(missing_ok=True)

    def _write_headers(self) -> None:
        from mien.video import tables

        if self._write_csv:
            self._write_csv(tables.format_csv([tables.face_columns(self._engine.card.labels, self._command.raw)]))
        if self._write_json:
            detector, model = self._engine.detector, self._engine.card.name
            record = tables.video_record(self._command.source, self._info, detector, model)
            self._write_json(tables.format_json_lines([record]))

    def _open_stream(self, target: str | None) -> _Write | None:
        if target is None:
            return None
        with convert_output_errors(target):
            stream = self._stack.enter_context(open_table(target))

        def write(text: str) -> None:
            # Flushed: an interrupted run leaves complete frames.
            with convert_output_errors(target):
                stream.write(text)
                stream.flush()

        return write

    def _open_annotated(self) -> AnnotatedVideo | None:
        from mien.video.annotate import AnnotatedVideo

        command = self._command
        if command.annotate is None:
            return None
        annotated = AnnotatedVideo(
            Path(command.annotate), command.analysis_options(), self._info, blur_faces=command.blur_faces
        )
        return self._stack.enter_context(annotated)

    def _report_options(self, incomplete: str | None) -> ReportOptions:
        from mien.video.report import ReportOptions

        command, card = self._command, self._engine.card
        return ReportOptions(
            Path(command.source).name,
            card.labels,
            self._engine.detector,
            card.name,
            command.analysis_options().describe_selection(),
            _describe_baseline(command.baseline),
            command.blur_faces,
            _player_source(command),
            incomplete,
        )


def _write_file(target: str, text: str) -> None:
    with convert_output_errors(target):
        write_atomically(target, text)


def _describe_baseline(baseline: BaselineOption | None) -> str | None:
    if baseline is None:
        return None
    seconds = baseline.seconds
    rest = "the median of the video" if seconds is None else f"the first {seconds:g} s in which it can be judged"
    return f"Scores are relative to each face at rest, which is {rest}: an expression counts by what exceeds it."


def _player_source(command: VideoCommand) -> str | None:
    """The video beside the report that its page plays: the annotated one, or the original unless faces are blurred."""
    if command.annotate:
        return Path(command.annotate).name
    plays = Path(command.source).suffix.lower() in (".mp4", ".webm", ".mov", ".m4v", ".ogv")
    return Path(command.source).name if plays and not command.blur_faces else None


# The summary

#: The most tracks, and events of a track, that are printed on a terminal; files have all.
MAX_TRACKS, MAX_EVENTS = 12, 5


def print_summary(summary: VideoSummary, source: str, labels: Sequence[str]) -> None:
    """To stdout: coloured on a terminal, plain lines for pipes."""
    if not is_terminal(sys.stdout):
        for line in plain_summary(summary, source):
            print_line(line)
        return
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False)
    blocks = can_encode("█░·", console.encoding)
    strip = _ColourStrip(summary.timeline, tuple(labels), console.width - 2, blocks)
    for text in _coloured_summary(summary, source, strip):
        console.print(text, soft_wrap=True)


def plain_summary(summary: VideoSummary, source: str) -> Iterator[str]:
    yield _headline(summary, source)
    for track in summary.timeline.tracks_by_duration():
        yield f"track {track.number}: {track.describe()}"
    yield from map(str, summary.events)
    for reason, seconds in summary.timeline.unjudged_seconds().items():
        yield f"could not be judged: {reason}, {format_duration(seconds)}"


def _headline(summary: VideoSummary, source: str) -> str:
    return f"{escape_controls(source)}: {summary.describe()}"


def _coloured_summary(summary: VideoSummary, source: str, strip: _ColourStrip) -> Iterator[Text]:
    from rich.text import Text

    tracks = summary.timeline.tracks_by_duration()
    yield Text(_headline(summary, source), "bold")
    for track in sorted(tracks[:MAX_TRACKS], key=lambda track: track.number):
        yield Text.assemble("\n", (f"Track {track.number}", "bold"), f"  {track.describe()}")
        yield strip.render(track)
        yield from _event_lines([event for event in summary.events if event.track == track.number], strip.labels)
    if (more := len(tracks) - MAX_TRACKS) > 0:
        yield Text(f"\n{more:,} more tracks, visible for a shorter time", "dim")
    reasons = summary.timeline.unjudged_seconds().items()
    if reasons:
        text = ", ".join(f"{reason} {format_duration(seconds)}" for reason, seconds in reasons)
        yield Text(f"\nCould not be judged: {text}", "dim")


def _event_lines(events: list[Event], labels: tuple[str, ...]) -> Iterator[Text]:
    """The events with the highest peaks, in order of time."""
    from rich.text import Text

    expressions = (event for event in events if event.emotion != "neutral")
    highest = sorted(expressions, key=lambda event: -event.peak)[:MAX_EVENTS]
    for event in sorted(highest, key=lambda event: event.start):
        emotion = (f"{escape_controls(event.emotion):<10}", label_colour(event.emotion, labels))
        times = f"{format_time(event.start):>8} to {format_time(event.end):<8}"
        yield Text.assemble("  ", emotion, f"{times} peak {format_percent(event.peak)}")
    if len(events) > len(highest):
        count = "1 event" if len(events) == 1 else f"{len(events):,} events"
        yield Text(f"  {count} in all (--events writes them)", "dim")


class _ColourStrip:
    """A track as one line of text: each cell has the colour of the expression that led in its time."""

    def __init__(self, timeline: VideoTimeline, labels: tuple[str, ...], width: int, blocks: bool) -> None:
        self.labels = labels
        self._timeline, self._width = timeline, max(min(width, 100), 10)
        self._judged, self._unjudged, self._absent = ("█", "░", "·") if blocks else ("#", "?", ".")

    def render(self, track: TrackSummary) -> Text:
        from rich.text import Text

        steps = list(self._timeline.steps(track.number))
        length = max(self._timeline.end - self._timeline.start, 1e-6)
        # For each cell: label -> visible time in which it led; an empty label for unusable faces.
        cells: list[dict[str, float]] = [{} for _ in range(self._width)]
        for step in steps:
            middle = (step.start + step.end) / 2 - self._timeline.start
            cell = cells[min(int(middle / length * self._width), self._width - 1)]
            label = self.labels[max(range(len(step.scores)), key=step.scores.__getitem__)] if step.scores else ""
            cell[label] = cell.get(label, 0.0) + step.visible
        # A step may be wider than a cell: empty cells within its width belong to it.
        text, last_index = Text("  "), 0
        step_seconds = steps[0].end - steps[0].start if steps else 0.0
        last_cell: dict[str, float] = {}
        for index, cell in enumerate(cells):
            if cell:
                last_cell, last_index = cell, index
            covered = (index - last_index) * length / self._width < step_seconds
            text.append(*self._render_cell(cell or (last_cell if covered else {})))
        return text

    def _render_cell(self, durations: dict[str, float]) -> tuple[str, str]:
        label = max(durations, key=lambda each: durations[each], default=None)
        if label:
            return self._judged, label_colour(label, self.labels)
        return self._absent if label is None else self._unjudged, "dim"
