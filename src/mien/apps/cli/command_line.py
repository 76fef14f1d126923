"""The command ``mien``: the table of its commands, and what an error means for stderr and the exit status."""

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
from typing import TYPE_CHECKING, NoReturn

import click

from mien._version import __version__
from mien.apps.cli.console import escape_controls, flush_stdout, is_terminal, make_output_error, print_line, print_note
from mien.apps.cli.options import load_engine
from mien.errors import MienError, suggest_name

if TYPE_CHECKING:
    from mien.apps.session.engines import EngineLoader

#: The commands in the order of the help, in groups, with their short help. Each has a module of its own name, those of
#: "Serve" have `applications`. It is imported when the command is called; the short help is repeated here so that
#: `mien --help` imports none of them.
COMMAND_GROUPS = {
    "Read": {
        "predict": "Read the expressions in images.",
        "video": "Analyse the expressions in a video over time.",
        "live": "Analyse the expressions in front of a camera, in a window.",
    },
    "Explain": {
        "explain": "Explain the predictions for the faces of images.",
        "audit": "Audit the evidence maps (saliency) of a model.",
    },
    "Train and measure": {
        "data": "Check, show and draw faces for training.",
        "nets": "List the networks that can be trained.",
        "train": "Train a network.",
        "runs": "List training runs, show and plot them.",
        "tune": "Search for better settings of RECIPE.",
        "distill": "Write soft targets of teachers for the training faces.",
        "export": "Write a training run as a model file.",
        "evaluate": "Evaluate a model on labelled faces.",
        "compare": "Compare models on the same faces.",
        "robustness": "Measure a model on corrupted faces, and by group.",
    },
    "Serve": {
        "serve": "Start the web application and the HTTP API.",
        "desktop": "Open the desktop application.",
        "gradio": "Start the Gradio page.",
        "streamlit": "Start the Streamlit page.",
    },
    "Maintain": {
        "models": "List models and face detectors, download and show them.",
        "doctor": "Check this installation, and name the command that repairs it.",
        "completion": "Print the completion script for SHELL.",
    },
}
COMMANDS = {name: summary for group in COMMAND_GROUPS.values() for name, summary in group.items()}


class CommandTable(click.Group):
    """A click group over :data:`COMMAND_GROUPS` that imports a command only when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS or name in self.commands:
            return super().get_command(context, name)
        module = "applications" if name in COMMAND_GROUPS["Serve"] else name
        command = getattr(import_module(f"mien.apps.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, commands in COMMAND_GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", summary) for name, summary in commands.items()])

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if not name.startswith("-") and name not in COMMANDS and not context.resilient_parsing:
            if os.path.lexists(name):
                message = f"'{name}' is a file, not a command. Did you mean 'mien predict {name}'?"
            else:
                suggestion = suggest_name(name, COMMANDS) or f"The commands are: {', '.join(COMMANDS)}."
                message = f"There is no command '{name}'. {suggestion}"
            raise click.UsageError(message, context)
        return super().resolve_command(context, arguments)


EPILOG = """\b
Examples:
  mien predict photo.jpg
  mien predict photos --csv faces.csv
  mien doctor

\b
Exit status: 0 success; 1 failure; 2 wrong usage; 130 stopped with Ctrl-C; 141 the pipe was
closed; 143 terminated; 70 a bug in mien (MIEN_DEBUG=1 prints the traceback).
"""


@click.group(
    cls=CommandTable,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mien", message="%(prog)s %(version)s")
def mien() -> None:
    """Read facial expressions in images, with the probability of each."""


#: Where each shell looks for completion scripts by default.
SCRIPT_PATHS = {
    "bash": "~/.local/share/bash-completion/completions/mien",
    "zsh": "~/.zfunc/_mien",
    "fish": "~/.config/fish/completions/mien.fish",
}

COMPLETION_EPILOG = """\b
Examples:
  mien completion bash
  mien completion zsh
  mien completion fish
