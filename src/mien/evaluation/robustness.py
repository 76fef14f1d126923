"""What happens to faces between the world and a model, each at graded strengths, the mildest first.

A change takes a gray face uint8 (48, 48), its strength, and the face's place among all, which decides directions: so
nothing is drawn by lot, and every model sees the very same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import SIDE, FaceDataset
from mien.errors import ExperimentError
from mien.evaluation.evaluate import Predictions, predict_split
from mien.evaluation.inference import BatchPredictor, Progress
from mien.evaluation.metrics import accuracy_interval
from mien.models import Classifier

Face = NDArray[np.uint8]
Change = Callable[[Face, float, int], Face]


@dataclass(frozen=True)
class Corruption:
    """One kind of trouble: what it is called, what it means, and how its strengths are told (``{:g} px``)."""

    name: str
    meaning: str
    change: Change
    strengths: tuple[float, ...]
    told: str

    def label(self, strength: float) -> str:
        """``10 %`` for a shift of 0.1."""
        return self.told.format(100 * strength if "%" in self.told else strength)


def corrupt_faces(pixels: NDArray[np.uint8], change: Change, strength: float) -> NDArray[np.uint8]:
    """Every face (N, 48, 48) changed alike; its place decides the direction."""
    return np.stack([change(face, strength, place) for place, face in enumerate(pixels)])


def shift_box(face: Face, strength: float, place: int) -> Face:
    """The box moved by this part of its side, in one of eight directions."""
    angle = place % 8 * math.pi / 4
    return _warped(face, 0, 1, strength * SIDE * math.cos(angle), strength * SIDE * math.sin(angle))


def rotate_face(face: Face, strength: float, place: int) -> Face:
    """Turned by so many degrees, to the left and to the right in turn."""
    return _warped(face, strength * (-1) ** place, 1, 0, 0)


def enlarge_box(face: Face, strength: float, place: int) -> Face:
    """The box larger by this part of its side (below 0: smaller), so that the face in it is smaller."""
    return _warped(face, 0, 1 / (1 + strength), 0, 0)


def shrink_box(face: Face, strength: float, place: int) -> Face:
    """The box smaller by this part of its side."""
    return enlarge_box(face, -strength, place)


def scale_brightness(face: Face, strength: float, place: int) -> Face:
    """This part of the light; what is brighter than white is white."""
    return np.clip(np.round(face * np.float32(strength)), 0, 255).astype(np.uint8)


def blur_face(face: Face, strength: float, place: int) -> Face:
    """Gaussian blur of this deviation in pixels."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), strength), np.uint8)


def compress_jpeg(face: Face, strength: float, place: int) -> Face:
    """JPEG of this quality."""
    _, packed = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(strength)])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def reduce_resolution(face: Face, strength: float, place: int) -> Face:
    """As if the face had been so many pixels wide in the picture."""
    side = int(strength)
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def add_noise(face: Face, strength: float, place: int) -> Face:
    """Noise of this deviation, as a sensor adds in the dark; each place has noise of its own, the same every time."""
    noise = np.random.default_rng(place).normal(0, strength, face.shape)
    return np.clip(np.round(face + noise), 0, 255).astype(np.uint8)


def cover_part(face: Face, strength: float, place: int) -> Face:
    """A gray square over this part of the face: left, right, above or below the middle, in turn."""
    side = math.sqrt(strength) * SIDE
    across, down = ((0.25, 0.5), (0.75, 0.5), (0.5, 0.3), (0.5, 0.75))[place % 4]
    left, top = (round(min(max(middle * SIDE - side / 2, 0), SIDE - side)) for middle in (across, down))
    hidden = face.copy()
    hidden[top : top + round(side), left : left + round(side)] = 127
    return hidden


