"""The command line. ``main`` is the entry point; every command has a module of its own, imported when it is called."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line (default: ``sys.argv``) and exit with its status."""
    try:
        # Imported here so that Ctrl-C during the imports prints no traceback either.
        from mien.apps.cli.command_line import run

        status = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        status = 130
    if status in (130, 143):
        # Interrupted: a thread may still decode, or wait for a pipe, and Python would wait for it at the end.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)
