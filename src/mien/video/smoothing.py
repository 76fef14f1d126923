"""Smoothing of scores over time: the mean since the last change, and a change is visible at once.

The scores of an unmoving face vary from frame to frame with the box and the noise of the camera. A moving average long
enough to suppress that would also delay a real change. So there are two means: a fast one, and the mean since the last
change. When the fast one is too far from the other, the expression has changed, and the mean starts again.
``benchmarks/smoothing.py`` compares this filter and its parameters with others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import exp
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.results import AnalyzedFrame, Emotions, Reading, Score

#: Scores of all labels, float64 ``(labels,)``.
ScoreArray: TypeAlias = NDArray[np.float64]

#: The decision rule of a model's card: from scores, votes (or None), and an offset of its threshold to emotions.
DecisionRule: TypeAlias = Callable[[ScoreArray, ScoreArray | None, float], Emotions]

#: Time constants in seconds: of the fast mean, and of the mean since the last change after that time.
FAST_SECONDS, SLOW_SECONDS = 0.1, 1.0

#: Total variation distance (0 to 1) of the two means that counts as a change.
CHANGE_DISTANCE = 0.2

#: Seconds after a change in which the fast mean is the result, until it has settled.
SETTLE_SECONDS = 0.2

#: By how much the score of another label has to exceed the leading one's; half of it is the hysteresis of uncertainty.
LEAD_MARGIN = 0.05

#: Seconds without a usable face after which a track starts again.
FORGET_SECONDS = 0.5


class ChangeFilter:
    """Smooths the scores of one track."""

    def __init__(self) -> None:
        self._fast_mean: ScoreArray = np.zeros(0)
        self._mean: ScoreArray = np.zeros(0)
        self._change_seconds = self._last_seconds = 0.0

    def step(self, scores: ScoreArray, seconds: float) -> ScoreArray:
        """The smoothed scores at a time in seconds, which must not decrease."""
        if not len(self._mean):
            self._fast_mean = self._mean = scores
            self._change_seconds = self._last_seconds = seconds
            return scores
        elapsed, self._last_seconds = max(seconds - self._last_seconds, 0.0), seconds
        self._fast_mean = self._fast_mean + _gain(elapsed, FAST_SECONDS) * (scores - self._fast_mean)
        age = seconds - self._change_seconds
        if age >= SETTLE_SECONDS:
            # An arithmetic mean at first, so that the first frame does not have more weight than the others.
            recent = elapsed / (age - SETTLE_SECONDS + 2 * FAST_SECONDS + elapsed) if elapsed else 0.0
            gain = max(recent, _gain(elapsed, SLOW_SECONDS)) if elapsed else 0.0
            self._mean = self._mean + gain * (scores - self._mean)
            changed = np.abs(self._fast_mean - self._mean).sum() / 2 > CHANGE_DISTANCE
            self._change_seconds = seconds if changed else self._change_seconds
        if seconds - self._change_seconds < SETTLE_SECONDS:
            self._mean = self._fast_mean
        return self._mean


def _gain(elapsed: float, constant: float) -> float:
    return 1 - exp(-elapsed / constant)


@dataclass
class _TrackState:
    """``leader`` is the index of the leading label, -1 at first; ``offset`` is added to the decision threshold."""

    scores: ChangeFilter
    votes: ChangeFilter
    last_seconds: float
    leader: int = -1
    offset: float = 0.0


class Smoother:
    """Smooths the readings of each track of one video or camera.

    Faces that are not usable keep their scores and do not affect the means.
    """

    def __init__(self, decide: DecisionRule) -> None:
        self._decide = decide
        self._tracks: dict[int, _TrackState] = {}

    def step(self, frame: AnalyzedFrame) -> AnalyzedFrame:
        """The frame with smoothed emotions; everything else in it stays."""
        readings = tuple(self._smooth(reading, frame.seconds) for reading in frame)
        self._tracks = {
            number: track
            for number, track in self._tracks.items()
            if frame.seconds - track.last_seconds <= FORGET_SECONDS
        }
        return replace(frame, result=replace(frame.result, readings=readings))

    def _smooth(self, reading: Reading, seconds: float) -> Reading:
        if reading.track is None or not reading.quality.ok:
            return reading
        track = self._tracks.setdefault(reading.track, _TrackState(ChangeFilter(), ChangeFilter(), seconds))
        track.last_seconds = seconds
        scores = track.scores.step(score_array(reading.emotions.scores), seconds)
        track.leader = select_leader(scores, track.leader)
        votes = reading.emotions.votes
        smoothed_votes = None if votes is None else track.votes.step(score_array(votes), seconds)
        emotions = self._decide(with_leader(scores, track.leader), smoothed_votes, track.offset)
        track.offset = LEAD_MARGIN / 2 if emotions.uncertain else -LEAD_MARGIN / 2
        return replace(reading, emotions=emotions)


def score_array(scores: Iterable[Score]) -> ScoreArray:
    return np.array([each.score for each in scores])


def select_leader(scores: ScoreArray, previous: int) -> int:
    """The index of the leading label: the previous one (-1 for none), until another exceeds it by ``LEAD_MARGIN``."""
    first = int(scores.argmax())
    return first if previous < 0 or scores[first] > scores[previous] + LEAD_MARGIN else previous


def with_leader(scores: ScoreArray, leader: int) -> ScoreArray:
    """The nearest scores in which ``leader`` is first: each changes by at most half of ``LEAD_MARGIN``."""
    first = int(scores.argmax())
    if first == leader:
        return scores
    mean = (scores[first] + scores[leader]) / 2
    adjusted = scores.copy()
    adjusted[leader], adjusted[first] = mean + 1e-6, mean - 1e-6
    return adjusted
