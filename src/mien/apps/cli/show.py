"""``mien models show``: the card of a model, or the facts of a published file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.choices import complete_models
from mien.apps.cli.output import printable, say
from mien.apps.cli.words import percent

if TYPE_CHECKING:
    from mien.models import ModelCard
    from mien.models.published import Publication

EPILOG = """\b
Examples:
  mien models show base
  mien models show base --json
  mien models show yunet
"""


@click.command(epilog=EPILOG)
@click.argument("name", shell_complete=complete_models)
@click.option("--json", "as_json", is_flag=True, help="The card as one line of JSON.")
def show(name: str, as_json: bool) -> None:
    """Show what NAME says about itself: labels, input, scores, recipe, licence.

    NAME is a name from 'mien models', an .onnx file, or the folder of a training run.
    """
    from mien.models import ModelCard, locate
    from mien.models.published import PUBLISHED

    if name in PUBLISHED:
        facts = _published(PUBLISHED[name])
        say(json.dumps(facts, ensure_ascii=False) if as_json else _lines(facts))
        return
    path = locate(name)
    card = ModelCard.read(path)
    say(card.to_json() if as_json else _lines(_told(card, path)))


def _published(publication: Publication) -> dict[str, Any]:
    from mien.models.store import entries

    path = next(entry.path for entry in entries() if entry.name == publication.name)
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
        "uncertain": f"when no share reaches {percent(card.uncertain_below)}" if card.uncertain_below else "never",
        "mixture": f"every expression with {percent(card.mixture_above)} of the votes" if card.vote_labels else "none",
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
    return "\n".join(printable(f"{name:{width}}  {value}") for name, value in flat)


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
