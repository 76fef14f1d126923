"""``mien`` itself: a table of commands, each imported when it is called."""

from __future__ import annotations

import os
from importlib import import_module

import click

from mien._version import __version__
from mien.errors import nearest

#: The commands in the order of the help, and where each lives.
COMMANDS = {
    "predict": "mien.apps.cli.predict",
    "explain": "mien.apps.cli.explain",
    "video": "mien.apps.cli.video",
    "live": "mien.apps.cli.live",
    "serve": "mien.apps.cli.serve",
    "desktop": "mien.apps.cli.desktop",
    "gradio": "mien.apps.cli.gradio",
    "streamlit": "mien.apps.cli.streamlit",
    "models": "mien.apps.cli.models",
    "data": "mien.apps.cli.data",
    "nets": "mien.apps.cli.nets",
    "train": "mien.apps.cli.train",
    "runs": "mien.apps.cli.runs",
    "evaluate": "mien.apps.cli.evaluate",
    "compare": "mien.apps.cli.compare",
    "tune": "mien.apps.cli.tune",
    "distill": "mien.apps.cli.distill",
    "export": "mien.apps.cli.export",
    "audit": "mien.apps.cli.audit",
    "robustness": "mien.apps.cli.robustness",
    "doctor": "mien.apps.cli.doctor",
    "completion": "mien.apps.cli.completion",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[name]), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if not name.startswith("-") and name not in COMMANDS and not context.resilient_parsing:
            raise click.UsageError(_unknown(name), context)
        return super().resolve_command(context, arguments)


def _unknown(name: str) -> str:
    if os.path.lexists(name):
        return f"'{name}' is a file, not a command. Did you mean 'mien predict {name}'?"
    return f"no such command '{name}'. {nearest(name, COMMANDS) or 'There are: ' + ', '.join(COMMANDS) + '.'}"


EPILOG = """\b
Examples:
  mien predict photo.jpg
  mien predict photos --csv faces.csv
  mien doctor

\b
Exit status: 0 fine; 1 something failed; 2 wrong usage; 130 stopped with Ctrl-C;
141 the pipe was closed; 143 terminated; 70 a bug in mien (MIEN_DEBUG=1 shows where).
"""


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mien", message="%(prog)s %(version)s")
def mien() -> None:
    """Read facial expressions in pictures, and say how sure the reading is."""
