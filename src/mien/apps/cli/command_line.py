"""``mien`` itself: a table of commands, each imported when it is called."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import IO, NoReturn

import click

from mien._version import __version__
from mien.apps.cli.console import escape_controls, flush_stdout, make_output_error, print_note
from mien.apps.cli.options import LoadEngine, load_engine
from mien.errors import MienError, nearest

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


# ==== mien.apps.cli.edge
# The edge: the one place where what went wrong becomes a sentence on stderr and an exit status.

#: What the shell sees. ``docs`` and ``mien --help`` say the same.
FAILED, USAGE, BUG, INTERRUPTED, CLOSED_PIPE, TERMINATED = 1, 2, 70, 130, 141, 143


class Terminated(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt no handler in between may swallow it."""


def run(arguments: Sequence[str], load: LoadEngine = load_engine) -> int:
    """Run one command line and return its exit status. ``load`` makes the engine: the seam where tests put theirs."""
    _speak_any_name(sys.stdout, sys.stderr)
    with _terminable():
        try:
            status = _invoke(list(arguments), load)
            flush_stdout()
            return status
        except BaseException as error:  # noqa: BLE001  # the edge: nothing passes it unsaid
            return _leave(error)


def _invoke(arguments: list[str], load: LoadEngine) -> int:
    # Not click's own main: that turns a closed pipe and a Ctrl-C into the same status 1.
    try:
        _complete_if_asked()
        with mien.make_context("mien", arguments, obj=load) as context:
            mien.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    return 0


def _complete_if_asked() -> None:
    if instruction := os.environ.get("_MIEN_COMPLETE"):
        from click.shell_completion import shell_complete

        raise click.exceptions.Exit(shell_complete(mien, {}, "mien", "_MIEN_COMPLETE", instruction))


def _leave(error: BaseException) -> int:
    """Say what there is to say about an error and return the exit status for it."""
    if os.environ.get("MIEN_DEBUG"):
        traceback.print_exception(error)
    error = _stopped_by(error) or error
    match error:
        case click.exceptions.NoArgsIsHelpError():
            print_note(error.format_message())
            return USAGE
        case click.UsageError():
            return _complain(_usage(error), USAGE)
        case click.ClickException():
            return _complain(error.format_message(), FAILED)
        case BrokenPipeError():
            return _silence(CLOSED_PIPE)
        case KeyboardInterrupt() | click.Abort():
            return _silence(INTERRUPTED)
        case Terminated():
            return _silence(TERMINATED)
        case SystemExit() | GeneratorExit():
            raise error
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EIO | errno.EFBIG):
            # The library says such things in its own words; only stdout under click's help is left.
            return _silence(_complain(str(make_output_error(error)), FAILED))
        case MienError():
            return _silence(_complain(escape_controls(str(error)), FAILED))
        case _:
            return _silence(_complain(_bug(error), BUG))


def _stopped_by(error: BaseException | None) -> BaseException | None:
    """The signal behind an error: one that lands inside a lock's own code comes out as that lock's complaint."""
    while error is not None and not isinstance(error, KeyboardInterrupt | Terminated):
        error = error.__context__
    return error


def _complain(message: str, status: int) -> int:
    """Line by line and printable: names out of files are in it, and none of them steers the terminal."""
    print_note("\n".join(escape_controls(line.expandtabs(4)) for line in f"mien: {message}".splitlines()))
    return status


def _usage(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "mien"
    return f"{error.format_message()}\nTry '{command} --help'."


def _bug(error: BaseException) -> str:
    again = "" if os.environ.get("MIEN_DEBUG") else "Run it again with MIEN_DEBUG=1 to see where, and "
    plea = f"{again}report it with the command you ran."
    return f"this is a bug in mien: {type(error).__name__}: {error}. {plea[0].upper()}{plea[1:]}"


def _silence(status: int) -> int:
    """Throw away what stdout still holds, so that the interpreter does not complain about it on its way out."""
    if sys.stdout is None:  # started with stdout closed
        return status
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _speak_any_name(*streams: IO[str]) -> None:
    """A file name that is no text in the stream's encoding is written with escapes instead of ending the run."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _terminable() -> Iterator[None]:
    """While inside, SIGTERM unwinds like Ctrl-C: bars are wiped and files closed."""
    try:
        before = signal.signal(signal.SIGTERM, _terminate)
    except ValueError:  # not the main thread: whoever runs us there minds the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> NoReturn:
    raise Terminated
