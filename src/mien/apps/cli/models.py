"""``mien models``: which models and detectors there are, and where their files stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from mien.apps.cli.output import printable, say
from mien.apps.cli.pull import pull
from mien.apps.cli.show import show
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.models import ModelCard
    from mien.models.store import Entry

EPILOG = """\b
Examples:
  mien models
  mien models --json
  mien models show base
"""


@dataclass(frozen=True)
class Line:
    """One model or detector as the list tells it; ``size`` in bytes, None when nobody knows it."""

    name: str
    kind: str
    state: str
    size: int | None
    description: str


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON array.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List models and face detectors, fetch and show them."""
    if context.invoked_subcommand is None:
        lines = listed()
        say(json.dumps([asdict(line) for line in lines], ensure_ascii=False) if as_json else _table(lines))


models.add_command(pull)
models.add_command(show)


def listed() -> list[Line]:
    from mien.models.store import entries

    return [_line(entry) for entry in entries()]


def _line(entry: Entry) -> Line:
    from mien.models.published import PUBLISHED

    if published := PUBLISHED.get(entry.name):
        about = f"finds faces; licence {published.license}"
        return Line(entry.name, entry.kind, _state(entry.name), published.seal.size, about)
    state = "embedded" if entry.origin == "embedded" else f"from {entry.origin}"
    try:
        return Line(entry.name, entry.kind, state, *_size_and_card(entry.name))
    except MienError as error:
        return Line(entry.name, entry.kind, f"broken: {error}", None, "")


def _state(name: str) -> str:
    """Where a published file stands; its content is looked at, for it may have been cut off or swapped."""
    from mien.models import find

    try:
        return "installed" if find(name) else f"not fetched: mien models pull {name}"
    except MienError as error:
        return f"broken: {error}"


def _size_and_card(name: str) -> tuple[int, str]:
    from mien.models import ModelCard, locate

    path = locate(name)
    card = ModelCard.read(path)
    votes = f" and {len(card.vote_labels)} votes" if card.vote_labels else ""
    millions = f", {card.parameters / 1e6:.2g} M parameters" if card.parameters else ""
    told = f"{len(card.labels)} expressions{votes} from {card.side} px {card.color}{millions}{_right(card)}"
    return path.stat().st_size, told


def _right(card: ModelCard) -> str:
    """How right the card says the model is, and on which faces."""
    right, split = card.scores.get("accuracy"), card.scores.get("split", "")
    return f", {100 * right:.1f} % right on {split}" if isinstance(right, float) and split else ""


def _table(lines: list[Line]) -> str:
    rows = [("NAME", "KIND", "SIZE", "STATE", "WHAT IT IS")]
    rows += [(line.name, line.kind, megabytes(line.size), line.state, line.description) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_row(row, widths) for row in rows)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return printable("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"
