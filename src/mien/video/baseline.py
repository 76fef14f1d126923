"""The scores of a face at rest (the baseline), and scores relative to it.

Some faces at rest look sad or angry, to a model and to people. With a baseline, an emotion counts by how far it exceeds
the person's own resting face: each score except neutral's that is above ``TYPICAL_RESTING_SCORE`` at rest is multiplied
by ``TYPICAL_RESTING_SCORE / resting score``, and all are divided by their sum. A person whose resting face reads 60 %
sad and 30 % neutral then reads neutral at rest, happy when smiling, and sad when clearly sadder than at rest. Scores
that are not raised at rest keep their weight; a baseline never adds an emotion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError
from mien.results import AnalyzedFrame, Reading, Score
from mien.video.smoothing import DecisionRule, ScoreArray, score_array

#: The score that a face at rest commonly has for an emotion other than neutral: the median of the highest such score
#: of neutral faces (sad; benchmarks/results/smoothing.json, ``at_rest``).
TYPICAL_RESTING_SCORE = 0.1

#: Seconds of a usable face that a baseline needs.
MIN_SECONDS = 0.5

#: Bins of the histograms of scores from which medians are taken.
_BINS = 200


class Baseline:
    """Measures the resting face of each track of one video, then makes readings relative to it.

    ``seconds`` takes the mean of the first seconds of each track; None takes the median of the whole video, which is
    the resting face of a person who rests more than half of the time. First ``add`` every frame, then ``apply``.
    """

    def __init__(self, labels: Sequence[str], seconds: float | None = None) -> None:
        if "neutral" not in labels:
            raise MienError(
                "A baseline needs a model with the label 'neutral'",
                f"The labels of this model are: {', '.join(labels)}",
                "Leave the baseline out",
            )
        self._seconds = seconds
        self._tracks: dict[int, tuple[_RestingScores, _RestingScores]] = {}

    def add(self, frame: AnalyzedFrame, until: float) -> None:
        """Add a frame that is shown until a time in seconds."""
        for reading in frame:
            if reading.track is not None and reading.quality.ok:
                if reading.track not in self._tracks:
                    self._tracks[reading.track] = _RestingScores(self._seconds), _RestingScores(self._seconds)
                scores, votes = self._tracks[reading.track]
                scores.add(score_array(reading.emotions.scores), until - frame.seconds)
                votes.add(score_array(reading.emotions.votes or ()), until - frame.seconds)

    def resting_scores(self, track: int) -> ScoreArray | None:
        """The scores of a track at rest, in the order of the labels; None if it was too short."""
        return self._tracks[track][0].result() if track in self._tracks else None

    def apply(self, frame: AnalyzedFrame, decide: DecisionRule) -> AnalyzedFrame:
        """The frame with the scores of each track relative to its resting face."""
        readings = tuple(self._apply(reading, decide) for reading in frame)
        return replace(frame, result=replace(frame.result, readings=readings))

    def _apply(self, reading: Reading, decide: DecisionRule) -> Reading:
        if reading.track not in self._tracks:
            return reading
        scores, votes = (resting.result() for resting in self._tracks[reading.track])
        if scores is None:
            return reading
        emotions = reading.emotions
        others = (score for label, score in zip(emotions.labels, scores, strict=True) if label != "neutral")
        if max(others, default=0.0) <= TYPICAL_RESTING_SCORE:
            return reading
        relative_votes = None if emotions.votes is None or votes is None else _relative_scores(emotions.votes, votes)
        return replace(reading, emotions=decide(_relative_scores(emotions.scores, scores), relative_votes, 0.0))


class _RestingScores:
    """The mean of the first seconds, or the median, which is taken from histograms: memory use is constant."""

    def __init__(self, seconds: float | None) -> None:
        self._limit = seconds
        self._seconds = 0.0
        self._sum: ScoreArray = np.zeros(0)
        self._histograms: NDArray[np.float64] = np.zeros((0, _BINS + 1))

    def add(self, scores: ScoreArray, duration: float) -> None:
        if not len(self._sum):
            self._sum, self._histograms = np.zeros(len(scores)), np.zeros((len(scores), _BINS + 1))
        if self._limit is None:
            self._histograms[np.arange(len(scores)), np.rint(scores * _BINS).astype(int)] += duration
        elif self._seconds < self._limit:
            self._sum += scores * duration
        else:
            return
        self._seconds += duration

    def result(self) -> ScoreArray | None:
        if self._seconds < MIN_SECONDS or not len(self._sum):
            return None
        if self._limit is not None:
            return self._sum / self._seconds
        medians = (self._histograms.cumsum(axis=1) >= self._seconds / 2).argmax(axis=1) / _BINS
        return np.asarray(medians / max(medians.sum(), 1e-9))


def _relative_scores(scores: tuple[Score, ...], resting: ScoreArray) -> ScoreArray:
    neutral = np.array([each.label == "neutral" for each in scores])
    factors = TYPICAL_RESTING_SCORE / np.maximum(resting, TYPICAL_RESTING_SCORE)
    weighted = score_array(scores) * np.where(neutral, 1.0, np.minimum(1.0, factors))
    return np.asarray(weighted / weighted.sum())
