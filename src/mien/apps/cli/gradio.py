"""``mien gradio``: the page for those who know Gradio."""

from __future__ import annotations

import sys

import click

from mien.apps.cli.console import escape_controls, is_terminal, print_line, print_note
from mien.apps.cli.options import DETECTOR_OPTION, MODEL_OPTION
from mien.errors import DetectorError, ModelMissing

EPILOG = """\b
Examples:
  mien gradio                                    (then open http://127.0.0.1:7860)
  mien gradio --port 9000 --detector haar
  mien gradio --host 0.0.0.0
  mien gradio --share

\b
Programs ask the same page: gradio_client's /read, /explain and /watch. SIGTERM and Ctrl-C end it
with 0. Exit status: 1 if it cannot listen or cannot be shared, 2 for an unknown model or detector.
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Listen here. Without it: this machine alone.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7860, metavar="N", help="Listen on this port; 0 takes a free one."
)
@click.option(
    "--share",
    is_flag=True,
    help="Give the page a public address for some days. Needs a network, and goes through Gradio's own servers.",
)
@DETECTOR_OPTION
@MODEL_OPTION
@click.pass_context
def gradio(context: click.Context, host: str, port: int, share: bool, detector: str, model: str) -> None:
    """Open the Gradio page: photos, camera, films, inside.

    What is sent lies in a folder of its own for at most 15 minutes and is gone when the page ends.
    It listens on this machine alone unless --host or --share say otherwise; Gradio's telemetry is off.
    """
    from mien.apps.cli.options import resolve_model
    from mien.apps.gradio.server import run

    try:
        run(resolve_model(model), detector, host, port, share, _ready)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(escape_controls(str(error)), context) from error


def _ready(address: str, public: str | None) -> None:
    print_line(f"mien answers at {address}")
    if public:
        print_line(f"and for everybody at {public}")
    if is_terminal(sys.stderr):
        print_note("Ctrl-C stops it.")
