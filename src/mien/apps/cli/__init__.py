"""The command line. ``main`` is its door; every command has a module of its own, imported when it is called."""

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command (``sys.argv`` unless arguments are given) and leave with its exit status."""
    try:
        # Imported here so that a Ctrl-C in the first milliseconds is as quiet as a later one.
        from mien.apps.cli.command_line import run

        status = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