"""


@mien.command(epilog=COMPLETION_EPILOG)
@click.argument("shell", type=click.Choice(list(SCRIPT_PATHS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    Save it where the shell looks for it, and open a new shell:

    \b
      mien completion bash > ~/.local/share/bash-completion/completions/mien
      mien completion zsh > ~/.zfunc/_mien       (with fpath+=~/.zfunc before compinit)
      mien completion fish > ~/.config/fish/completions/mien.fish
    """
    from click.shell_completion import get_completion_class

    script_class = get_completion_class(shell)
    assert script_class is not None, "click supports the shells of SCRIPT_PATHS"
    print_line(script_class(context.find_root().command, {}, "mien", "_MIEN_COMPLETE").source().strip())
    if is_terminal(sys.stdout):
        print_note(f"To install it: mien completion {shell} > {SCRIPT_PATHS[shell]}")


#: Exit statuses. `mien --help` and the documentation list the same.
FAILED, USAGE, BUG, INTERRUPTED, CLOSED_PIPE, TERMINATED = 1, 2, 70, 130, 141, 143


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt it is no Exception, so that no handler on the way catches it."""


def run(arguments: Sequence[str], load: EngineLoader = load_engine) -> int:
    """Run one command line and return its exit status. ``load`` loads the engine; tests pass their own."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name that cannot be encoded is written with escapes
            stream.reconfigure(errors="backslashreplace")
    with _raise_on_sigterm():
        try:
            status = _invoke(list(arguments), load)
            flush_stdout()
            return status
        except BaseException as error:  # noqa: BLE001  # the outermost handler: every error gets a message here
            return _report_error(error)


def _invoke(arguments: list[str], load: EngineLoader) -> int:
    # click's own main gives a closed pipe and a Ctrl-C the same exit status 1.
    try:
        if instruction := os.environ.get("_MIEN_COMPLETE"):
            from click.shell_completion import shell_complete

            return shell_complete(mien, {}, "mien", "_MIEN_COMPLETE", instruction)
        with mien.make_context("mien", arguments, obj=load) as context:
            mien.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0


@contextmanager
def _raise_on_sigterm() -> Iterator[None]:
    """Inside, SIGTERM raises Terminated, so that progress bars are cleared and files closed as with Ctrl-C."""

    def terminate(*_: object) -> NoReturn:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread: the caller handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report_error(error: BaseException) -> int:
    """Print the message for an error, and return its exit status."""
    if os.environ.get("MIEN_DEBUG"):
        traceback.print_exception(error)
    error = _find_signal(error) or error
    match error:
        case click.exceptions.NoArgsIsHelpError():
            print_note(error.format_message())
            return USAGE
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "mien"
            _print_error(f"{error.format_message()}\nTry '{command} --help'.")
            return USAGE
        case click.ClickException():
            _print_error(error.format_message())
            return FAILED
        case BrokenPipeError():
            status = CLOSED_PIPE
        case KeyboardInterrupt() | click.Abort():
            status = INTERRUPTED
        case Terminated():
            status = TERMINATED
        case SystemExit() | GeneratorExit():
            raise error
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EIO | errno.EFBIG):
            # The library raises OutputError for these; what remains is click writing its help to stdout.
            _print_error(str(make_output_error(error)))
            status = FAILED
        case MienError():
            _print_error(escape_controls(str(error)))
            status = FAILED
        case _:
            advice = "report it with the command you ran."
            if not os.environ.get("MIEN_DEBUG"):
                advice = f"run it again with MIEN_DEBUG=1 to print the traceback, and {advice}"
            _print_error(f"this is a bug in mien: {type(error).__name__}: {error}. {advice[0].upper()}{advice[1:]}")
            status = BUG
    _discard_stdout()
    return status


def _find_signal(error: BaseException | None) -> BaseException | None:
    """The Ctrl-C or SIGTERM behind an error: inside the code of a lock it surfaces as an error of that lock."""
    while error is not None and not isinstance(error, KeyboardInterrupt | Terminated):
        error = error.__context__
    return error


def _print_error(message: str) -> None:
    # Line by line: the message contains names from files, which must not steer the terminal.
    print_note("\n".join(escape_controls(line.expandtabs(4)) for line in f"mien: {message}".splitlines()))


def _discard_stdout() -> None:
    """Drop what stdout has buffered, so that the interpreter does not report a write error when it ends."""
    if sys.stdout is None:  # the process was started with stdout closed
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
