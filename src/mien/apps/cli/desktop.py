"""``mien desktop``: the desktop application."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mien.apps.cli.console import silence_native_stderr
from mien.apps.cli.options import DETECTOR_OPTION, MODEL_OPTION

EPILOG = """\b
Examples:
  mien desktop
  mien desktop photo.jpg
  mien desktop holiday
  mien desktop clip.webm --detector haar

\b
The menus show the keyboard shortcuts, and F1 lists all of them. With the extra 'desktop', files can
be dropped on the window. Exit status: 0; 1 where there is no screen.
"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, metavar="[IMAGE|FOLDER|VIDEO]...", type=click.Path(path_type=Path))
@DETECTOR_OPTION
@MODEL_OPTION
@click.pass_context
def desktop(context: click.Context, paths: tuple[Path, ...], detector: str, model: str) -> None:
    """Open the desktop application.

    Images and folders of images, the camera, videos, and explanations, in one window. All
    computation is on this machine, and nothing is stored unless you save it.
    """
    from mien.apps.desktop.main_loop import run_application
    from mien.apps.desktop.state import ModelSelection

    with silence_native_stderr():
        run_application(context.obj, [Path(os.path.abspath(path)) for path in paths], ModelSelection(model, detector))  # noqa: PTH100
