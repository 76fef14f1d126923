"""Pictures to measure with: backgrounds of our own drawing, faces pasted into them, and FER2013 from a file."""

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
#: Where the faces of the two free portraits are, looked at by eye: eyebrows to chin, cheek to cheek.
PORTRAITS = {"astronaut": Box(178, 70, 92, 104), "hopper": Box(174, 112, 182, 222)}


class Faces(NamedTuple):
    """FER2013: ``pixels`` uint8 (N, 48, 48), ``labels`` int (N,), ``usage`` (N,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def sample(self, count: int, seed: int) -> Faces:
        chosen = np.random.default_rng(seed).permutation(len(self.pixels))[:count]
        return Faces(self.pixels[chosen], self.labels[chosen])


class Scene(NamedTuple):
    """A picture and where the faces in it are."""

    pixels: Pixels
    faces: tuple[Box, ...]


def load_fer2013(path: Path, usage: str) -> Faces:
    """One part of FER2013 ("Training" or "PublicTest"), from the original CSV or an ``.npz`` of its columns."""
    if path.suffix == ".csv":
        return _from_csv(path, usage)
    data = np.load(path)
    part = (data["usage"] == usage) & (data["emotion"] >= 0)
    return Faces(data["pixels"][part], data["emotion"][part].astype(np.int64))


def _from_csv(path: Path, usage: str) -> Faces:
    with path.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["Usage"] == usage]
    pixels = np.array([np.fromstring(row["pixels"], np.uint8, sep=" ") for row in rows])
    return Faces(pixels.reshape(-1, 48, 48), np.array([int(row["emotion"]) for row in rows]))


def load_validation_faces(path: Path) -> Faces:
    """Training faces that the embedded model never saw: what may be tuned on."""
    from mien.datasets.loading import load_faces as read_data
    from mien.datasets.splits import sample_validation

    data = read_data(path)
    kept = sample_validation(data, 1500)
    return Faces(data.pixels[kept], data.labels[kept].astype(np.int64))


def load_portrait(name: str) -> Pixels:
    return np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"))


def draw_background(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """No face: a gradient, cloudy texture, stripes or drawn objects, in colours or in gray."""
    draw = (_gradient, _clouds, _stripes, _objects, _clutter)[rng.integers(5)]
    picture = draw(rng, width, height)
    noise = rng.normal(0, rng.uniform(0, 6), picture.shape[:2])[..., None]
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def draw_scene(
    rng: np.random.Generator, face: NDArray[np.uint8], side: int, width: int = 640, height: int = 480
) -> Scene:
    """One gray 48x48 face, enlarged to ``side`` pixels, somewhere on a background."""
    picture = draw_background(rng, width, height)
    left, top = (int(rng.integers(0, length - side + 1)) for length in (width, height))
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    picture[top : top + side, left : left + side] = large[..., None]
    return Scene(picture, (Box(left, top, side, side),))


def draw_scenes(faces: Faces, seed: int, smallest: int = 96, largest: int = 240) -> Iterator[Scene]:
    """Every face in a 640 x 480 scene of its own; the same seed draws the same scenes."""
    rng = np.random.default_rng(seed)
    for face in faces.pixels:
        yield draw_scene(rng, face, int(rng.integers(smallest, largest + 1)))


def _colours(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    colours = rng.uniform(10, 245, (count, 3))
    return colours if rng.random() < 0.7 else np.repeat(colours.mean(axis=1, keepdims=True), 3, axis=1)


def _gradient(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    corners = _colours(rng, 4).reshape(2, 2, 3).astype(np.float32)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR).astype(float)


def _clouds(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    low, high = _colours(rng, 2)
    cloud = np.zeros((height, width), np.float32)
    for grain in (4, 9, 20, 45):
        coarse = rng.random((grain, grain), np.float32)
        cloud += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / grain**0.7
    cloud = (cloud - cloud.min()) / float(np.ptp(cloud))
    return low + (high - low) * cloud[..., None]


def _stripes(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    low, high = _colours(rng, 2)
    angle, period = rng.uniform(0, np.pi), rng.uniform(8, 90)
    y, x = np.mgrid[:height, :width]
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    return low + (high - low) * (0.5 + 0.5 * np.clip(wave * rng.uniform(1, 5), -1, 1))[..., None]


def _objects(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    picture = _gradient(rng, width, height)
    for colour in _colours(rng, int(rng.integers(5, 25))):
        place = tuple(int(v) for v in rng.integers(0, (width, height)))
        size = tuple(int(v) for v in rng.integers(8, 140, 2))
        if rng.random() < 0.5:
            cv2.ellipse(picture, place, size, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, place, (place[0] + size[0], place[1] + size[1]), colour.tolist(), -1)
    return picture


def _clutter(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Bars, dots and letters: what a shelf, a window or a poster looks like to a detector."""
    picture = _clouds(rng, width, height)
    for colour in _colours(rng, int(rng.integers(10, 40))):
        x, y = (int(v) for v in rng.integers(0, (width, height)))
        kind = rng.integers(3)
        if kind == 0:
            cv2.putText(picture, "mien"[: rng.integers(1, 5)], (x, y), 2, rng.uniform(0.5, 4), colour.tolist(), 2)
        elif kind == 1:
            end = tuple(int(v) for v in rng.integers(0, (width, height)))
            cv2.line(picture, (x, y), end, colour.tolist(), int(rng.integers(1, 12)), cv2.LINE_AA)
        else:
            cv2.circle(picture, (x, y), int(rng.integers(3, 30)), colour.tolist(), -1, cv2.LINE_AA)
    return picture
