"""Pictures of nothing in particular: does a model know that it does not know?

The kinds are none of those that nets are trained on (mien.training.augmentation: noise and jumbled faces).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import SIDE
from mien.models import Classifier

Picture = NDArray[np.uint8]
_LETTERS = "ABCDEFGHKMNPRSTUXYZ2345679&?%"


def measure_uncertain_rates(classifier: Classifier, count: int = 200, seed: int = 0) -> dict[str, float]:
    """By kind, on how large a part of ``count`` such pictures the card's rule calls a reading uncertain."""
    found = {}
    for kind, draw in KINDS.items():
        rng = np.random.default_rng(seed)
        shares = classifier.run(np.stack([draw(rng) for _ in range(count)])[..., None]).scores
        found[kind] = float(np.mean(shares.max(1) < classifier.card.uncertain_below))
    return found


def _place() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Across and down, from -1 to 1."""
    across, down = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    return across, down


def _between(values: NDArray[np.float64], rng: np.random.Generator) -> Picture:
    """Values from -1 to 1 as light between two grays, and a little noise."""
    dark, bright = np.sort(rng.uniform(0, 255, 2))
    gray = dark + (values + 1) / 2 * (bright - dark) + rng.normal(0, rng.uniform(0, 6), values.shape)
    return np.clip(gray, 0, 255).astype(np.uint8)


def flat(rng: np.random.Generator) -> Picture:
    """One gray."""
    return np.full((SIDE, SIDE), rng.integers(0, 256), np.uint8)


def slope(rng: np.random.Generator) -> Picture:
    """Light from one side."""
    (across, down), angle = _place(), rng.uniform(0, 2 * np.pi)
    return _between((np.cos(angle) * across + np.sin(angle) * down) / np.sqrt(2), rng)


def stripes(rng: np.random.Generator) -> Picture:
    """Waves of one length in one direction."""
    (across, down), angle, often = _place(), rng.uniform(0, np.pi), rng.uniform(4, 30)
    return _between(np.sin(often * (np.cos(angle) * across + np.sin(angle) * down) + rng.uniform(0, 6)), rng)


def checks(rng: np.random.Generator) -> Picture:
    """A chessboard."""
    side, (right, low) = rng.integers(3, 14), rng.integers(0, 14, 2)
    rows = (np.arange(SIDE) + low) // side
    columns = (np.arange(SIDE) + right) // side
    return _between(((rows[:, None] + columns) % 2 * 2 - 1).astype(float), rng)


def discs(rng: np.random.Generator) -> Picture:
    """Filled circles of any size and gray."""
    canvas = flat(rng)
    for _ in range(rng.integers(1, 12)):
        middle = tuple(int(each) for each in rng.integers(0, SIDE, 2))
        cv2.circle(canvas, middle, int(rng.integers(2, 20)), int(rng.integers(0, 256)), -1, cv2.LINE_AA)
    return canvas


def letters(rng: np.random.Generator) -> Picture:
    """One to three large letters."""
    canvas = flat(rng)
    for _ in range(rng.integers(1, 4)):
        corner = (int(rng.integers(-5, 30)), int(rng.integers(18, 56)))
        ink, size = int(rng.integers(0, 256)), float(rng.uniform(0.6, 2))
        letter = _LETTERS[rng.integers(len(_LETTERS))]
        cv2.putText(canvas, letter, corner, cv2.FONT_HERSHEY_SIMPLEX, size, ink, int(rng.integers(1, 5)), cv2.LINE_AA)
    return canvas


KINDS: dict[str, Callable[[np.random.Generator], Picture]] = {
    each.__name__: each for each in (flat, slope, stripes, checks, discs, letters)
}
