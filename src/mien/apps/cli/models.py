"""``mien models``: list, show and download models and face detectors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import ProgressBar, escape_controls, format_columns, print_line, print_result
from mien.apps.cli.options import complete_models
from mien.errors import MienError
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.models import ModelCard
    from mien.models.checksums import PublishedFile
    from mien.models.registry import ModelEntry

EPILOG = """\b
Examples:
  mien models
  mien models --json
  mien models show base
"""

SHOW_EPILOG = """\b
Examples:
  mien models show base
  mien models show base --json
  mien models show yunet
"""

PULL_EPILOG = """\b
Examples:
  mien models pull yunet --from face_detection_yunet_2026may.onnx
  mien models pull yunet
"""


@dataclass(frozen=True)
class ModelRow:
    """One line of the list: a model or detector. ``size`` is in bytes, None if unknown."""

    name: str
    kind: str
    state: str
    size: int | None
    description: str


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print the list as a JSON array.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List models and face detectors, download and show them."""
    if context.invoked_subcommand is not None:
        return
    rows = list_models()
    table = [("NAME", "KIND", "SIZE", "STATE", "DESCRIPTION")]
    table += [(row.name, row.kind, format_megabytes(row.size), row.state, row.description) for row in rows]
    print_result(as_json, [asdict(row) for row in rows], format_columns(table))


def list_models() -> list[ModelRow]:
    """All models and detectors with the state of their files; `mien doctor` shows the same."""
    from mien.models.registry import list_models

    return [_describe_entry(entry) for entry in list_models()]


def _describe_entry(entry: ModelEntry) -> ModelRow:
    from mien.models import ModelCard, find_model_file, resolve_model
    from mien.models.checksums import PUBLISHED_FILES

    if published := PUBLISHED_FILES.get(entry.name):
        try:  # this verifies the content, which may be cut off or replaced
            state = "installed" if find_model_file(entry.name) else f"not downloaded: mien models pull {entry.name}"
        except MienError as error:
            state = f"broken: {error}"
        description = f"face detector; licence {published.license}"
        return ModelRow(entry.name, entry.kind, state, published.checksum.size, description)
    try:
        path = resolve_model(entry.name)
        card = ModelCard.read(path)
    except MienError as error:
        return ModelRow(entry.name, entry.kind, f"broken: {error}", None, "")
    state = "embedded" if entry.origin == "embedded" else f"from {entry.origin}"
    return ModelRow(entry.name, entry.kind, state, path.stat().st_size, _describe_card(card))


def _describe_card(card: ModelCard) -> str:
    votes = f" and {len(card.vote_labels)} votes" if card.vote_labels else ""
    parts = [f"{len(card.labels)} expressions{votes} from {card.side} px {card.color}"]
    if card.parameters:
        parts.append(f"{card.parameters / 1e6:.2g} M parameters")
    accuracy, split = card.metrics.get("accuracy"), card.metrics.get("split", "")
    if isinstance(accuracy, float) and split:
        parts.append(f"accuracy {100 * accuracy:.1f} % on {split}")
    return ", ".join(parts)


def format_megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"


@models.command(epilog=PULL_EPILOG)
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Install this local file; no network is used.",
)
def pull(name: str, source: Path | None) -> None:
    """Download NAME from its publisher, verify it, and store it in mien's folder.

    The folder is the platform's cache folder, or the one that MIEN_HOME names.
    """
    from mien.models.registry import pull_model

    with ProgressBar(amount=lambda size: f"{size / 1000:,.0f} kB") as bar:
        path = pull_model(name, source=source, progress=bar.update)
    print_line(f"{escape_controls(name)} is installed: {escape_controls(str(path))}")


@models.command(epilog=SHOW_EPILOG)
@click.argument("name", shell_complete=complete_models)
@click.option("--json", "as_json", is_flag=True, help="Print the card as one line of JSON.")
def show(name: str, as_json: bool) -> None:
    """Show the card of NAME: labels, input, scores, recipe, licence.

    NAME is a name from 'mien models', an .onnx file, or the folder of a training run.
    """
    from mien.models import ModelCard, resolve_model
    from mien.models.checksums import PUBLISHED_FILES

    if name in PUBLISHED_FILES:
        facts = _published_file_facts(PUBLISHED_FILES[name])
        text = json.dumps(facts, ensure_ascii=False)
    else:
        path = resolve_model(name)
        card = ModelCard.read(path)
        facts, text = _card_facts(card, path), card.to_json()
    if not as_json:
        rows = list(_flatten(facts))
        width = max(len(name) for name, _ in rows)
        text = "\n".join(escape_controls(f"{name:{width}}  {value}") for name, value in rows)
    print_line(text)


def _published_file_facts(publication: PublishedFile) -> dict[str, Any]:
    from mien.models.registry import list_models

    path = next(entry.path for entry in list_models() if entry.name == publication.name)
    return {
        "name": publication.name,
        "kind": publication.kind,
        "file": str(path) if path else f"not downloaded: mien models pull {publication.name}",
        "size": publication.checksum.size,
        "address": publication.url,
        "sha256": publication.checksum.sha256,
        "license": publication.license,
    }


def _card_facts(card: ModelCard, path: Path) -> dict[str, Any]:
    """The fields of the card for a reader, in order of interest."""
    uncertain = (
        f"when no probability reaches {format_percent(card.uncertain_below)}" if card.uncertain_below else "never"
    )
    mixture = f"every expression with {format_percent(card.mixture_above)} of the votes" if card.vote_labels else "none"
    return {
        "name": card.name,
        "file": str(path),
        "size": path.stat().st_size,
        "expressions": ", ".join(card.labels),
        "votes": ", ".join(card.vote_labels) or "none",
        "input": f"{card.side} x {card.side} {card.color}",
        "uncertain": uncertain,
        "mixture": mixture,
        "framings": dict(card.framings),
        "temperature": card.temperature,
        "votes temperature": card.votes_temperature,
        "parameters": card.parameters,
        "multiply-adds": card.multiply_adds,
        "metrics": card.metrics,
        "recipe": card.recipe,
        "license": card.license,
        "date": card.date,
        "card version": card.version,
    }


def _flatten(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested tables as lines: ``scores accuracy``. A table inside a table that has no tables itself is one line."""
    for name, value in facts.items():
        is_table = isinstance(value, Mapping)
        if prefix and is_table and not any(isinstance(item, Mapping) for item in value.values()):
            yield f"{prefix}{name}", ", ".join(f"{key} {_format_value(item)}" for key, item in value.items())
        elif is_table:
            yield from _flatten(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", _format_value(value)


def _format_value(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return " ".join(map(_format_value, value)) if isinstance(value, list | tuple) else str(value)
