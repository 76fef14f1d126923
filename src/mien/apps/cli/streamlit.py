"""``mien streamlit``: the Streamlit page."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mien.apps.cli.options import announce_server, complete_detectors, complete_models, convert_keras_model

EPILOG = """\b
Examples:
  mien streamlit                                 (then open http://127.0.0.1:8501)
  mien streamlit --port 9000 --detector haar
  mien streamlit --runs experiments

\b
For `streamlit run` and for Streamlit's cloud, see examples/streamlit. There the variables
MIEN_MODEL, MIEN_DETECTOR and MIEN_RUNS replace the options. SIGTERM and Ctrl-C exit with 0.
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", show_default=True, help="Listen on this address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    metavar="N",
    show_default=True,
    help="Listen on this port; 0 is any free one.",
)
@click.option("--model", metavar="NAME", shell_complete=complete_models, help="The default model. Default: base.")
@click.option(
    "--detector",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="The face detector: haar, yunet, none or auto.",
)
@click.option(
    "--runs", type=click.Path(path_type=Path), metavar="DIR", help="The folder of training runs. Default: runs."
)
@click.pass_context
def streamlit(
    context: click.Context, /, host: str, port: int, model: str | None, detector: str | None, runs: Path | None
) -> None:
    """Start the Streamlit page.

    Photos, the camera, videos, explanations, training runs and reports of data sets. Uploaded files
    are not stored, and no usage statistics are sent. It listens on this machine alone unless --host
    says otherwise.
    """
    from mien.apps.streamlit.server import load_streamlit, serve_streamlit
    from mien.apps.streamlit.settings import DETECTOR, MODEL, RUNS, load_page_settings

    run = load_streamlit()
    options = {MODEL: convert_keras_model(model) if model else None, DETECTOR: detector, RUNS: runs}
    # Streamlit runs the page in its own way and passes nothing on but environment variables.
    os.environ.update({name: str(value) for name, value in options.items() if value is not None})
    settings = load_page_settings()
    # Loaded once here: an error shows at the start, and not to the first visitor.
    context.obj(model=settings.model, detector=settings.detector)
    serve_streamlit(run, host, port, announce_server)
