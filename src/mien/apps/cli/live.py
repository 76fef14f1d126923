"""The run of ``mien live``: notice, window, camera, in this order; and the other way round at the end."""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import video
from mien.apps.cli.console import escape_controls, is_terminal, print_line, print_note, silence_native_stderr
from mien.apps.cli.options import DETECTOR_OPTION, MODEL_OPTION, open_engine
from mien.apps.cli.results import describe_expression
from mien.apps.desktop.live_window import open_window, show
from mien.apps.session import live_camera
from mien.apps.session.live_camera import CameraWorker, LiveFrame
from mien.apps.session.recording import CameraRecorder
from mien.engine import Engine
from mien.results import Reading
from mien.text import format_percent, format_time
from mien.video.camera import Camera

if TYPE_CHECKING:
    import tkinter as tk

    from mien.engine import Engine


def run(request: LiveCommand, engine: Engine) -> int:
    """Show or write what the camera sees, until somebody or something ends it."""
    if not _agreed(request):
        return 0
    with ExitStack() as stack:
        stack.enter_context(silence_native_stderr())
        # A missing screen is told before the camera's light goes on.
        root = None if request.no_window else open_window()
        camera = stack.enter_context(video.open_camera(request.camera, size=request.size, mirror=request.mirror))
        recording = _recording(request, camera)
        if recording:
            stack.callback(recording.close)
        seen = recording.add if recording else None
        watching = stack.enter_context(CameraWorker(engine, camera, min_face=request.min_face, seen=seen))
        _go(request, root, watching, engine)
    _sum_up(request, watching, recording)
    for error in (watching.error, recording.error if recording else None):
        if error:
            raise error
    return 0


def _go(request: LiveCommand, root: tk.Tk | None, watching: CameraWorker, engine: Engine) -> None:
    if root is None:
        _written(watching)
        return
    with _until_ctrl_c(root, watching):
        delays = show(root, watching, engine, inside=request.explain).delays
    if delays and is_terminal(sys.stderr):
        print_note(f"From frame to picture: {statistics.median(delays) * 1000:.0f} ms in the middle of the last ones.")


@contextmanager
def _until_ctrl_c(root: tk.Tk, watching: CameraWorker) -> Iterator[None]:
    """Tk's loop sees signals when Python runs, which the pane's ticks make sure of; then the camera goes first."""
    try:
        yield
    except BaseException:
        watching.close()
        raise


def _agreed(request: LiveCommand) -> bool:
    """Say what is kept, once, before a camera opens. At a terminal somebody has to agree."""
    if request.yes or not live_camera.is_camera(request.camera) or live_camera.is_notice_confirmed():
        return True
    for line in live_camera.CAMERA_NOTICE.splitlines():
        print_note(line)
    if not is_terminal(sys.stdin):
        return True  # nobody to ask, and perhaps nobody who read it: it will be said again
    agreed = click.confirm("Open the camera?", default=True, err=True)
    if agreed:
        live_camera.confirm_notice()
    return agreed


def _recording(request: LiveCommand, camera: Camera) -> CameraRecorder | None:
    if request.record is None:
        return None
    size = camera.info.size
    # Some drivers do not say: frames are then brought to a common size.
    return CameraRecorder(Path(request.record), size if all(size) else (640, 480), camera.info.fps)


def _written(watching: CameraWorker) -> None:
    """Without a window: a line whenever what a person's expression looks like changes."""
    before: dict[int | None, str] = {}
    number = 0
    while True:
        over = watching.wait(0.01)
        if (view := watching.newest(number)) is not None:
            number = view.number
            _tell(view, before)
        elif over:
            return


def _tell(view: LiveFrame, before: dict[int | None, str]) -> None:
    for reading in view.steady:
        words = _words(reading)
        if before.get(reading.track) != words:
            before[reading.track] = words
            share = f", {format_percent(reading.emotions[reading.emotions.top])}" if words.startswith("looks") else ""
            print_line(f"{format_time(view.seconds)}  person {reading.track} {words}{share}")
    for person in [person for person in before if person not in {reading.track for reading in view.steady}]:
        del before[person]
        print_line(f"{format_time(view.seconds)}  person {person} is out of sight")


def _words(reading: Reading) -> str:
    if not reading.quality.ok:
        return f"is hard to judge: {reading.quality.reason or 'the face is not clear'}"
    return "shows nothing clearly" if reading.emotions.uncertain else describe_expression(reading.emotions.top)


def _sum_up(request: LiveCommand, watching: CameraWorker, recording: CameraRecorder | None) -> None:
    view = watching.newest()
    if view is None or not is_terminal(sys.stderr):
        return
    print_note(f"{view.number:,} frames read in {format_time(view.seconds)}, {view.dropped:,} left out.")
    if request.record and recording:
        left = f", {recording.left_out:,} frames too many for the encoder" if recording.left_out else ""
        print_note(f"Recorded: {escape_controls(request.record)}{left}")


# ==== mien.apps.cli.live
# ``mien live``: read the expressions before a camera.

EPILOG = """\b
Examples:
  mien live
  mien live --mirror --explain
  mien live --camera 1 --size 1280x720 --record session.webm
  mien live --camera clip.webm
  mien live --camera clip.webm --no-window

\b
Keys: Q quit, Space pause, S snapshot, W where it looks, I inside, T smoothing.
Nothing is kept but what --record and S write. Exit status: 0; 1 if the camera failed.
"""


@dataclass(frozen=True)
class LiveCommand:
    """The command line of ``mien live``, as it was given."""

    camera: str
    mirror: bool
    record: str | None
    no_window: bool
    explain: bool
    size: tuple[int, int] | None
    yes: bool
    min_face: int | None
    detector: str
    model: str


class SizeParameter(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """``640x480``."""

    name = "WxH"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        if not (found := re.fullmatch(r"(\d{2,5})[x×](\d{2,5})", str(value))):
            self.fail(f"'{value}' is no size. One such as 640x480 was expected.", param, ctx)
        return int(found[1]), int(found[2])


@click.command(epilog=EPILOG)
@click.option("--camera", default="0", metavar="N|URL|FILE", help="A camera's number or address, or a film. First: 0.")
@click.option("--mirror", is_flag=True, help="Show the picture as a mirror does.")
@click.option("--record", metavar="FILE", help="Write what is shown: .webm, or .mp4 with PyAV.")
@click.option("--no-window", is_flag=True, help="Write a line for every change instead of opening a window.")
@click.option("--explain", is_flag=True, help="Begin with the inside of the network shown.")
@click.option("--size", type=SizeParameter(), help="Ask the camera for this size.")
@click.option("--yes", is_flag=True, help="The notice about what is kept has been read.")
@click.option("--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to look for, in pixels.")
@DETECTOR_OPTION
@MODEL_OPTION
@click.pass_context
def live(context: click.Context, /, **options: Any) -> None:
    """Read the expressions before a camera, in a window.

    The newest frame is always the one that is read. Before the camera opens for the first time,
    you are told what is kept: nothing, unless you ask for it.
    """
    request = LiveCommand(**options)
    if request.explain and request.no_window:
        raise click.UsageError("--explain shows the inside in the window. Leave out --no-window.")
    pass

    engine = open_engine(context, request.model, request.detector)
    context.exit(run(request, engine))
