"""``mien serve``: the web app and the service."""

from __future__ import annotations

import sys
from typing import Any

import click

from mien.apps.cli.console import is_terminal, print_line, print_note
from mien.apps.cli.options import complete_detectors, complete_models

EPILOG = """\b
Examples:
  mien serve --print-config
  mien serve                                     (then open http://127.0.0.1:8000)
  mien serve --port 9000 --detector haar
  mien serve --host 0.0.0.0 --config mien.toml

\b
Every setting is also a variable (MIEN_PORT=9000) and a line of the TOML file that --config or
MIEN_CONFIG names; an option wins over a variable, and that over the file. SIGTERM and Ctrl-C
finish what was begun and end with 0.
"""


@click.command(epilog=EPILOG)
@click.option("--host", metavar="ADDRESS", help="Listen on this address. Without it: 127.0.0.1, this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Listen on this port; 0 takes a free one.")
@click.option("--threads", type=click.IntRange(min=4), metavar="N", help="Threads that hold a request.")
@click.option("--model", metavar="NAME", shell_complete=complete_models, help="The model that answers.")
@click.option(
    "--detector",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="haar, yunet, none or auto: who finds faces.",
)
@click.option("--config", metavar="FILE", help="A TOML file with settings.")
@click.option("--print-config", is_flag=True, help="Show every setting, its value and where it comes from, and end.")
def serve(print_config: bool, **given: Any) -> None:
    """Open the web app, and answer programs under /api/v1.

    Nothing that is sent to it is kept: pictures are read in memory, films in a folder that goes when
    their job is over. It listens on this machine alone unless --host says otherwise.
    """
    from mien.apps.web.settings import format_toml, load_settings_with_origins

    known = load_settings_with_origins(given)
    if print_config:
        print_line("\n".join(format_toml(known)).rstrip())
        return
    _serve(known.settings)


def _serve(settings: Any) -> None:
    from mien.apps.web import create_app
    from mien.apps.web import server as arenas
    from mien.apps.web.request_log import configure_logging

    arenas.limit_memory_arenas()  # the process is ours; whoever embeds the app decides about theirs

    app = create_app(**{name: getattr(settings, name) for name in settings.__dataclass_fields__})
    # Flask is here, and so is what came with it.
    from mien.apps.web.server import WebServer

    configure_logging(settings.log)
    server = WebServer(app)
    host, port = server.address
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    print_line(f"mien answers at http://{shown}:{port}")
    if is_terminal(sys.stderr):
        print_note("Ctrl-C stops it.")
    if not server.run():
        print_note("mien: some requests were still being answered when the time for that was over.")
