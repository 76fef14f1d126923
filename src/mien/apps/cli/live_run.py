"""The run of ``mien live``: notice, window, camera, in this order; and the other way round at the end."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien import media
from mien.apps.cli.live import Request
from mien.apps.cli.output import alone_on_stderr, on_terminal, printable, remark, say
from mien.apps.cli.words import looks, percent
from mien.apps.live import notice
from mien.apps.live.recording import Recording
from mien.apps.live.watching import View, Watching
from mien.apps.live.window import open_window, show
from mien.engine import Engine
from mien.media.cameras import Camera
from mien.moments.words import clock
from mien.types import Reading

if TYPE_CHECKING:
    import tkinter as tk


def run(request: Request, engine: Engine) -> int:
    """Show or write what the camera sees, until somebody or something ends it."""
    if not _agreed(request):
        return 0
    with ExitStack() as stack:
        stack.enter_context(alone_on_stderr())
        # A missing screen is told before the camera's light goes on.
        root = None if request.no_window else open_window()
        camera = stack.enter_context(media.camera(request.camera, size=request.size, mirror=request.mirror))
        recording = _recording(request, camera)
        if recording:
            stack.callback(recording.close)
        seen = recording.add if recording else None
        watching = stack.enter_context(Watching(engine, camera, min_face=request.min_face, seen=seen))
        _go(request, root, watching, engine)
    _sum_up(request, watching, recording)
    for error in (watching.error, recording.error if recording else None):
        if error:
            raise error
    return 0


def _go(request: Request, root: tk.Tk | None, watching: Watching, engine: Engine) -> None:
    if root is None:
        _written(watching)
        return
    with _until_ctrl_c(root, watching):
        delays = show(root, watching, engine, inside=request.explain).delays
    if delays and on_terminal(sys.stderr):
        remark(f"From frame to picture: {statistics.median(delays) * 1000:.0f} ms in the middle of the last ones.")


@contextmanager
def _until_ctrl_c(root: tk.Tk, watching: Watching) -> Iterator[None]:
    """Tk's loop sees signals when Python runs, which the pane's ticks make sure of; then the camera goes first."""
    try:
        yield
    except BaseException:
        watching.close()
        raise


def _agreed(request: Request) -> bool:
    """Say what is kept, once, before a camera opens. At a terminal somebody has to agree."""
    if request.yes or not notice.is_camera(request.camera) or notice.was_told():
        return True
    for line in notice.NOTICE.splitlines():
        remark(line)
    if not on_terminal(sys.stdin):
        return True  # nobody to ask, and perhaps nobody who read it: it will be said again
    agreed = click.confirm("Open the camera?", default=True, err=True)
    if agreed:
        notice.remember()
    return agreed


def _recording(request: Request, camera: Camera) -> Recording | None:
    if request.record is None:
        return None
    size = camera.about.size
    # Some drivers do not say: frames are then brought to a common size.
    return Recording(Path(request.record), size if all(size) else (640, 480), camera.about.rate)


def _written(watching: Watching) -> None:
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


def _tell(view: View, before: dict[int | None, str]) -> None:
    for reading in view.steady:
        words = _words(reading)
        if before.get(reading.track) != words:
            before[reading.track] = words
            share = f", {percent(reading.emotions[reading.emotions.top])}" if words.startswith("looks") else ""
            say(f"{clock(view.seconds)}  person {reading.track} {words}{share}")
    for person in [person for person in before if person not in {reading.track for reading in view.steady}]:
        del before[person]
        say(f"{clock(view.seconds)}  person {person} is out of sight")


def _words(reading: Reading) -> str:
    if not reading.quality.ok:
        return f"is hard to judge: {reading.quality.reason or 'the face is not clear'}"
    return "shows nothing clearly" if reading.emotions.uncertain else looks(reading.emotions.top)


def _sum_up(request: Request, watching: Watching, recording: Recording | None) -> None:
    view = watching.newest()
    if view is None or not on_terminal(sys.stderr):
        return
    remark(f"{view.number:,} frames read in {clock(view.seconds)}, {view.dropped:,} left out.")
    if request.record and recording:
        left = f", {recording.left_out:,} frames too many for the encoder" if recording.left_out else ""
        remark(f"Recorded: {printable(request.record)}{left}")
