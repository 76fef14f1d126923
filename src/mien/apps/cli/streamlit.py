"""``mien streamlit``: the page for those who work with Streamlit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from mien.apps.cli.console import is_terminal, print_line, print_note
from mien.apps.cli.options import LoadEngine, complete_detectors, complete_models, resolve_model

EPILOG = """\b
Examples:
  mien streamlit                                 (then open http://127.0.0.1:8501)
  mien streamlit --port 9000 --detector haar
  mien streamlit --runs experiments

\b
The same page for Streamlit's own command, and for its cloud: examples/streamlit. There the
variables MIEN_MODEL, MIEN_DETECTOR and MIEN_RUNS say what the options say here.
SIGTERM and Ctrl-C end it with 0.
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", show_default=True, help="Listen on this address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    metavar="N",
    show_default=True,
    help="Listen on this port; 0 takes a free one.",
)
@click.option("--model", metavar="NAME", shell_complete=complete_models, help="The model that reads. Without it: base.")
@click.option(
    "--detector",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="haar, yunet, none or auto: who finds faces.",
)
@click.option(
    "--runs", type=click.Path(path_type=Path), metavar="DIR", help="Where training runs are. Without it: runs."
)
@click.pass_context
def streamlit(
    context: click.Context, /, host: str, port: int, model: str | None, detector: str | None, runs: Path | None
) -> None:
    """Open the Streamlit page, with runs and data.

    Photos, a camera, films, the network's inside, training runs side by side, and reports of data.
    Nothing that is shown to it is kept, and nobody is told that it is used. It listens on this machine
    alone unless --host says otherwise.
    """
    from mien.apps.streamlit.server import program, serve
    from mien.apps.streamlit.settings import DETECTOR, MODEL, RUNS, settings

    run = program()
    given = {MODEL: resolve_model(model) if model else None, DETECTOR: detector, RUNS: runs}
    # The page is run by Streamlit, which hands nothing on but variables.
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    known = settings()
    load: LoadEngine = context.obj
    # What is missing is said now, and not to the first visitor.
    load(model=known.model, detector=known.detector)
    serve(run, host, port, _ready)


def _ready(address: str) -> None:
    print_line(f"mien answers at {address}")
    if is_terminal(sys.stderr):
        print_note("Ctrl-C stops it.")
