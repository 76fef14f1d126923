"""``mien completion``: the script with which a shell completes mien's commands, options and names."""

from __future__ import annotations

import sys

import click

from mien.apps.cli.console import is_terminal, print_line, print_note

#: Where each shell looks for completion scripts by default.
SCRIPT_PATHS = {
    "bash": "~/.local/share/bash-completion/completions/mien",
    "zsh": "~/.zfunc/_mien",
    "fish": "~/.config/fish/completions/mien.fish",
}

EPILOG = """\b
Examples:
  mien completion bash
  mien completion zsh
  mien completion fish
"""


@click.command(epilog=EPILOG)
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
