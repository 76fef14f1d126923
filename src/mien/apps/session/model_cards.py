"""What models say of themselves, in words and rows, for the windows that show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.models import ModelCard
from mien.text import format_percent

#: What is compared, and the score of a card that tells it.
_MEASURES = (
    ("Right on the test faces", "accuracy"),
    ("… without faces seen in training", "accuracy_no_twins"),
    ("Right on the 70 % it is surest of", "accuracy_surest_70"),
    ("Mean over the expressions", "balanced_accuracy"),
    ("Names what most of ten people said", "votes_accuracy"),
)


def compare_cards(cards: Mapping[str, ModelCard]) -> list[tuple[str, list[str]]]:
    """What is compared, and each model's cell; rows that no model can fill are left out."""
    rows = [(words, [format_score(card.scores.get(name)) for card in cards.values()]) for words, name in _MEASURES]
    rows.append(("Calibration error", [_plain(card.scores.get("ece")) for card in cards.values()]))
    rows.append(("Parameters", [f"{card.parameters:,}" if card.parameters else "" for card in cards.values()]))
    return [(words, cells) for words, cells in rows if any(cells)]


def list_facts(card: ModelCard) -> list[tuple[str, str]]:
    """What a model is, as names and values; what its card does not say is left out."""
    colour = "gray" if card.color == "gray" else "colour"
    told = [
        ("Sees", f"{card.side} × {card.side} pixels, {colour}"),
        ("Tells apart", ", ".join(card.labels)),
        ("Ten people", f"would say one of: {', '.join(card.vote_labels)}" if card.vote_labels else ""),
        ("Is unsure", f"when no expression has {100 * card.uncertain_below:.0f} % or more"),
        ("Size", f"{card.parameters:,} parameters, {card.multiply_adds / 1e6:.0f} million multiply-adds a face"),
        ("Trained", card.date),
        ("Licence", card.license),
    ]
    return [(name, value) for name, value in told if value]


def coverage_curve(card: ModelCard) -> list[tuple[float, float]]:
    """How right a model is on the faces it is surest of, by how many of them are kept; both from 0 to 1."""
    known = card.scores.get("coverage") or {}
    return sorted((float(kept), float(right)) for kept, right in known.items())


def format_score(value: Any) -> str:
    return format_percent(value, 1, no_break=True) if isinstance(value, int | float) else ""


def _plain(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""
