"""``mien serve``: the web application and the HTTP API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from mien.apps.cli.console import print_line, print_note
from mien.apps.cli.options import announce_server, complete_detectors, complete_models

EPILOG = """\b
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


@click.command(epilog=EPILOG)
@click.option("--host", metavar="ADDRESS", help="Listen on this address. Default: 127.0.0.1, this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Listen on this port; 0 is any free one.")
@click.option("--threads", type=click.IntRange(min=4), metavar="N", help="Number of threads that serve requests.")
@click.option("--model", metavar="NAME", shell_complete=complete_models, help="The default model.")
@click.option(
    "--detector",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="The face detector: haar, yunet, none or auto.",
)
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
    from mien.apps.web.request_log import configure_logging
    from mien.apps.web.server import WebServer, limit_memory_arenas

    limit_memory_arenas()  # here the process is the server's own; an application that embeds it decides for itself
    configure_logging(configuration.settings.log)
    server = WebServer(app)
    announce_server(format_url(*server.address))
    if not server.run():
        print_note("mien: the time to finish requests was over before all of them were answered.")
