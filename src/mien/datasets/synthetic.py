"""Synthetic faces: drawn expressions in FER2013's formats, to train and test without FER2013.

Brows, eyes, nose and mouth follow the expression; head, hair, position, rotation, light and noise are random, so mean
pixels do not give the label away. They show no real person, and a network trained on them learns nothing about real
faces. Other images show no face: a model should be uncertain on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import images
from mien.datasets import ferplus
from mien.datasets.dataset import (
    PRIVATE,
    PUBLIC,
    SIDE,
    SYNTHETIC,
    SYNTHETIC_TABLE,
    SYNTHETIC_VOTES,
    TRAINING,
    VOTE_CATEGORIES,
    FaceDataset,
    write_csv,
    write_votes,
)
from mien.labels import EMOTIONS

if TYPE_CHECKING:
    from mien.models import Classifier, ModelCard
    from mien.models.classifier import Outputs

#: Faces are drawn this many times larger and then reduced, which gives soft lines.
_OVERSAMPLING = 4
ARRAYS = f"{SYNTHETIC}.npz"
#: The folder of each split; loading the folders gives the same splits.
FOLDERS = {TRAINING: "train", PUBLIC: "validation", PRIVATE: "test"}
_SPLITS = (TRAINING,) * 8 + (PUBLIC, PRIVATE)
#: The probability that a simulated annotator votes for the label; the others vote at random.
_AGREEMENT = 0.8


@dataclass(frozen=True)
class ExpressionShape:
    """The shape of brows, eyes, nose and mouth. 0 is neutral but for ``eye`` and ``wide``, which are 1 when neutral.

    ``tilt``: inner ends of the brows down; ``lift``: brows up; ``eye``: lids apart; ``curve``: corners of the mouth up;
    ``gape``: lips apart; ``wide``: width of the mouth; ``wrinkle``: nose drawn up.
    """

    tilt: float = 0.0
    lift: float = 0.0
    eye: float = 1.0
    curve: float = 0.0
    gape: float = 0.0
    wide: float = 1.0
    wrinkle: float = 0.0


#: One for each of EMOTIONS, in the same order.
EXPRESSION_SHAPES = (
    ExpressionShape(tilt=1.0, lift=-0.6, eye=0.8, curve=-0.4, gape=0.15, wide=0.9),
    ExpressionShape(tilt=0.3, lift=-0.5, eye=0.45, curve=-0.5, gape=0.1, wide=0.8, wrinkle=1.0),
    ExpressionShape(tilt=-0.8, lift=0.6, eye=1.4, curve=-0.4, gape=0.5, wide=1.15),
    ExpressionShape(lift=0.1, eye=0.7, curve=1.0, gape=0.3, wide=1.25),
    ExpressionShape(tilt=-0.9, lift=-0.1, eye=0.65, curve=-1.0, wide=0.8),
    ExpressionShape(lift=1.0, eye=1.5, gape=1.1, wide=0.6),
    ExpressionShape(),
)

Canvas = NDArray[np.uint8]
Point = tuple[float, float]


def draw_faces(count: int, seed: int = 0) -> FaceDataset:
    """``count`` faces, the expressions in turn; 80 % Training, 10 % for each of the two test splits."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(EMOTIONS)
    pixels = np.zeros((count, SIDE, SIDE), np.uint8)
    for index, label in enumerate(labels):
        pixels[index] = draw_face(EXPRESSION_SHAPES[label], rng)
    usage = np.array(_SPLITS)[(np.arange(count) // len(EMOTIONS)) % len(_SPLITS)]
    return FaceDataset(pixels, labels.astype(np.int64), usage, _draw_votes(labels, rng), synthetic=True)


def write_fer2013(folder: str | Path, count: int, seed: int = 0) -> Path:
    """Write the faces under the names of FER2013 and FER+, to test what reads those files; the path of the first."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    faces = draw_faces(count, seed)
    write_votes(faces, folder / ferplus.FILE_NAME)
    return write_csv(faces, folder / "fer2013.csv")


def draw_face(shape: ExpressionShape, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One face, gray uint8 (48, 48), with a random strength of its expression."""
    shape = _vary_shape(shape, rng)
    skin, ink = rng.uniform(110, 220), rng.uniform(15, 60)
    canvas = np.full((SIDE * _OVERSAMPLING, SIDE * _OVERSAMPLING), rng.uniform(20, 235), np.uint8)
    _draw_head(canvas, skin, rng)
    for side in (-1, 1):
        _draw_eye(canvas, side, shape, ink)
        _draw_brow(canvas, side, shape, ink)
    _draw_nose(canvas, shape, skin * 0.7)
    _draw_mouth(canvas, shape, ink, skin * 0.55)
    return _add_variation(canvas, rng)


def _vary_shape(shape: ExpressionShape, rng: np.random.Generator) -> ExpressionShape:
    rest, strength = np.array(astuple(ExpressionShape())), rng.uniform(0.75, 1.15)
    values = rest + (np.array(astuple(shape)) - rest) * strength
    return ExpressionShape(*(values + rng.normal(0, 0.06, len(values))))


def _draw_head(canvas: Canvas, skin: float, rng: np.random.Generator) -> None:
    hair, brim = rng.uniform(10, 230), rng.uniform(-0.5, 0.1)
    _draw_oval(canvas, (0, -0.12), (0.78 + rng.uniform(0, 0.15), 0.95), hair)
    _draw_oval(canvas, (0, 0.08), (0.68 + rng.uniform(-0.06, 0.06), 0.88), skin)
    if brim < -0.15:
        _draw_line(canvas, [(-0.5, brim - 0.25), (0, brim - 0.32), (0.5, brim - 0.25)], hair, 0.12)


def _draw_eye(canvas: Canvas, side: int, shape: ExpressionShape, ink: float) -> None:
    middle = (0.3 * side, -0.1)
    _draw_oval(canvas, middle, (0.15, max(0.085 * shape.eye, 0.015)), 240)
    _draw_oval(canvas, middle, (0.06, min(0.06, max(0.08 * shape.eye, 0.015))), ink)


def _draw_brow(canvas: Canvas, side: int, shape: ExpressionShape, ink: float) -> None:
    height = -0.32 - 0.11 * shape.lift
    inner, outer = height + 0.1 * shape.tilt, height - 0.06 * shape.tilt
    _draw_line(
        canvas, [(0.13 * side, inner), (0.3 * side, (inner + outer) / 2 - 0.03), (0.48 * side, outer)], ink, 0.05
    )


def _draw_nose(canvas: Canvas, shape: ExpressionShape, shade: float) -> None:
    tip = 0.22 - 0.05 * shape.wrinkle
    _draw_line(canvas, [(-0.08, tip), (0, tip + 0.04), (0.08, tip)], shade, 0.03)
    for side in (-1, 1):
        if shape.wrinkle > 0.4:
            _draw_line(canvas, [(0.07 * side, 0.02), (0.14 * side, 0.12)], shade, 0.03)
            _draw_line(canvas, [(0.16 * side, 0.2), (0.28 * side, 0.36)], shade, 0.03)


def _draw_mouth(canvas: Canvas, shape: ExpressionShape, ink: float, lips: float) -> None:
    across = np.linspace(-1, 1, 15)
    middle = 0.52 + 0.13 * shape.curve * (0.5 - across**2)
    open_ = 0.13 * max(shape.gape, 0) * np.sqrt(np.maximum(1 - across**2, 0))
    upper = [(0.28 * shape.wide * x, y) for x, y in zip(across, middle - open_, strict=True)]
    lower = [(0.28 * shape.wide * x, y) for x, y in zip(across, middle + open_, strict=True)]
    cv2.fillPoly(canvas, [_to_pixels([*upper, *lower[::-1]])], ink)
    _draw_line(canvas, upper, lips, 0.04)
    _draw_line(canvas, lower, lips, 0.04)


def _add_variation(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random rotation, shift and scale, light from one side, and noise."""
    middle = SIDE * _OVERSAMPLING / 2
    rotation = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-14, 14), rng.uniform(0.82, 1.12))
    matrix = np.asarray(rotation, np.float64)
    matrix[:, 2] += rng.uniform(-4, 4, 2) * _OVERSAMPLING
    warped = cv2.warpAffine(canvas, matrix, canvas.shape, borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(warped, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    across, down = _coordinates()
    light = rng.uniform(0.55, 1.1) * (1 + rng.uniform(-0.35, 0.35) * across + rng.uniform(-0.25, 0.25) * down)
    noisy = small * light + rng.normal(0, rng.uniform(1, 7), small.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _draw_votes(labels: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int16]:
    """Ten votes for each face, none for no face."""
    probabilities = np.full((len(labels), len(VOTE_CATEGORIES)), (1 - _AGREEMENT) / (len(VOTE_CATEGORIES) - 2))
    probabilities[np.arange(len(labels)), labels] = _AGREEMENT
    probabilities[:, -1] = 0
    return rng.multinomial(10, probabilities / probabilities.sum(1, keepdims=True)).astype(np.int16)


def _to_pixels(points: list[Point]) -> NDArray[np.int32]:
    """Coordinates of the face (-1 to 1 about its middle) as pixels of the canvas."""
    half = SIDE * _OVERSAMPLING / 2
    return np.round((np.array(points) * 0.85 + 1) * half).astype(np.int32)


def _draw_line(canvas: Canvas, points: list[Point], gray: float, thickness: float) -> None:
    width = max(round(thickness * SIDE * _OVERSAMPLING / 2), 1)
    cv2.polylines(canvas, [_to_pixels(points)], False, gray, width, cv2.LINE_AA)


def _draw_oval(canvas: Canvas, middle: Point, half: Point, gray: float) -> None:
    [(x, y)] = _to_pixels([middle])
    axes = tuple(max(round(length * 0.85 * SIDE * _OVERSAMPLING / 2), 1) for length in half)
    cv2.ellipse(canvas, (int(x), int(y)), axes, 0, 0, 360, gray, -1, cv2.LINE_AA)


def list_outputs(out: Path, *, folders: bool = False, npz: bool = False) -> list[Path]:
    """The files and folders that ``write_synthetic`` writes into ``out``."""
    images = [out / folder for folder in FOLDERS.values()] if folders else []
    return [out / SYNTHETIC_TABLE, out / SYNTHETIC_VOTES, *images, *([out / ARRAYS] if npz else [])]


def write_synthetic(out: Path, count: int, seed: int = 0, *, folders: bool = False, npz: bool = False) -> list[Path]:
    """Draw ``count`` faces and write them as a table in FER2013's format, votes in FER+'s, image folders and arrays."""
    faces = draw_faces(count, seed)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(faces, out / SYNTHETIC_TABLE)
    write_votes(faces, out / SYNTHETIC_VOTES)
    if folders:
        for index, (pixels, label, usage) in enumerate(zip(faces.pixels, faces.labels, faces.usage, strict=True)):
            folder = out / FOLDERS[str(usage)] / faces.classes[label]
            folder.mkdir(parents=True, exist_ok=True)
            images.save_image(np.repeat(pixels[..., None], 3, axis=2), folder / f"{SYNTHETIC}_{usage}_{index}.png")
    if npz:
        votes, labels = ferplus.to_ferplus_columns(faces.votes).astype(np.int8), faces.labels.astype(np.int8)
        np.savez_compressed(out / ARRAYS, pixels=faces.pixels, emotion=labels, usage=faces.usage, votes=votes)
    return list_outputs(out, folders=folders, npz=npz)


# Images without a face: others than those of the training augmentation, which are noise and shuffled faces.

_LETTERS = "ABCDEFGHKMNPRSTUXYZ2345679&?%"


def measure_uncertain_rates(classifier: Classifier, count: int = 200, seed: int = 0) -> dict[str, float]:
    """By pattern, the fraction of ``count`` such images whose prediction is uncertain."""
    rates = {}
    for kind, draw in NON_FACES.items():
        rng = np.random.default_rng(seed)
        outputs = classifier.run(np.stack([draw(rng) for _ in range(count)])[..., None])
        rates[kind] = measure_uncertain_part(classifier.card, outputs)
    return rates


def measure_uncertain_part(card: ModelCard, outputs: Outputs) -> float:
    """The fraction of the predictions that are uncertain by the decision rule of the card."""
    # Imported here: drawing faces needs no model.
    from mien.models.decision import build_emotions

    votes = [None] * len(outputs.scores) if outputs.votes is None else outputs.votes
    emotions = (build_emotions(card, *values) for values in zip(outputs.scores, votes, strict=True))
    return float(np.mean([each.uncertain is not None for each in emotions]))


def flat(rng: np.random.Generator) -> Canvas:
    """A single gray value."""
    return np.full((SIDE, SIDE), rng.integers(0, 256), np.uint8)


def slope(rng: np.random.Generator) -> Canvas:
    """A linear gradient."""
    (across, down), angle = _coordinates(), rng.uniform(0, 2 * np.pi)
    return _scale_to_gray((np.cos(angle) * across + np.sin(angle) * down) / np.sqrt(2), rng)


def stripes(rng: np.random.Generator) -> Canvas:
    """A sine wave in one direction."""
    (across, down), angle, frequency = _coordinates(), rng.uniform(0, np.pi), rng.uniform(4, 30)
    return _scale_to_gray(np.sin(frequency * (np.cos(angle) * across + np.sin(angle) * down) + rng.uniform(0, 6)), rng)


def checks(rng: np.random.Generator) -> Canvas:
    """A chessboard."""
    side, (right, low) = rng.integers(3, 14), rng.integers(0, 14, 2)
    rows = (np.arange(SIDE) + low) // side
    columns = (np.arange(SIDE) + right) // side
    return _scale_to_gray(((rows[:, None] + columns) % 2 * 2 - 1).astype(float), rng)


def discs(rng: np.random.Generator) -> Canvas:
    """Filled circles of random sizes and gray values."""
    canvas = flat(rng)
    for _ in range(rng.integers(1, 12)):
        middle = tuple(int(each) for each in rng.integers(0, SIDE, 2))
        cv2.circle(canvas, middle, int(rng.integers(2, 20)), int(rng.integers(0, 256)), -1, cv2.LINE_AA)
    return canvas


def letters(rng: np.random.Generator) -> Canvas:
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


def _scale_to_gray(values: NDArray[np.float64], rng: np.random.Generator) -> Canvas:
    """Values from -1 to 1 scaled to a random range of gray values, with a little noise."""
    dark, bright = np.sort(rng.uniform(0, 255, 2))
    gray = dark + (values + 1) / 2 * (bright - dark) + rng.normal(0, rng.uniform(0, 6), values.shape)
    return np.asarray(np.clip(gray, 0, 255), np.uint8)


#: The patterns without a face by name.
NON_FACES: dict[str, Callable[[np.random.Generator], Canvas]] = {
    each.__name__: each for each in (flat, slope, stripes, checks, discs, letters)
}
