"""From the outputs of a model to a value: the two targets, the prior, mixtures and uncertainty, by the model's card.

A model with two heads answers two questions. ``people``: what would most people call the expression? ``label``: what
would FER2013's label be, which is one annotator's word and often another one? The scores of ``people`` are a third
output, whose logits are a weighted sum of the logits of both heads plus an offset for each label; the weights are in
the card's ``decision``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, PriorError, suggest_name
from mien.models.card import ModelCard
from mien.results import Emotions, Score
from mien.text import format_percent

#: The questions that scores answer, the default first.
TARGETS = ("people", "label")

#: The class frequencies that scores assume: those of the training faces, or all equal.
PRIORS = ("training", "even")


def check_target(target: str) -> str:
    """The target, if there is one of that name."""
    if target not in TARGETS:
        raise MienError(f"There is no target '{target}'", "Expected people or label", suggest_name(target, TARGETS))
    return target


def check_prior(prior: str) -> str:
    """The prior, if there is one of that name."""
    if prior not in PRIORS:
        raise PriorError(f"There is no prior '{prior}'", "Expected training or even", suggest_name(prior, PRIORS))
    return prior


def assumed_prior(card: ModelCard) -> str:
    """The prior that the scores of a model with this card assume, one of PRIORS."""
    return "even" if card.decision.get("even") else "training"


def assume_even_prior(card: ModelCard) -> ModelCard:
    """The card of a model whose scores assume that all expressions are equally frequent."""
    if not card.decision.get("prior"):
        happened = f"The card of the model '{card.name}' has no class frequencies"
        raise PriorError(happened, "An even prior needs them", "Name a model with votes, or leave the prior out")
    return replace(card, decision={**card.decision, "even": True})


def prior_offsets(card: ModelCard) -> dict[str, float]:
    """What the assumed prior adds to the logit of each label: nothing, or with an even prior the negative logarithm."""
    frequencies = card.decision["prior"] if assumed_prior(card) == "even" else dict.fromkeys(card.labels, 1.0)
    return {label: -math.log(frequencies[label]) for label in card.labels}


def divide_by_prior(
    scores: NDArray[np.float32], labels: Sequence[str], frequencies: Mapping[str, float]
) -> NDArray[np.float32]:
    """Scores ``(N, labels)`` as an even prior gives them, from scores that assume these class frequencies."""
    divided = scores / np.array([frequencies[label] for label in labels], np.float32)
    return np.asarray(divided / divided.sum(1, keepdims=True), np.float32)


def build_emotions(
    card: ModelCard,
    scores: NDArray[np.floating],
    votes: NDArray[np.floating] | None,
    uncertain_offset: float = 0.0,
    label_scores: NDArray[np.floating] | None = None,
) -> Emotions:
    """The outputs for one face as a value; ``uncertain_offset`` is added to the card's ``uncertain_below``."""
    people_scores = _label_values(card.labels, scores)
    vote_scores = None if votes is None else _label_values(card.vote_labels, votes)
    top = max(people_scores, key=lambda score: score.score)
    ranked_votes = sorted(vote_scores or (), key=lambda vote: (vote.label != top.label, -vote.score))
    mixture = tuple(vote for i, vote in enumerate(ranked_votes) if i == 0 or vote.score >= card.mixture_above)
    uncertain = None
    if top.score < card.uncertain_below + uncertain_offset:
        uncertain = f"no expression stands out: {top.label} leads with {format_percent(top.score)}"
    elif vote_scores and card.decision:
        most = max(vote_scores, key=lambda vote: vote.score)
        if most.label != top.label:
            uncertain = f"the answers differ: {top.label} leads, and {most.label} has the most predicted votes"
    others = None if label_scores is None else _label_values(card.labels, label_scores)
    return Emotions(people_scores, vote_scores, mixture, uncertain, others)


def _label_values(labels: Sequence[str], values: NDArray[np.floating]) -> tuple[Score, ...]:
    # float32 carries seven decimals.
    return tuple(Score(label, round(float(value), 7)) for label, value in zip(labels, values, strict=True))
