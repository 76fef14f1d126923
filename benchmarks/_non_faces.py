"""Pictures without a face, to count false hits in: drawn ones, portraits painted over, photos of things."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import cv2
import numpy as np
from _scenes import PORTRAITS, draw_background, load_portrait

from mien.results import Pixels


def draw_non_faces(seed: int, drawn: int = 150, parts: int = 30) -> Iterator[Pixels]:
    """640-pixel pictures without a face; the photos are those that travel with scikit-learn, where it is installed."""
    rng = np.random.default_rng(seed)
    for _ in range(drawn):
        yield draw_background(rng, 640, 480)
    for name in PORTRAITS:
        yield from _faceless(rng, name)
    for photo in load_sample_photos():
        for _ in range(parts):
            yield _part(rng, photo)


def _faceless(rng: np.random.Generator, name: str) -> Iterator[Pixels]:
    """Hair, clothes and what hangs behind, turned four ways; the face is a flat patch."""
    picture, (x, y, width, height) = load_portrait(name).copy(), PORTRAITS[name]
    grown = slice(max(y - height // 3, 0), y + height + height // 4), slice(x - width // 4, x + width + width // 4)
    picture[grown] = rng.integers(0, 255, 3)
    for turns in range(4):
        yield np.ascontiguousarray(cv2.resize(np.rot90(picture, turns), (640, 640)))


def load_sample_photos() -> list[Pixels]:
    try:
        return list(import_module("sklearn.datasets").load_sample_images().images)
    except ImportError:
        return []


def _part(rng: np.random.Generator, photo: Pixels) -> Pixels:
    height, width = photo.shape[:2]
    side = int(rng.integers(150, height))
    x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
    part = cv2.resize(photo[y : y + side, x : x + side], (640, 640), interpolation=cv2.INTER_CUBIC)
    return np.asarray(part[:, ::-1] if rng.random() < 0.5 else part, np.uint8).copy()
