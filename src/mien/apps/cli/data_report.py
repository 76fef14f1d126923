"""``mien data report``: what is in a set of faces, as a page to show, figures and numbers."""

from __future__ import annotations

from pathlib import Path

import click

from mien.apps.cli.data_source import extras, read, source_options, writing
from mien.apps.cli.output import on_terminal, printable, remark, say

EPILOG = """\b
Examples:
  mien data report faces -o report
  mien data report faces/fer2013.csv -o other --map contempt=
"""


@click.command(epilog=EPILOG)
@source_options
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder for it.")
def report(src: str, mapped: tuple[str, ...], out: Path) -> None:
    """Show what is in a set of faces.

    One page, report.html, holds classes and weights, samples, mean faces, light, copies, what ten people said, a map of
    the faces, and what a check finds. The same figures are written as PNG, all numbers as report.json.
    """
    import sys

    source = read(src, mapped)
    tell = remark if on_terminal(sys.stderr) else _nothing
    with extras(), writing(out):
        from mien.lab import eda

        # Before half a minute is spent on what could not be written.
        out.mkdir(parents=True, exist_ok=True)
        written = eda.write(eda.examined(source, tell), out, tell)
    say(printable(str(written[0])))


def _nothing(_: str) -> None:
    """Nobody looks."""
