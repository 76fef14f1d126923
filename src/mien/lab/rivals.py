"""Two models on the same faces: is one really better, or was it luck?"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mien.lab.scores import Mask


class McNemar(NamedTuple):
    """``only_first`` and ``only_second``: faces that one got right and the other did not.

    ``p``: how often chance alone would split those faces at least so unevenly.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Mask, second: Mask) -> McNemar:
    """McNemar's exact test of two models that were right where these are true, bool (N,) over the same faces."""
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return McNemar(only_first, only_second, _two_sided(min(only_first, only_second), only_first + only_second))


def _two_sided(fewer: int, both: int) -> float:
    """Twice the chance that a fair coin falls on one side ``fewer`` times or less in ``both`` throws; 1 at most."""
    logs = [_log_choices(both, heads) - both * math.log(2) for heads in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def _log_choices(both: int, heads: int) -> float:
    return math.lgamma(both + 1) - math.lgamma(heads + 1) - math.lgamma(both - heads + 1)
