"""``mien models pull``: fetch a published file once, and verify it."""

from __future__ import annotations

from pathlib import Path

import click

from mien.apps.cli.bar import Bar
from mien.apps.cli.output import printable, say

EPILOG = """\b
Examples:
  mien models pull yunet --from face_detection_yunet_2026may.onnx
  mien models pull yunet
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Install it from a file that you brought; no network is used.",
)
def pull(name: str, source: Path | None) -> None:
    """Fetch NAME from its publisher, verify it, and keep it in mien's folder.

    The folder is the platform's cache folder, or the one that MIEN_HOME names.
    """
    from mien.models.store import pull as bring

    with Bar(amount=_kilobytes) as bar:
        path = bring(name, source=source, progress=bar.update)
    say(f"{printable(name)} is installed: {printable(str(path))}")


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.0f} kB"
