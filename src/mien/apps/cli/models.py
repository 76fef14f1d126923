"""``mien models show``: the card of a model, or the facts of a published file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import ProgressBar, escape_controls, print_line
from mien.apps.cli.options import complete_models
from mien.errors import MienError
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.models import ModelCard
    from mien.models.checksums import PublishedFile
    from mien.models.registry import ModelEntry


SHOW_EPILOG = """\b
Examples:
  mien models show base
  mien models show base --json
  mien models show yunet
"""


@click.command(epilog=SHOW_EPILOG)
@click.argument("name", shell_complete=complete_models)
@click.option("--json", "as_json", is_flag=True, help="The card as one line of JSON.")
def show(name: str, as_json: bool) -> None:
    """Show what NAME says about itself: labels, input, scores, recipe, licence.

    NAME is a name from 'mien models', an .onnx file, or the folder of a training run.
    """
    from mien.models import ModelCard, resolve_model
    from mien.models.checksums import PUBLISHED_FILES

    if name in PUBLISHED_FILES:
        facts = _published(PUBLISHED_FILES[name])
        print_line(json.dumps(facts, ensure_ascii=False) if as_json else _lines(facts))
        return
    path = resolve_model(name)
    card = ModelCard.read(path)
    print_line(card.to_json() if as_json else _lines(_told(card, path)))


def _published(publication: PublishedFile) -> dict[str, Any]:
    from mien.models.registry import list_models

    path = next(entry.path for entry in list_models() if entry.name == publication.name)
    return {
        "name": publication.name,
        "kind": publication.kind,
        "file": str(path) if path else f"not fetched: mien models pull {publication.name}",
        "size": publication.seal.size,
        "address": publication.url,
        "sha256": publication.seal.sha256,
        "license": publication.license,
    }


def _told(card: ModelCard, path: Path) -> dict[str, Any]:
    """The card's facts in the words and the order of a reader."""
    return {
        "name": card.name,
        "file": str(path),
        "size": path.stat().st_size,
        "expressions": ", ".join(card.labels),
        "votes": ", ".join(card.vote_labels) or "none",
        "input": f"{card.side} x {card.side} {card.color}",
        "uncertain": f"when no share reaches {format_percent(card.uncertain_below)}" if card.uncertain_below else "never",
        "mixture": f"every expression with {format_percent(card.mixture_above)} of the votes" if card.vote_labels else "none",
        "framings": dict(card.framings),
        "temperature": card.temperature,
        "votes temperature": card.votes_temperature,
        "parameters": card.parameters,
        "multiply-adds": card.multiply_adds,
        "scores": card.scores,
        "recipe": card.recipe,
        "license": card.license,
        "date": card.date,
        "card version": card.version,
    }


def _lines(facts: Mapping[str, Any]) -> str:
    flat = list(_flat(facts))
    width = max(len(name) for name, _ in flat)
    return "\n".join(escape_controls(f"{name:{width}}  {value}") for name, value in flat)


def _flat(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Tables inside the card, told line by line: ``scores accuracy``; those inside a table are a line each."""
    for name, value in facts.items():
        if above and _is_row(value):
            yield f"{above}{name}", ", ".join(f"{key} {_value(part)}" for key, part in value.items())
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", _value(value)


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(isinstance(part, Mapping) for part in value.values())


def _value(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return " ".join(map(_value, value)) if isinstance(value, list | tuple) else str(value)


# ==== mien.apps.cli.pull
# ``mien models pull``: fetch a published file once, and verify it.

PULL_EPILOG = """\b
Examples:
  mien models pull yunet --from face_detection_yunet_2026may.onnx
  mien models pull yunet
"""


@click.command(epilog=PULL_EPILOG)
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
    from mien.models.registry import pull_model as bring

    with ProgressBar(amount=_kilobytes) as bar:
        path = bring(name, source=source, progress=bar.update)
    print_line(f"{escape_controls(name)} is installed: {escape_controls(str(path))}")


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.0f} kB"


# ==== mien.apps.cli.models
# ``mien models``: which models and detectors there are, and where their files stand.

EPILOG = """\b
Examples:
  mien models
  mien models --json
  mien models show base
"""


@dataclass(frozen=True)
class ModelRow:
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
        lines = list_models()
        print_line(json.dumps([asdict(line) for line in lines], ensure_ascii=False) if as_json else _table(lines))


models.add_command(pull)
models.add_command(show)


def list_models() -> list[ModelRow]:
    from mien.models.registry import list_models

    return [_line(entry) for entry in list_models()]


def _line(entry: ModelEntry) -> ModelRow:
    from mien.models.checksums import PUBLISHED_FILES

    if published := PUBLISHED_FILES.get(entry.name):
        about = f"finds faces; licence {published.license}"
        return ModelRow(entry.name, entry.kind, _state(entry.name), published.seal.size, about)
    state = "embedded" if entry.origin == "embedded" else f"from {entry.origin}"
    try:
        return ModelRow(entry.name, entry.kind, state, *_size_and_card(entry.name))
    except MienError as error:
        return ModelRow(entry.name, entry.kind, f"broken: {error}", None, "")


def _state(name: str) -> str:
    """Where a published file stands; its content is looked at, for it may have been cut off or swapped."""
    from mien.models import find_model_file

    try:
        return "installed" if find_model_file(name) else f"not fetched: mien models pull {name}"
    except MienError as error:
        return f"broken: {error}"


def _size_and_card(name: str) -> tuple[int, str]:
    from mien.models import ModelCard, resolve_model

    path = resolve_model(name)
    card = ModelCard.read(path)
    votes = f" and {len(card.vote_labels)} votes" if card.vote_labels else ""
    millions = f", {card.parameters / 1e6:.2g} M parameters" if card.parameters else ""
    told = f"{len(card.labels)} expressions{votes} from {card.side} px {card.color}{millions}{_right(card)}"
    return path.stat().st_size, told


def _right(card: ModelCard) -> str:
    """How right the card says the model is, and on which faces."""
    right, split = card.scores.get("accuracy"), card.scores.get("split", "")
    return f", {100 * right:.1f} % right on {split}" if isinstance(right, float) and split else ""


def _table(lines: list[ModelRow]) -> str:
    rows = [("NAME", "KIND", "SIZE", "STATE", "WHAT IT IS")]
    rows += [(line.name, line.kind, format_megabytes(line.size), line.state, line.description) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_row(row, widths) for row in rows)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return escape_controls("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def format_megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"
