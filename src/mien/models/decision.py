"""One face's numbers as a value, judged by the rules its model's card carries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.models.card import ModelCard
from mien.results import Emotions, Score


def build_emotions(
    card: ModelCard, shares: NDArray[np.floating], votes: NDArray[np.floating] | None, lean: float = 0.0
) -> Emotions:
    """One face's numbers as a value, judged by the rules its model's card carries; ``lean`` moves the line of doubt."""
    parts = _shares(card.labels, shares)
    opinion = None if votes is None else _shares(card.vote_labels, votes)
    return Emotions(parts, opinion, _mixture(card, opinion or ()), _uncertain(parts, card.uncertain_below + lean))


def _shares(labels: Sequence[str], values: NDArray[np.floating]) -> tuple[Score, ...]:
    # Seven decimals are what float32 carries; the rest would be noise in everybody's JSON.
    return tuple(Score(label, round(float(value), 7)) for label, value in zip(labels, values, strict=True))


def _mixture(card: ModelCard, votes: tuple[Score, ...]) -> tuple[Score, ...]:
    """The expressions that together stand out: the leading one, and every other above the card's line."""
    ranked = sorted(votes, key=lambda vote: -vote.score)
    return tuple(vote for i, vote in enumerate(ranked) if i == 0 or vote.score >= card.mixture_above)


def _uncertain(shares: tuple[Score, ...], below: float) -> str | None:
    top = max(shares, key=lambda share: share.score)
    if top.score >= below:
        return None
    return f"no expression stands out: {top.label} leads with {top.score:.0%}".replace("%", " %")
