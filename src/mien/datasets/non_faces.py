"""Images without a face: on which fraction of them is a model uncertain?

The patterns are others than the non-faces of the training augmentation (noise and shuffled faces).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import SIDE
from mien.models import Classifier

Pattern = NDArray[np.uint8]
_LETTERS = "ABCDEFGHKMNPRSTUXYZ2345679&?%"


def measure_uncertain_rates(classifier: Classifier, count: int = 200, seed: int = 0) -> dict[str, float]:
    """By pattern, the fraction of ``count`` such images whose prediction is below the card's ``uncertain_below``."""
    rates = {}
    for kind, draw in KINDS.items():
        rng = np.random.default_rng(seed)
        scores = classifier.run(np.stack([draw(rng) for _ in range(count)])[..., None]).scores
        rates[kind] = float(np.mean(scores.max(1) < classifier.card.uncertain_below))
    return rates


def flat(rng: np.random.Generator) -> Pattern:
    """A single gray value."""
    return np.full((SIDE, SIDE), rng.integers(0, 256), np.uint8)


def slope(rng: np.random.Generator) -> Pattern:
    """A linear gradient."""
    (across, down), angle = _coordinates(), rng.uniform(0, 2 * np.pi)
    return _to_gray((np.cos(angle) * across + np.sin(angle) * down) / np.sqrt(2), rng)


def stripes(rng: np.random.Generator) -> Pattern:
    """A sine wave in one direction."""
    (across, down), angle, frequency = _coordinates(), rng.uniform(0, np.pi), rng.uniform(4, 30)
    return _to_gray(np.sin(frequency * (np.cos(angle) * across + np.sin(angle) * down) + rng.uniform(0, 6)), rng)


def checks(rng: np.random.Generator) -> Pattern:
    """A chessboard."""
    side, (right, low) = rng.integers(3, 14), rng.integers(0, 14, 2)
    rows = (np.arange(SIDE) + low) // side
    columns = (np.arange(SIDE) + right) // side
    return _to_gray(((rows[:, None] + columns) % 2 * 2 - 1).astype(float), rng)


def discs(rng: np.random.Generator) -> Pattern:
    """Filled circles of random sizes and gray values."""
    canvas = flat(rng)
    for _ in range(rng.integers(1, 12)):
        middle = tuple(int(each) for each in rng.integers(0, SIDE, 2))
        cv2.circle(canvas, middle, int(rng.integers(2, 20)), int(rng.integers(0, 256)), -1, cv2.LINE_AA)
    return canvas


def letters(rng: np.random.Generator) -> Pattern:
    """One to three large letters."""
    canvas = flat(rng)
    for _ in range(rng.integers(1, 4)):
        corner = (int(rng.integers(-5, 30)), int(rng.integers(18, 56)))
        ink, size = int(rng.integers(0, 256)), float(rng.uniform(0.6, 2))
        letter = _LETTERS[rng.integers(len(_LETTERS))]
        cv2.putText(canvas, letter, corner, cv2.FONT_HERSHEY_SIMPLEX, size, ink, int(rng.integers(1, 5)), cv2.LINE_AA)
    return canvas


def _coordinates() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Horizontal and vertical coordinates of the pixels, from -1 to 1."""
    across, down = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    return across, down


def _to_gray(values: NDArray[np.float64], rng: np.random.Generator) -> Pattern:
    """Values from -1 to 1 scaled to a random range of gray values, with a little noise."""
    dark, bright = np.sort(rng.uniform(0, 255, 2))
    gray = dark + (values + 1) / 2 * (bright - dark) + rng.normal(0, rng.uniform(0, 6), values.shape)
    return np.asarray(np.clip(gray, 0, 255), np.uint8)


KINDS: dict[str, Callable[[np.random.Generator], Pattern]] = {
    each.__name__: each for each in (flat, slope, stripes, checks, discs, letters)
}
