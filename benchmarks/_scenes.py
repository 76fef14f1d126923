"""Test images: FER2013 faces from a file, drawn backgrounds, and scenes with one face at a known position."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.results import Box, Pixels

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: The boxes of the faces in the two free portraits, annotated by hand: eyebrows to chin, cheek to cheek.
PORTRAITS = {"astronaut": Box(178, 70, 92, 104), "hopper": Box(174, 112, 182, 222)}


class Faces(NamedTuple):
    """FER2013: gray ``pixels`` uint8 (N, 48, 48) and ``labels`` int (N,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def sample(self, count: int, seed: int) -> Faces:
        """At most ``count`` faces, selected at random."""
        indices = np.random.default_rng(seed).permutation(len(self.pixels))[:count]
        return Faces(self.pixels[indices], self.labels[indices])


class Scene(NamedTuple):
    """An RGB image and the boxes of the faces in it."""

    pixels: Pixels
    faces: tuple[Box, ...]


def load_fer2013(path: Path, usage: str) -> Faces:
    """One split of FER2013 ("Training" or "PublicTest"), from the original CSV or an ``.npz`` of its columns."""
    if path.suffix == ".csv":
        return _read_csv(path, usage)
    data = np.load(path)
    selected = (data["usage"] == usage) & (data["emotion"] >= 0)
    return Faces(data["pixels"][selected], data["emotion"][selected].astype(np.int64))


def _read_csv(path: Path, usage: str) -> Faces:
    with path.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["Usage"] == usage]
    pixels = np.array([np.fromstring(row["pixels"], np.uint8, sep=" ") for row in rows])
    return Faces(pixels.reshape(-1, 48, 48), np.array([int(row["emotion"]) for row in rows]))


def load_validation_faces(path: Path) -> Faces:
    """The 1,500 Training faces that no embedded model was trained on; for tuning."""
    from mien.datasets.loading import load_faces
    from mien.datasets.splits import sample_validation

    data = load_faces(path)
    validation = sample_validation(data, 1500)
    return Faces(data.pixels[validation], data.labels[validation].astype(np.int64))


def load_portrait(name: str) -> Pixels:
    """An example photo by its name, without ``.jpg``."""
    return np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"))


def draw_background(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """An RGB image without a face: a gradient, clouds, stripes or drawn objects, in colours or in gray."""
    draw = (_draw_gradient, _draw_clouds, _draw_stripes, _draw_objects, _draw_clutter)[rng.integers(5)]
    image = draw(rng, width, height)
    noise = rng.normal(0, rng.uniform(0, 6), image.shape[:2])[..., None]
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def draw_scene(
    rng: np.random.Generator, face: NDArray[np.uint8], side: int, width: int = 640, height: int = 480
) -> Scene:
    """One gray 48x48 face, enlarged to ``side`` pixels, at a random position on a background."""
    image = draw_background(rng, width, height)
    left, top = (int(rng.integers(0, length - side + 1)) for length in (width, height))
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    image[top : top + side, left : left + side] = large[..., None]
    return Scene(image, (Box(left, top, side, side),))


def draw_scenes(faces: Faces, seed: int, smallest: int = 96, largest: int = 240) -> Iterator[Scene]:
    """Every face in a 640 x 480 scene of its own, ``smallest`` to ``largest`` pixels wide; reproducible by the seed."""
    rng = np.random.default_rng(seed)
    for face in faces.pixels:
        yield draw_scene(rng, face, int(rng.integers(smallest, largest + 1)))


def _pick_colours(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    colours = rng.uniform(10, 245, (count, 3))
    return colours if rng.random() < 0.7 else np.repeat(colours.mean(axis=1, keepdims=True), 3, axis=1)


def _draw_gradient(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    corners = _pick_colours(rng, 4).reshape(2, 2, 3).astype(np.float32)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR).astype(float)


def _draw_clouds(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    low, high = _pick_colours(rng, 2)
    cloud = np.zeros((height, width), np.float32)
    for grain in (4, 9, 20, 45):
        coarse = rng.random((grain, grain), np.float32)
        cloud += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / grain**0.7
    cloud = (cloud - cloud.min()) / float(np.ptp(cloud))
    return low + (high - low) * cloud[..., None]


def _draw_stripes(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    low, high = _pick_colours(rng, 2)
    angle, period = rng.uniform(0, np.pi), rng.uniform(8, 90)
    y, x = np.mgrid[:height, :width]
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    return low + (high - low) * (0.5 + 0.5 * np.clip(wave * rng.uniform(1, 5), -1, 1))[..., None]


def _draw_objects(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    image = _draw_gradient(rng, width, height)
    for colour in _pick_colours(rng, int(rng.integers(5, 25))):
        centre = tuple(int(v) for v in rng.integers(0, (width, height)))
        size = tuple(int(v) for v in rng.integers(8, 140, 2))
        if rng.random() < 0.5:
            cv2.ellipse(image, centre, size, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
        else:
            cv2.rectangle(image, centre, (centre[0] + size[0], centre[1] + size[1]), colour.tolist(), -1)
    return image


def _draw_clutter(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Lines, dots and letters, which resemble the details of indoor photos."""
    image = _draw_clouds(rng, width, height)
    for colour in _pick_colours(rng, int(rng.integers(10, 40))):
        x, y = (int(v) for v in rng.integers(0, (width, height)))
        kind = rng.integers(3)
        if kind == 0:
            cv2.putText(image, "mien"[: rng.integers(1, 5)], (x, y), 2, rng.uniform(0.5, 4), colour.tolist(), 2)
        elif kind == 1:
            end = tuple(int(v) for v in rng.integers(0, (width, height)))
            cv2.line(image, (x, y), end, colour.tolist(), int(rng.integers(1, 12)), cv2.LINE_AA)
        else:
            cv2.circle(image, (x, y), int(rng.integers(3, 30)), colour.tolist(), -1, cv2.LINE_AA)
    return image
