"""Images without a face, to count false detections: drawn, portraits with the face painted over, photos of things."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import cv2
import numpy as np
from _scenes import PORTRAITS, draw_background, load_portrait

from mien.results import Pixels


def draw_non_faces(seed: int, backgrounds: int = 150, crops: int = 30) -> Iterator[Pixels]:
    """RGB images 640 pixels wide: ``backgrounds`` drawn ones, eight portraits, ``crops`` of each sample photo."""
    rng = np.random.default_rng(seed)
    for _ in range(backgrounds):
        yield draw_background(rng, 640, 480)
    for name in PORTRAITS:
        yield from _cover_face(rng, name)
    for photo in load_sample_photos():
        for _ in range(crops):
            yield _crop_photo(rng, photo)


def _cover_face(rng: np.random.Generator, name: str) -> Iterator[Pixels]:
    """The portrait rotated by 0, 90, 180 and 270 degrees, with one colour over the face."""
    image, (x, y, width, height) = load_portrait(name).copy(), PORTRAITS[name]
    rows = slice(max(y - height // 3, 0), y + height + height // 4)
    columns = slice(x - width // 4, x + width + width // 4)
    image[rows, columns] = rng.integers(0, 255, 3)
    for quarter in range(4):
        yield np.ascontiguousarray(cv2.resize(np.rot90(image, quarter), (640, 640)))


def load_sample_photos() -> list[Pixels]:
    """The two photos that are part of scikit-learn; empty without it."""
    try:
        return list(import_module("sklearn.datasets").load_sample_images().images)
    except ImportError:
        return []


def _crop_photo(rng: np.random.Generator, photo: Pixels) -> Pixels:
    """A random square of the photo, mirrored half of the time."""
    height, width = photo.shape[:2]
    side = int(rng.integers(150, height))
    x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
    crop = cv2.resize(photo[y : y + side, x : x + side], (640, 640), interpolation=cv2.INTER_CUBIC)
    return np.asarray(crop[:, ::-1] if rng.random() < 0.5 else crop, np.uint8).copy()
