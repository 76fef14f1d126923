"""``mien live``: analyse the expressions in front of a camera, in a window or as lines of text."""

from __future__ import annotations

import re
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import escape_controls, is_terminal, print_line, print_note, silence_native_stderr
from mien.apps.cli.options import ENGINE_OPTIONS, MIN_FACE_OPTION, open_engine
from mien.text import format_percent, format_time

if TYPE_CHECKING:  # what analyses a camera imports NumPy, OpenCV and ONNX Runtime, which `--help` does without
    import tkinter as tk

    from mien.apps.session.live_camera import CameraRecorder, CameraWorker, LiveFrame
    from mien.engine import Engine
    from mien.results import Reading
    from mien.video import Camera

EPILOG = """\b
Examples:
  mien live
  mien live --mirror --explain
  mien live --camera 1 --size 1280x720 --record session.webm
  mien live --camera clip.webm
  mien live --camera clip.webm --no-window

\b
Keys: Q quit, Space pause, S snapshot, W evidence map, I layers, T smoothing.
Nothing is stored except what --record and S write. Exit status: 0; 1 if the camera failed.
"""

#: The size of a recording when the camera does not report its size.
_DEFAULT_SIZE = (640, 480)


@dataclass(frozen=True)
class LiveCommand:
    """The options of ``mien live``."""

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
    prior: str


class SizeParameter(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """``640x480``."""

    name = "WxH"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        if not (match := re.fullmatch(r"(\d{2,5})[x×](\d{2,5})", str(value))):
            self.fail(f"'{value}' is not a size. A size such as 640x480 was expected.", param, ctx)
        return int(match[1]), int(match[2])


@click.command(epilog=EPILOG)
@click.option("--camera", default="0", metavar="N|URL|FILE", help="A camera's number or address, or a video. First: 0.")
@click.option("--mirror", is_flag=True, help="Mirror the image.")
@click.option("--record", metavar="FILE", help="Write the annotated video: .webm, or .mp4 with PyAV.")
@click.option("--no-window", is_flag=True, help="Print a line for each change instead of opening a window.")
@click.option("--explain", is_flag=True, help="Show the layers of the network from the start.")
@click.option("--size", type=SizeParameter(), help="Request this size from the camera.")
@click.option("--yes", is_flag=True, help="Skip the privacy notice.")
@MIN_FACE_OPTION
@ENGINE_OPTIONS
@click.pass_context
def live(context: click.Context, /, **options: Any) -> None:
    """Analyse the expressions in front of a camera, in a window.

    Always the newest frame is analysed. Before the camera opens for the first time, a notice says
    what is stored: nothing, unless you ask for it.
    """
    command = LiveCommand(**options)
    if command.explain and command.no_window:
        raise click.UsageError("--explain shows layers in the window. Leave out --no-window.")
    engine = open_engine(context, command.model, command.detector, command.prior)
    context.exit(run(command, engine))


def run(command: LiveCommand, engine: Engine) -> int:
    """Show or print what the camera captures until it ends or is stopped; the exit status."""
    from mien.apps.desktop.main_loop import open_root
    from mien.apps.session.live_camera import CameraWorker
    from mien.video import open_camera

    if not _confirm_notice(command):
        return 0
    with ExitStack() as stack:
        stack.enter_context(silence_native_stderr())
        # The window first: without a screen the camera is not opened.
        root = None if command.no_window else open_root()
        camera = stack.enter_context(open_camera(command.camera, size=command.size, mirror=command.mirror))
        recorder = _open_recorder(command, camera)
        if recorder:
            stack.callback(recorder.close)
        on_frame = recorder.add if recorder else None
        worker = stack.enter_context(CameraWorker(engine, camera, min_face=command.min_face, on_frame=on_frame))
        if root is None:
            _print_changes(worker)
        else:
            _show_window(root, worker, engine, command.explain)
    _print_totals(command, worker, recorder)
    for error in (worker.error, recorder.error if recorder else None):
        if error:
            raise error
    return 0


def _confirm_notice(command: LiveCommand) -> bool:
    """Print the privacy notice once; at a terminal the user has to confirm it. False if the user declines."""
    from mien.apps.session import live_camera

    if command.yes or not live_camera.is_camera(command.camera) or live_camera.is_notice_confirmed():
        return True
    for line in live_camera.CAMERA_PRIVACY_NOTICE.splitlines():
        print_note(line)
    if not is_terminal(sys.stdin):
        return True  # perhaps nobody has read it, so it will be printed again
    confirmed = click.confirm("Open the camera?", default=True, err=True)
    if confirmed:
        live_camera.confirm_notice()
    return confirmed


def _open_recorder(command: LiveCommand, camera: Camera) -> CameraRecorder | None:
    from mien.apps.session.live_camera import CameraRecorder
    from mien.video import open_writer

    if command.record is None:
        return None
    size = camera.info.size if all(camera.info.size) else _DEFAULT_SIZE
    return CameraRecorder(open_writer(Path(command.record), size, camera.info.fps))


def _show_window(root: tk.Tk, worker: CameraWorker, engine: Engine, explain: bool) -> None:
    from mien.apps.desktop.main_loop import run_live_window

    try:
        delays = run_live_window(root, worker, engine, explain=explain).delays
    except BaseException:
        # Ctrl-C reaches the loop of Tk: release the camera before anything else.
        worker.close()
        raise
    if delays and is_terminal(sys.stderr):
        print_note(f"Median delay from the camera to the screen: {statistics.median(delays) * 1000:.0f} ms.")


def _print_changes(worker: CameraWorker) -> None:
    """A line whenever the expression of a track changes, until the worker ends."""
    last_texts: dict[int | None, str] = {}
    number = 0
    while True:
        ended = worker.wait(0.01)
        if (frame := worker.newest(number)) is not None:
            number = frame.number
            _print_frame(frame, last_texts)
        elif ended:
            return


def _print_frame(frame: LiveFrame, last_texts: dict[int | None, str]) -> None:
    tracked = [reading for reading in frame.smoothed if reading.track is not None]
    for reading in tracked:
        text = _describe_reading(reading)
        if last_texts.get(reading.track) != text:
            last_texts[reading.track] = text
            score = f", {format_percent(reading.emotions[reading.emotions.top])}" if text.startswith("looks") else ""
            print_line(f"{format_time(frame.seconds)}  track {reading.track} {text}{score}")
    for track in last_texts.keys() - {reading.track for reading in tracked}:
        del last_texts[track]
        print_line(f"{format_time(frame.seconds)}  track {track} is out of view")


def _describe_reading(reading: Reading) -> str:
    from mien.apps.cli.results import describe_expression

    if not reading.quality.ok:
        return f"is hard to judge: {reading.quality.reason or 'the face is not clear'}"
    return "shows nothing clearly" if reading.emotions.uncertain else describe_expression(reading.emotions.top)


def _print_totals(command: LiveCommand, worker: CameraWorker, recorder: CameraRecorder | None) -> None:
    frame = worker.newest()
    if frame is None or not is_terminal(sys.stderr):
        return
    print_note(f"{frame.number:,} frames analysed in {format_time(frame.seconds)}, {frame.dropped:,} dropped.")
    if command.record and recorder:
        skipped = f", without {recorder.skipped:,} frames that the encoder was too slow for" if recorder.skipped else ""
        print_note(f"Recorded: {escape_controls(command.record)}{skipped}")
