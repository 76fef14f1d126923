"""Steadying without lying: the shares shown are the mean since the last change, and a change is shown at once.

A model's answers on one unmoving face jump with every frame: the box breathes, the camera is noisy. A plain average
long enough to hold them still would also hide a real change for that long. So there are two means: a quick one, and
the mean since the last change. When the quick one has left the other too far, the expression has changed, and the
mean begins anew. ``benchmarks/steadying.py`` chose this filter and its numbers among others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import exp
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.results import AnalyzedFrame, Emotions, Reading, Score

ScoreArray: TypeAlias = NDArray[np.float64]

#: From the numbers of one face to a value, by the rules of the model's card: shares, votes where there are any, and by
#: how much the line of doubt is moved.
DecisionRule: TypeAlias = Callable[[ScoreArray, ScoreArray | None, float], Emotions]

#: Time constants in seconds: of the quick mean, and of the mean since the last change once it is that old.
FAST_SECONDS, SLOW_SECONDS = 0.1, 1.0

#: How far (total variation, 0 to 1) the quick mean leaves the other before that counts as a change.
CHANGE_DISTANCE = 0.2

#: Seconds after a change in which the quick mean is shown, until it has arrived.
SETTLE_SECONDS = 0.2

#: By how much another expression has to lead before it is named, and half of it where doubt begins and ends.
LEAD_MARGIN = 0.05

#: Seconds without a judgeable face after which a person starts afresh.
FORGET_SECONDS = 0.5


class ChangeFilter:
    """Steadies one distribution. ``step`` takes its next value, at a time in seconds."""

    def __init__(self) -> None:
        self._quick: ScoreArray = np.zeros(0)
        self._mean: ScoreArray = np.zeros(0)
        self._since = self._seconds = 0.0

    def step(self, shares: ScoreArray, seconds: float) -> ScoreArray:
        if not len(self._mean):
            self._begin(shares, seconds)
            return shares
        passed, self._seconds = max(seconds - self._seconds, 0.0), seconds
        self._quick = self._quick + _gain(passed, FAST_SECONDS) * (shares - self._quick)
        age = seconds - self._since
        if age >= SETTLE_SECONDS:
            # A true mean while it is young, so that the first frame does not weigh more than the others.
            gain = max(passed / (age - SETTLE_SECONDS + 2 * FAST_SECONDS + passed), _gain(passed, SLOW_SECONDS)) if passed else 0.0
            self._mean = self._mean + gain * (shares - self._mean)
            changed = np.abs(self._quick - self._mean).sum() / 2 > CHANGE_DISTANCE
            self._since = seconds if changed else self._since
        if seconds - self._since < SETTLE_SECONDS:
            self._mean = self._quick
        return self._mean

    def _begin(self, shares: ScoreArray, seconds: float) -> None:
        self._quick = self._mean = shares
        self._since = self._seconds = seconds


def _gain(passed: float, constant: float) -> float:
    return 1 - exp(-passed / constant)


@dataclass
class _Person:
    """What is remembered of a person between two frames."""

    shares: ChangeFilter
    votes: ChangeFilter
    seconds: float
    leader: int = -1
    lean: float = 0.0


class Smoother:
    """Steadies the moments of one film, or of one camera, person by person. It has a memory: one for each film.

    Faces that cannot be judged pass through as they were read, and leave no trace in anybody's mean.
    """

    def __init__(self, judge: DecisionRule) -> None:
        self._judge = judge
        self._people: dict[int, _Person] = {}

    def step(self, moment: AnalyzedFrame) -> AnalyzedFrame:
        """The moment with steadied emotions; everything else in it stays."""
        readings = tuple(self._steadied(reading, moment.seconds) for reading in moment)
        self._forget(moment.seconds)
        return replace(moment, result=replace(moment.result, readings=readings))

    def _steadied(self, reading: Reading, seconds: float) -> Reading:
        if reading.track is None or not reading.quality.ok:
            return reading
        person = self._people.setdefault(reading.track, _Person(ChangeFilter(), ChangeFilter(), seconds))
        person.seconds = seconds
        shares = person.shares.step(_numbers(reading.emotions.scores), seconds)
        person.leader = _leader(shares, person.leader)
        votes = reading.emotions.votes
        opinion = None if votes is None else person.votes.step(_numbers(votes), seconds)
        emotions = self._judge(_led(shares, person.leader), opinion, person.lean)
        person.lean = LEAD_MARGIN / 2 if emotions.uncertain else -LEAD_MARGIN / 2
        return replace(reading, emotions=emotions)

    def _forget(self, seconds: float) -> None:
        self._people = {number: person for number, person in self._people.items() if seconds - person.seconds <= FORGET_SECONDS}


def _numbers(shares: tuple[Score, ...]) -> ScoreArray:
    return np.array([share.score for share in shares])


def _leader(shares: ScoreArray, before: int) -> int:
    """Who leads: the one before, until another is clearly ahead."""
    first = int(shares.argmax())
    return first if before < 0 or shares[first] > shares[before] + LEAD_MARGIN else before


def _led(shares: ScoreArray, leader: int) -> ScoreArray:
    """The nearest shares in which the leader leads: at most half of ``LEAD`` moves."""
    first = int(shares.argmax())
    if first == leader:
        return shares
    level = shares.copy()
    level[leader] = (shares[first] + shares[leader]) / 2 + 1e-6
    level[first] = (shares[first] + shares[leader]) / 2 - 1e-6
    return level


def smooth_frames(moments: Iterator[AnalyzedFrame], judge: DecisionRule) -> Iterator[AnalyzedFrame]:
    """A film's moments, steadied."""
    steadier = Smoother(judge)
    for moment in moments:
        yield steadier.step(moment)
