"""Model cards as rows of text, for the pages that show and compare models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.models import ModelCard
from mien.text import LIMITATIONS, format_percent

#: The rows of a comparison, and the metric of the card in each.
_METRICS = (
    ("Accuracy", "accuracy"),
    ("Accuracy without duplicates", "accuracy_no_duplicates"),
    ("Accuracy at 70\u00a0% coverage", "accuracy_at_coverage_70"),
    ("Balanced accuracy", "balanced_accuracy"),
    ("Accuracy on annotator votes (FER+)", "votes_accuracy"),
)


def compare_cards(cards: Mapping[str, ModelCard]) -> list[tuple[str, list[str]]]:
    """The name of each row and the cell of each model; rows without any value are omitted."""
    rows = [(name, [format_score(card.metrics.get(key)) for card in cards.values()]) for name, key in _METRICS]
    errors = [card.metrics.get("ece") for card in cards.values()]
    rows.append(("Calibration error (ECE)", ["" if error is None else f"{error:.3f}" for error in errors]))
    rows.append(("Parameters", [f"{card.parameters:,}" if card.parameters else "" for card in cards.values()]))
    return [(name, cells) for name, cells in rows if any(cells)]


def list_facts(card: ModelCard) -> list[tuple[str, str]]:
    """The facts about a model as names and values; facts that the card does not have are omitted."""
    colour = "gray" if card.color == "gray" else "colour"
    facts = [
        ("Input", f"{card.side} × {card.side} pixels, {colour}"),
        ("Labels", ", ".join(card.labels)),
        ("Predicted votes (FER+)", ", ".join(card.vote_labels)),
        ("Uncertain", f"below {100 * card.uncertain_below:.0f}\u00a0% for every expression"),
        ("Size", f"{card.parameters:,} parameters, {card.multiply_adds / 1e6:.0f} million multiply-adds per face"),
        ("Date", card.date),
        ("Licence", card.license),
    ]
    return [(name, value) for name, value in facts if value]


def list_limitations(card: ModelCard) -> list[str]:
    """What the model cannot do, in sentences, with its accuracy if the card has one."""
    sentences = list(LIMITATIONS)
    accuracy = card.metrics.get("accuracy")
    if isinstance(accuracy, float):
        count = f"{len(card.labels)} expressions for {100 * accuracy:.0f} of 100"
        sentences.insert(1, f"It is often wrong: it predicts the correct one of {count} test faces.")
    return sentences


def coverage_curve(card: ModelCard) -> list[tuple[float, float]]:
    """Accuracy against coverage: the fraction of the faces with the highest confidence, and the accuracy on it."""
    curve = card.metrics.get("coverage") or {}
    return sorted((float(coverage), float(accuracy)) for coverage, accuracy in curve.items())


def format_score(value: Any) -> str:
    return format_percent(value, 1, no_break=True) if isinstance(value, int | float) else ""
