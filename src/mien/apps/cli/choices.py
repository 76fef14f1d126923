"""Names for the shell to complete; looked up only when it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mien.errors import MienError

if TYPE_CHECKING:  # for the shell alone, and slow enough to be felt in --help
    from click.shell_completion import CompletionItem


def complete_detectors(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from mien.faces import detector_names

    return [CompletionItem(name) for name in detector_names() if name.startswith(begun)]


def complete_models(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from mien.models import available

    try:
        names = [CompletionItem(name) for name in available() if name.startswith(begun)]
    except MienError:  # nobody wants a sentence in the middle of a command line
        names = []
    # An .onnx file serves as well, so the shell's own files are offered where no name fits.
    return names or [CompletionItem(begun, type="file")]
