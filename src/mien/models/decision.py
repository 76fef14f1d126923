"""From the numbers of a model to a value: mixtures and uncertainty by the rules in the model's card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.models.card import ModelCard
from mien.results import Emotions, Score
from mien.text import format_percent


def build_emotions(
    card: ModelCard, scores: NDArray[np.floating], votes: NDArray[np.floating] | None, uncertain_offset: float = 0.0
) -> Emotions:
    """The scores and votes of one face as a value; ``uncertain_offset`` is added to the card's ``uncertain_below``."""
    label_scores = _label_values(card.labels, scores)
    vote_scores = None if votes is None else _label_values(card.vote_labels, votes)
    ranked_votes = sorted(vote_scores or (), key=lambda vote: -vote.score)
    mixture = tuple(vote for i, vote in enumerate(ranked_votes) if i == 0 or vote.score >= card.mixture_above)
    top = max(label_scores, key=lambda score: score.score)
    uncertain = None
    if top.score < card.uncertain_below + uncertain_offset:
        uncertain = f"no expression stands out: {top.label} leads with {format_percent(top.score)}"
    return Emotions(label_scores, vote_scores, mixture, uncertain)


def _label_values(labels: Sequence[str], values: NDArray[np.floating]) -> tuple[Score, ...]:
    # float32 carries seven decimals.
    return tuple(Score(label, round(float(value), 7)) for label, value in zip(labels, values, strict=True))
