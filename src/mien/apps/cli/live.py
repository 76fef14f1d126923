"""``mien live``: read the expressions before a camera."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import click

from mien.apps.cli.choices import DETECTOR, MODEL
from mien.apps.cli.output import printable
from mien.apps.cli.reader import LoadEngine
from mien.errors import DetectorError, ModelMissing

if TYPE_CHECKING:
    from mien.engine import Engine

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
class Request:
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


class Size(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
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
@click.option("--size", type=Size(), help="Ask the camera for this size.")
@click.option("--yes", is_flag=True, help="The notice about what is kept has been read.")
@click.option("--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to look for, in pixels.")
@DETECTOR
@MODEL
@click.pass_context
def live(context: click.Context, /, **options: Any) -> None:
    """Read the expressions before a camera, in a window.

    The newest frame is always the one that is read. Before the camera opens for the first time,
    you are told what is kept: nothing, unless you ask for it.
    """
    request = Request(**options)
    if request.explain and request.no_window:
        raise click.UsageError("--explain shows the inside in the window. Leave out --no-window.")
    from mien.apps.cli.live_run import run

    load: LoadEngine = context.obj
    try:
        engine = load(model=request.model, detector=request.detector)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(printable(str(error)), context) from error
    context.exit(run(request, cast("Engine", engine)))
