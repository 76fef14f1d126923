"""A synthetic video with one face, for fake detectors and classifiers."""

from pathlib import Path

import numpy as np

from mien.results import Box
from mien.video import open_writer

FPS = 20.0
BOX = Box(40, 30, 48, 48)

#: Mean gray values of the face for which the fake classifier returns happy and sad.
HAPPY, SAD = 127, 172


def synthetic_frame(gray: int, seed: int = 0) -> np.ndarray:
    """160 x 120 with a coarse pattern in ``BOX``, sharp and rich in contrast, so that the face is usable."""
    blocks = np.random.default_rng(seed).choice((-45, 45), (12, 12))
    pixels = np.full((120, 160), 60.0)
    pixels[30:78, 40:88] = gray + np.kron(blocks - blocks.mean(), np.ones((4, 4)))
    return np.repeat(np.clip(pixels, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def write_synthetic_video(path: Path, frames: int = 80) -> Path:
    """A happy face in the first half of the frames, a sad one in the second."""
    with open_writer(path, (160, 120), FPS) as writer:
        for index in range(frames):
            writer.write(synthetic_frame(HAPPY if index < frames // 2 else SAD), index / FPS)
    return path