def _warped(face: Face, degrees: float, zoom: float, across: float, down: float) -> Face:
    middle = (SIDE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, zoom)
    matrix[:, 2] += across, down
    return np.asarray(cv2.warpAffine(face, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)


CORRUPTIONS = {
    each.name: each
    for each in (
        Corruption("shift", "the box is moved", shift_box, (0.05, 0.1, 0.15, 0.2), "{:g} %"),
        Corruption("wide", "the box is too large", enlarge_box, (0.15, 0.3, 0.5), "{:g} %"),
        Corruption("tight", "the box is too small", shrink_box, (0.1, 0.15, 0.25), "{:g} %"),
        Corruption("turn", "the head leans", rotate_face, (5, 10, 15, 20, 30), "{:g}°"),
        Corruption("dark", "less light", scale_brightness, (0.6, 0.3, 0.15, 0.08), "{:g} %"),
        Corruption("bright", "too much light", scale_brightness, (1.5, 2.0, 3.0), "{:g} %"),
        Corruption("blur", "out of focus", blur_face, (0.7, 1.2, 2.0, 3.0), "{:g} px"),
        Corruption("jpeg", "compressed", compress_jpeg, (60, 30, 20, 10, 5), "quality {:g}"),
        Corruption("small", "far away", reduce_resolution, (32, 24, 20, 16, 12), "{:g} px"),
        Corruption("noise", "a grainy sensor", add_noise, (5, 10, 20, 40), "σ {:g}"),
        Corruption("cover", "partly hidden", cover_part, (0.05, 0.1, 0.2, 0.35), "{:g} %"),
    )
}


# ==== mien.lab.robustness
# How much accuracy is left when a face is badly boxed, turned, dark, blurred, compressed, small or half hidden.
#
# Several models are asked about the very same pixels in the same run, so their rows can stand beside each other.

#: How often all faces are looked at: as they are, and at every strength of every corruption.
PASSES = 1 + sum(len(each.strengths) for each in CORRUPTIONS.values())


@dataclass(frozen=True)
class CorruptionResult:
    """One corruption at one strength: the accuracy under it, its 95 % interval, and what it is below plain faces."""

    corruption: str
    strength: float
    accuracy: float
    lost: float
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class ModelRobustness:
    """One model: its answers to the faces as they are, and a row for each corruption and strength."""

    answers: Predictions
    rows: tuple[CorruptionResult, ...]


def compare_robustness(
    classifiers: Sequence[Classifier], faces: FaceDataset, split: str = "public", progress: Progress | None = None
) -> list[ModelRobustness]:
    """Every model on the same faces of one split, plain and under everything; models must share their classes."""
    plain = [predict_split(each, faces, split, augmented=False) for each in classifiers]
    chosen = plain[0].faces
    for each in plain[1:]:
        if each.faces.classes != chosen.classes or len(each.faces) != len(chosen):
            happened = f"{plain[0].card.name} and {each.card.name} know different expressions"
            raise ExperimentError(happened, "models of the same classes were expected", "Measure them one by one")
    tables = _tables(classifiers, chosen, progress)
    return [ModelRobustness(*pair) for pair in zip(plain, tables, strict=True)]


def measure_robustness(classifier: Classifier, faces: FaceDataset) -> list[CorruptionResult]:
    """A row for every corruption and strength, after one for the faces as they are, on all of these faces."""
    [rows] = _tables([classifier], faces, None)
    return list(rows)


def _tables(
    classifiers: Sequence[Classifier], faces: FaceDataset, progress: Progress | None
) -> list[tuple[CorruptionResult, ...]]:
    total = PASSES * len(faces) * len(classifiers)
    passes = [BatchPredictor(each) for each in classifiers]
    done, rows = 0, [list[CorruptionResult]() for _ in classifiers]
    for name, strength, pixels in _spoilt(faces.pixels):
        for one, table in zip(passes, rows, strict=True):
            right = one.over(pixels)[0].argmax(1) == faces.labels
            found = float(np.mean(right))
            clean = table[0].accuracy if table else found
            table.append(CorruptionResult(name, strength, found, clean - found, *accuracy_interval(right)))
            done += len(pixels)
            if progress:
                progress(done, total)
    return [tuple(table) for table in rows]


def _spoilt(pixels: NDArray[np.uint8]) -> Iterator[tuple[str, float, NDArray[np.uint8]]]:
    """The faces as they are, then under every corruption at every strength."""
    yield "none", 0.0, pixels
    for each in CORRUPTIONS.values():
        for strength in each.strengths:
            yield each.name, strength, corrupt_faces(pixels, each.change, strength)
