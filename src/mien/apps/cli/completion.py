"""``mien completion``: the script that teaches a shell to complete mien's commands, options and names."""

from __future__ import annotations

import sys

import click

from mien.apps.cli.console import is_terminal, print_line, print_note

#: Where each shell looks for completion scripts of its own accord.
HOMES = {
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
@click.argument("shell", type=click.Choice(list(HOMES)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    Save it where the shell looks for it, and open a new shell:

    \b
      mien completion bash > ~/.local/share/bash-completion/completions/mien
      mien completion zsh > ~/.zfunc/_mien       (with fpath+=~/.zfunc before compinit)
      mien completion fish > ~/.config/fish/completions/mien.fish
    """
    print_line(script(context.find_root().command, shell))
    if is_terminal(sys.stdout):
        print_note(f"To install it: mien completion {shell} > {HOMES[shell]}")


def script(command: click.Command, shell: str) -> str:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells of HOMES"
    return kind(command, {}, "mien", "_MIEN_COMPLETE").source().strip()
