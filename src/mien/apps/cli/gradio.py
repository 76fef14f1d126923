"""``mien gradio``: the Gradio page."""

from __future__ import annotations

import click

from mien.apps.cli.console import escape_controls, print_line
from mien.apps.cli.options import DETECTOR_OPTION, MODEL_OPTION, announce_server, convert_keras_model
from mien.errors import DetectorError, ModelMissing

EPILOG = """\b
Examples:
  mien gradio                                    (then open http://127.0.0.1:7860)
  mien gradio --port 9000 --detector haar
  mien gradio --host 0.0.0.0
  mien gradio --share

\b
Programs call the same page with gradio_client: /read, /explain and /analyze_video. SIGTERM and
Ctrl-C exit with 0. Exit status: 1 if it cannot listen or cannot be shared, 2 for an unknown model
or detector.
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Listen here. Default: this machine alone.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7860, metavar="N", help="Listen on this port; 0 is any free one."
)
@click.option(
    "--share",
    is_flag=True,
    help="Give the page a public address for some days. Needs a network, and uses Gradio's own servers.",
)
@DETECTOR_OPTION
@MODEL_OPTION
@click.pass_context
def gradio(context: click.Context, host: str, port: int, share: bool, detector: str, model: str) -> None:
    """Start the Gradio page.

    Tabs for photos, the camera, videos, explanations and models. Uploaded files are in a folder of
    their own for at most 15 minutes, and are removed when the page ends. It listens on this machine
    alone unless --host or --share say otherwise; Gradio's telemetry is off.
    """
    from mien.apps.gradio.server import serve_page

    def announce(url: str, public_url: str | None) -> None:
        announce_server(url)
        if public_url:
            print_line(f"public address: {public_url}")

    try:
        serve_page(convert_keras_model(model), detector, host, port, share, announce)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(escape_controls(str(error)), context) from error
