"""``mien desktop``: the desktop application."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from mien.apps.cli.console import silence_native_stderr
from mien.apps.cli.options import DETECTOR_OPTION, MODEL_OPTION, LoadEngine

if TYPE_CHECKING:
    from mien.apps.desktop.model_session import Load

EPILOG = """\b
Examples:
  mien desktop
  mien desktop photo.jpg
  mien desktop holiday
  mien desktop clip.webm --detector haar

\b
Keys stand in the menus, and F1 shows them all. Files can be dropped on the window where the extra
'desktop' is installed. Exit status: 0; 1 where there is no screen.
"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, metavar="[PICTURE|FOLDER|VIDEO]...", type=click.Path(path_type=Path))
@DETECTOR_OPTION
@MODEL_OPTION
@click.pass_context
def desktop(context: click.Context, paths: tuple[Path, ...], detector: str, model: str) -> None:
    """Open the desktop application.

    Photos and folders of them, the camera, films, and the inside of the network, in one window. Everything happens on
    this machine, and nothing is kept unless you save it.
    """
    from mien.apps.desktop.model_session import Choice
    from mien.apps.desktop.start import start

    load: LoadEngine = context.obj
    with silence_native_stderr():
        start(cast("Load", load), [Path(os.path.abspath(path)) for path in paths], Choice(model, detector))  # noqa: PTH100
