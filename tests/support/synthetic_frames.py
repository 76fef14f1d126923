"""Frames of a synthetic video with one face, for detectors and classifiers that are fakes."""

import numpy as np

from mien.results import Box

FPS = 20.0


BOX = Box(40, 30, 48, 48)


#: Means of a face's gray that look so to the fake classifier.
HAPPY, SAD = 127, 172


def frame(gray: int, seed: int = 0) -> np.ndarray:
    """160 x 120 with a coarse pattern in the box, contrasty and sharp enough to be judged."""
    blocks = np.random.default_rng(seed).choice((-45, 45), (12, 12))
    pixels = np.full((120, 160), 60.0)
    pixels[30:78, 40:88] = gray + np.kron(blocks - blocks.mean(), np.ones((4, 4)))
    return np.repeat(np.clip(pixels, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
