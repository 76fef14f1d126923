"""``mien serve``, ``desktop``, ``gradio`` and ``streamlit``: the commands that start an application."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mien.apps.cli.console import escape_controls, is_terminal, print_line, print_note, silence_native_stderr
from mien.apps.cli.options import (
    ENGINE_OPTIONS,
    Command,
    combine_options,
    complete_detectors,
    complete_models,
    convert_keras_model,
    offer_yunet,
)
from mien.errors import DetectorError, ModelMissing


def address_options(port: int, *, configurable: bool = False) -> Callable[[Command], Command]:
    """--host and --port; their default is None where a variable or a file can set them too."""
    host_help = "Listen on this address. Default: 127.0.0.1, this machine alone."
    port_help = f"Listen on this port; 0 is any free one. Default: {port}."
    return combine_options(
        click.option("--host", default=None if configurable else "127.0.0.1", metavar="ADDRESS", help=host_help),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=None if configurable else port,
            metavar="N",
            help=port_help,
        ),
    )


#: The model, the detector and the prior of the page; None where the option is not used.
DEFAULT_MODEL_OPTIONS = combine_options(
    click.option("--model", metavar="NAME", shell_complete=complete_models, help="The default model. Default: base."),
    click.option(
        "--detector",
        metavar="NAME",
        shell_complete=complete_detectors,
        help="The face detector: haar, yunet, none or auto.",
    ),
    click.option("--prior", type=click.Choice(["training", "even"]), help="The default prior. Default: training."),
)


def announce_server(url: str) -> None:
    """Print the address of a server that runs until it is stopped."""
    print_line(f"mien answers at {url}")
    if is_terminal(sys.stderr):
        print_note("Ctrl-C stops it.")


SERVE_EPILOG = """\b
Examples:
  mien serve --print-config
  mien serve                                     (then open http://127.0.0.1:8000)
  mien serve --port 9000 --detector haar
  mien serve --host 0.0.0.0 --config mien.toml

\b
Every setting is also a variable (MIEN_PORT=9000) and a line of the TOML file that --config or
MIEN_CONFIG names. An option overrides a variable, and a variable overrides the file. SIGTERM and
Ctrl-C finish the requests that have begun and exit with 0.
"""


@click.command(epilog=SERVE_EPILOG)
@address_options(8000, configurable=True)
@click.option("--threads", type=click.IntRange(min=4), metavar="N", help="Number of threads that serve requests.")
@DEFAULT_MODEL_OPTIONS
@click.option("--config", metavar="FILE", help="A TOML file with settings.")
@click.option("--print-config", is_flag=True, help="Print every setting, its value and its origin, and exit.")
def serve(print_config: bool, **options: Any) -> None:
    """Start the web application and the HTTP API.

    Nothing that is sent is stored: images are read in memory, videos in a folder that is removed
    with their job. It listens on this machine alone unless --host says otherwise.
    """
    from mien.apps.web.settings import format_toml, load_settings

    configuration = load_settings(options)
    if print_config:
        print_line("\n".join(format_toml(configuration)).rstrip())
        return

    from mien.apps.session.ports import format_url
    from mien.apps.web import create_app

    app = create_app(**asdict(configuration.settings))  # a MissingExtra if Flask or waitress are not installed
    from mien.apps.web.monitoring import configure_logging
    from mien.apps.web.server import WebServer, limit_memory_arenas

    limit_memory_arenas()  # here the process is the server's own; an application that embeds it decides for itself
    configure_logging(configuration.settings.log)
    server = WebServer(app)
    announce_server(format_url(*server.address))
    if not server.run():
        print_note("mien: the time to finish requests was over before all of them were answered.")


DESKTOP_EPILOG = """\b
Examples:
  mien desktop
  mien desktop photo.jpg
  mien desktop holiday
  mien desktop clip.webm --detector haar

\b
The menus show the keyboard shortcuts, and F1 lists all of them. With the extra 'desktop', files can
be dropped on the window. Exit status: 0; 1 where there is no screen.
"""


@click.command(epilog=DESKTOP_EPILOG)
@click.argument("paths", nargs=-1, metavar="[IMAGE|FOLDER|VIDEO]...", type=click.Path(path_type=Path))
@ENGINE_OPTIONS
@click.pass_context
def desktop(context: click.Context, paths: tuple[Path, ...], detector: str, model: str, prior: str) -> None:
    """Open the desktop application.

    Images and folders of images, the camera, videos, and explanations, in one window. All
    computation is on this machine, and nothing is stored unless you save it.
    """
    from mien.apps.desktop.main_loop import run_application
    from mien.apps.desktop.state import ModelSelection

    offer_yunet(detector)
    with silence_native_stderr():
        files = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100
        run_application(context.obj, files, ModelSelection(model, detector, prior))


GRADIO_EPILOG = """\b
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


@click.command(epilog=GRADIO_EPILOG)
@address_options(7860)
@click.option(
    "--share",
    is_flag=True,
    help="Give the page a public address for some days. Needs a network, and uses Gradio's own servers.",
)
@ENGINE_OPTIONS
@click.pass_context
def gradio(context: click.Context, host: str, port: int, share: bool, detector: str, model: str, prior: str) -> None:
    """Start the Gradio page.

    Tabs for photos, the camera, videos, explanations and models. Uploaded files are in a folder of
    their own for at most 15 minutes, and are removed when the page ends. It listens on this machine
    alone unless --host or --share say otherwise; Gradio's telemetry is off.
    """
    from mien.apps.gradio import serve_page

    def announce(url: str, public_url: str | None) -> None:
        announce_server(url)
        if public_url:
            print_line(f"public address: {public_url}")

    try:
        serve_page(convert_keras_model(model), detector, prior, host, port, share, announce)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(escape_controls(str(error)), context) from error


STREAMLIT_EPILOG = """\b
Examples:
  mien streamlit                                 (then open http://127.0.0.1:8501)
  mien streamlit --port 9000 --detector haar
  mien streamlit --runs experiments

\b
For `streamlit run` and for Streamlit's cloud, see examples/streamlit. There the variables
MIEN_MODEL, MIEN_DETECTOR, MIEN_PRIOR and MIEN_RUNS replace the options. SIGTERM and Ctrl-C exit
with 0.
"""


@click.command(epilog=STREAMLIT_EPILOG)
@address_options(8501)
@DEFAULT_MODEL_OPTIONS
@click.option(
    "--runs", type=click.Path(path_type=Path), metavar="DIR", help="The folder of training runs. Default: runs."
)
@click.pass_context
def streamlit(
    context: click.Context,
    /,
    host: str,
    port: int,
    model: str | None,
    detector: str | None,
    prior: str | None,
    runs: Path | None,
) -> None:
    """Start the Streamlit page.

    Photos, the camera, videos, explanations, training runs and reports of data sets. Uploaded files
    are not stored, and no usage statistics are sent. It listens on this machine alone unless --host
    says otherwise.
    """
    from mien.apps.streamlit import server

    run = server.load_streamlit()
    model_path = convert_keras_model(model) if model else None
    options = {server.MODEL: model_path, server.DETECTOR: detector, server.PRIOR: prior, server.RUNS: runs}
    # Streamlit runs the page in its own way and passes nothing on but environment variables.
    os.environ.update({name: str(value) for name, value in options.items() if value is not None})
    settings = server.load_page_settings()
    # Loaded once here: an error shows at the start, and not to the first visitor.
    context.obj(model=settings.model, detector=settings.detector, prior=settings.prior)
    server.serve_streamlit(run, host, port, announce_server)
