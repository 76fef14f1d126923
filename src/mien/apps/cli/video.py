"""``mien video``: read the expressions in a film, and say whose they are and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mien.apps.cli.choices import DETECTOR, MODEL
from mien.apps.cli.output import printable
from mien.apps.cli.paths import STDOUT, is_address, same_file
from mien.apps.cli.reader import LoadEngine
from mien.apps.cli.times import Rest, Resting, Time
from mien.errors import DetectorError, ModelMissing

if TYPE_CHECKING:
    from mien.apps.film.wish import Watcher

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
class Request:
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
    baseline: Resting | None
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
@click.option("--start", type=Time(), help="Begin here: seconds, or 1:02.5.")
@click.option("--end", type=Time(), help="End before this.")
@click.option("--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to look for, in pixels.")
@click.option("--blur-faces", is_flag=True, help="Hide faces in the annotated film and in the report.")
@click.option(
    "--baseline",
    type=Rest(),
    help="Tell expressions relative to each person's own face at rest: their first SECONDS, or their median.",
)
@click.option("--raw", is_flag=True, help="Add the shares as they were read, before steadying, to --csv and --json.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped; give it the same options.")
@DETECTOR
@MODEL
@click.pass_context
def video(context: click.Context, /, **options: Any) -> None:
    """Read the expressions in a film: whose, and when.

    SRC is a film (mp4, webm, avi, mov, ...), an animated GIF, or a folder of frames. People keep
    their number while a shot lasts, shares are steadied over time, and an expression that lasts
    is an event. Without any file to write, a summary of each person is shown.
    """
    request = Request(**options)
    _check(request)
    # Imported here: reading needs NumPy, OpenCV and ONNX Runtime, and --help does not.
    from mien.apps.cli.video_run import run

    load: LoadEngine = context.obj
    try:
        engine = load(model=request.model, detector=request.detector)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(printable(str(error)), context) from error
    # What reads pictures reads films too.
    context.exit(run(request, cast("Watcher", engine)))


def _check(request: Request) -> None:
    """Refuse what cannot be meant, before anything is loaded or written."""
    if is_address(request.source):
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


def _check_files(request: Request) -> None:
    taken: dict[Path, str] = {}
    for option, target in request.files().items():
        path = Path(target).absolute()
        if path in taken:
            raise click.UsageError(f"{taken[path]} and {option} both write to '{printable(target)}'.")
        taken[path] = option
        if same_file(target, request.source):
            raise click.UsageError(f"{option} would write over the film '{printable(target)}' itself.")
        if path.is_dir():
            raise click.UsageError(f"{option} '{printable(target)}' is a folder. Name a file.")
        if not path.parent.is_dir():
            raise click.UsageError(f"{option}: there is no folder '{printable(str(Path(target).parent))}'.")
