"""What a person looks like at rest, and shares told relative to it.

Some faces at rest look sad, or angry, to a model and to people. With a baseline, an expression counts by how far it
goes beyond the person's own: each share but neutral that is larger at rest than ``USUAL`` is weighed down by
``USUAL / resting share``, and all are brought back to a sum of one. Someone whose resting face reads 60 % sad and
30 % neutral then reads neutral at rest, happy when smiling, and sad when looking clearly sadder than at rest. Shares
that are not raised at rest are weighed as they are; a baseline never adds to an expression that was not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError
from mien.results import AnalyzedFrame, Emotions, Reading, Score
from mien.video.smoothing import DecisionRule, ScoreArray

#: How much of an expression other than neutral a face at rest commonly shows: the median of the one that neutral faces
#: show most (sad; benchmarks/results/steadying.json, ``at_rest``).
TYPICAL_RESTING_SCORE = 0.1

#: Seconds of a judgeable face below which there is no telling what it looks like at rest.
MIN_SECONDS = 0.5

#: The steps in which shares are counted for their median.
_STEPS = 200


class Baseline:
    """Learns what each person of one film looks like at rest, then tells readings relative to it.

    ``seconds`` takes each person's first seconds as rest, by their mean; None takes the median of the whole film, which
    is the resting face of somebody who rests more than half of the time. First ``learn`` every moment, then tell.
    """

    def __init__(self, labels: Sequence[str], seconds: float | None = None) -> None:
        if "neutral" not in labels:
            raise MienError(
                "A baseline needs a model that knows 'neutral'", f"This one knows: {', '.join(labels)}", "Leave it out"
            )
        self._seconds = seconds
        self._people: dict[int, tuple[_Resting, _Resting]] = {}

    def learn(self, moment: AnalyzedFrame, until: float) -> None:
        for reading in moment:
            if reading.track is not None and reading.quality.ok:
                parts = self._people.setdefault(reading.track, (_Resting(self._seconds), _Resting(self._seconds)))
                parts[0].add(_numbers(reading.emotions.scores), until - moment.seconds)
                parts[1].add(_numbers(reading.emotions.votes or ()), until - moment.seconds)

    def resting(self, person: int) -> NDArray[np.float64] | None:
        """The person's shares at rest, in the order of the labels; None for one who was hardly seen."""
        return self._people[person][0].shares() if person in self._people else None

    def relative(self, moment: AnalyzedFrame, judge: DecisionRule) -> AnalyzedFrame:
        """The moment with every person's shares relative to their own resting face."""
        readings = tuple(self._told(reading, judge) for reading in moment)
        return replace(moment, result=replace(moment.result, readings=readings))

    def _told(self, reading: Reading, judge: DecisionRule) -> Reading:
        if reading.track not in self._people:
            return reading
        shares, votes = (part.shares() for part in self._people[reading.track])
        if shares is None or _calm(reading.emotions.labels, shares):
            return reading
        return replace(reading, emotions=_beyond(reading.emotions, shares, votes, judge))


class _Resting:
    """One distribution at rest. It counts shares in steps instead of keeping them, so long films cost no memory."""

    def __init__(self, wanted: float | None) -> None:
        self._wanted = wanted
        self._seen = 0.0
        self._sum: ScoreArray = np.zeros(0)
        self._counts: NDArray[np.float64] = np.zeros((0, _STEPS + 1))

    def add(self, shares: ScoreArray, length: float) -> None:
        if not len(self._sum):
            self._sum, self._counts = np.zeros(len(shares)), np.zeros((len(shares), _STEPS + 1))
        if self._wanted is None:
            self._counts[np.arange(len(shares)), np.rint(shares * _STEPS).astype(int)] += length
        elif self._seen < self._wanted:
            self._sum += shares * length
        else:
            return
        self._seen += length

    def shares(self) -> ScoreArray | None:
        if self._seen < MIN_SECONDS or not len(self._sum):
            return None
        if self._wanted is not None:
            return self._sum / self._seen
        middle = (self._counts.cumsum(axis=1) >= self._seen / 2).argmax(axis=1) / _STEPS
        return np.asarray(middle / max(middle.sum(), 1e-9))


def _calm(labels: Sequence[str], resting: ScoreArray) -> bool:
    """Nothing but neutral is raised at rest: there is nothing to tell relative to."""
    return all(label == "neutral" or share <= TYPICAL_RESTING_SCORE for label, share in zip(labels, resting, strict=True))


def _beyond(emotions: Emotions, shares: ScoreArray, votes: ScoreArray | None, judge: DecisionRule) -> Emotions:
    told = None if emotions.votes is None or votes is None else _weighed(emotions.votes, votes)
    return judge(_weighed(emotions.scores, shares), told, 0.0)


def _weighed(shares: tuple[Score, ...], resting: ScoreArray) -> ScoreArray:
    neutral = np.array([share.label == "neutral" for share in shares])
    weights = np.where(neutral, 1.0, np.minimum(1.0, TYPICAL_RESTING_SCORE / np.maximum(resting, TYPICAL_RESTING_SCORE)))
    weighed = _numbers(shares) * weights
    return np.asarray(weighed / weighed.sum())


def _numbers(shares: Sequence[Score]) -> ScoreArray:
    return np.array([share.score for share in shares])
