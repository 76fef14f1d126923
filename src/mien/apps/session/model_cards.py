"""Model cards as rows of text, for the pages that show and compare models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.models import ModelCard
from mien.text import LIMITATIONS, format_percent

#: The rows of a comparison, and the keys of the metric in the card of each.
_METRICS = (
    ("Accuracy, people", ("people", "accuracy")),
    ("Balanced accuracy, people", ("people", "balanced_accuracy")),
    ("Balanced accuracy, people, even prior", ("people", "even_prior", "balanced_accuracy")),
    ("Accuracy, label", ("accuracy",)),
    ("Accuracy without duplicates, label", ("accuracy_no_duplicates",)),
    ("Accuracy at 70\u00a0% coverage, label", ("accuracy_at_coverage_70",)),
    ("Balanced accuracy, label", ("balanced_accuracy",)),
    ("Accuracy on annotator votes (FER+)", ("votes_accuracy",)),
)

_CALIBRATION = (("Calibration error (ECE), people", ("people", "ece")), ("Calibration error (ECE), label", ("ece",)))


def compare_cards(cards: Mapping[str, ModelCard]) -> list[tuple[str, list[str]]]:
    """The name of each row and the cell of each model; rows without any value are omitted."""
    rows = [(name, [format_score(_read_metric(card, keys)) for card in cards.values()]) for name, keys in _METRICS]
    for name, keys in _CALIBRATION:
        errors = [_read_metric(card, keys) for card in cards.values()]
        rows.append((name, ["" if error is None else f"{error:.3f}" for error in errors]))
    rows.append(("Parameters", [f"{card.parameters:,}" if card.parameters else "" for card in cards.values()]))
    return [(name, cells) for name, cells in rows if any(cells)]


def _read_metric(card: ModelCard, keys: tuple[str, ...]) -> Any:
    """A metric in nested tables; None without it."""
    if keys[-1] == "accuracy" and len(keys) <= 2:
        return card.accuracy("people" if len(keys) == 2 else "label")
    value: Any = card.metrics
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def describe_targets(card: ModelCard) -> str:
    """What the model answers, in at most three sentences, with the accuracies that its card has."""
    people, label = (
        "" if accuracy is None else format_score(accuracy)
        for accuracy in (card.accuracy("people"), card.accuracy("label"))
    )
    label_part = f" for {label} of the test faces" if label else ""
    if not card.decision:
        predicted = f", which it predicts{label_part}" if label else ""
        return (
            f"This model has one target: its scores are those of FER2013's label{predicted}. "
            "The label is one person's word, and often not what most people would say."
        )
    agreed = "of the test faces that at least half of them agree on"
    agreement = f": it is what most annotators chose on {people} {agreed}" if people else ""
    correct = f"the model predicts it{label_part}, and " if label else ""
    return (
        f"Scores, leading expression and uncertainty say what most people would call an expression{agreement}. "
        f"FER2013's label is another target, which often is not what most people say: {correct}published accuracies "
        "are about it. "
        "The votes are the predicted answers of ten annotators (FER+), who could also choose contempt."
    )


def list_facts(card: ModelCard) -> list[tuple[str, str]]:
    """The facts about a model as names and values; facts that the card does not have are omitted."""
    colour = "gray" if card.color == "gray" else "colour"
    uncertain = f"below {100 * card.uncertain_below:.0f}\u00a0% for every expression"
    recalls = _read_metric(card, ("people", "recall")) or {}
    facts = [
        ("Targets", describe_targets(card)),
        ("Recall, people", ", ".join(f"{label} {format_score(recall, 0)}" for label, recall in recalls.items())),
        ("Input", f"{card.side} × {card.side} pixels, {colour}"),
        ("Labels", ", ".join(card.labels)),
        ("Predicted votes (FER+)", ", ".join(card.vote_labels)),
        (
            "Uncertain",
            f"{uncertain}, or where another one has the most predicted votes" if card.decision else uncertain,
        ),
        ("Size", f"{card.parameters:,} parameters, {card.multiply_adds / 1e6:.0f} million multiply-adds per face"),
        ("Date", card.date),
        ("Licence", card.license),
    ]
    return [(name, value) for name, value in facts if value]


def list_limitations(card: ModelCard) -> list[str]:
    """What the model cannot do, in sentences, with its accuracies if the card has them."""
    sentences = list(LIMITATIONS)
    people, label = card.accuracy("people"), card.accuracy("label")
    if label is not None:
        agreement = f"calls {100 * people:.0f} of 100 test faces as most annotators do, and " if people else ""
        sentences.insert(
            1, f"It is often wrong: it {agreement}predicts FER2013's label of {100 * label:.0f} of 100 test faces."
        )
    return sentences


def coverage_curve(card: ModelCard) -> list[tuple[float, float]]:
    """Accuracy of the label against coverage: a fraction of the faces, the most confident ones, and its accuracy."""
    curve = card.metrics.get("coverage") or {}
    return sorted((float(coverage), float(accuracy)) for coverage, accuracy in curve.items())


def format_score(value: Any, digits: int = 1) -> str:
    return format_percent(value, digits, no_break=True) if isinstance(value, int | float) else ""
