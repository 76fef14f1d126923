"""``mien data``: look at faces with labels before a network learns from them, or draw some."""

from __future__ import annotations

from importlib import import_module

import click

EPILOG = """\b
Examples:
  mien data sample pictures --faces 210
  mien data check faces
"""

#: The commands in the order of the help, and where each lives.
COMMANDS = {
    "check": "mien.apps.cli.data_check",
    "report": "mien.apps.cli.data_report",
    "augment-preview": "mien.apps.cli.data_preview",
    "sample": "mien.apps.cli.data_sample",
}


class DataGroup(click.Group):
    """Its commands are imported when they are called, as those of ``mien`` itself."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[name]), name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command


@click.group(cls=DataGroup, epilog=EPILOG)
def data() -> None:
    """Check, show and draw faces to train on.

    SRC is fer2013.csv, icml_face_data.csv, an .npz, or a folder with one of them or with pictures in folders named by
    expression (train/angry/1.png). FER+'s votes are used where fer2013new.csv lies beside the faces.
    """
