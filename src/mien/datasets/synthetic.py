"""Faces drawn with a pencil of numbers: an expression task that anybody can train on without FER2013.

Brows, eyes, nose and mouth follow the expression; head, hair, place, tilt, light and noise do not, so the answer cannot
be read from mean pixels. No real person is in them, and a net trained on them knows nothing about real faces.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import images
from mien.datasets import dataset, ferplus
from mien.datasets.dataset import PRIVATE, PUBLIC, SIDE, TRAINING, VOTE_CATEGORIES, FaceDataset, write_csv, write_votes
from mien.labels import EMOTIONS

#: Faces are drawn this many times larger and then shrunk, which gives soft lines.
_FINE = 4
_SPLITS = (TRAINING,) * 8 + (PUBLIC, PRIVATE)
#: How often a drawn voter says what was meant; the others say anything.
_AGREEMENT = 0.8


@dataclass(frozen=True)
class ExpressionShape:
    """What an expression does to a face. 0 is at rest but for ``eye`` and ``wide``, which rest at 1.

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


#: One for each of EMOTIONS, in its order.
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
    """``count`` drawn faces, the expressions in turn; eight of ten for Training, one each for the two test splits."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(EMOTIONS)
    pixels = np.zeros((count, SIDE, SIDE), np.uint8)
    for place, label in enumerate(labels):
        pixels[place] = draw_face(EXPRESSION_SHAPES[label], rng)
    usage = np.array(_SPLITS)[(np.arange(count) // len(EMOTIONS)) % len(_SPLITS)]
    return FaceDataset(pixels, labels.astype(np.int64), usage, _voted(labels, rng))


def write_fer2013(folder: str | Path, count: int, seed: int = 0) -> Path:
    """``fer2013.csv`` and ``fer2013new.csv`` in that folder, as the real ones look; the path of the first."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw_faces(count, seed)
    dataset.write_votes(drawn, folder / "fer2013new.csv")
    return dataset.write_csv(drawn, folder / "fer2013.csv")


def draw_face(look: ExpressionShape, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One face, gray uint8 (48, 48), its expression a little stronger or weaker than the book says."""
    look = _varied(look, rng)
    skin, ink = rng.uniform(110, 220), rng.uniform(15, 60)
    canvas = np.full((SIDE * _FINE, SIDE * _FINE), rng.uniform(20, 235), np.uint8)
    _head(canvas, skin, rng)
    for side in (-1, 1):
        _eye(canvas, side, look, ink)
        _brow(canvas, side, look, ink)
    _nose(canvas, look, skin * 0.7)
    _mouth(canvas, look, ink, skin * 0.55)
    return _photographed(canvas, rng)


def _varied(look: ExpressionShape, rng: np.random.Generator) -> ExpressionShape:
    rest, strength = np.array(astuple(ExpressionShape())), rng.uniform(0.75, 1.15)
    meant = rest + (np.array(astuple(look)) - rest) * strength
    return ExpressionShape(*(meant + rng.normal(0, 0.06, len(meant))))


def _head(canvas: Canvas, skin: float, rng: np.random.Generator) -> None:
    hair, brim = rng.uniform(10, 230), rng.uniform(-0.5, 0.1)
    _oval(canvas, (0, -0.12), (0.78 + rng.uniform(0, 0.15), 0.95), hair)
    _oval(canvas, (0, 0.08), (0.68 + rng.uniform(-0.06, 0.06), 0.88), skin)
    if brim < -0.15:
        _line(canvas, [(-0.5, brim - 0.25), (0, brim - 0.32), (0.5, brim - 0.25)], hair, 0.12)


def _eye(canvas: Canvas, side: int, look: ExpressionShape, ink: float) -> None:
    middle = (0.3 * side, -0.1)
    _oval(canvas, middle, (0.15, max(0.085 * look.eye, 0.015)), 240)
    _oval(canvas, middle, (0.06, min(0.06, max(0.08 * look.eye, 0.015))), ink)


def _brow(canvas: Canvas, side: int, look: ExpressionShape, ink: float) -> None:
    height = -0.32 - 0.11 * look.lift
    inner, outer = height + 0.1 * look.tilt, height - 0.06 * look.tilt
    _line(canvas, [(0.13 * side, inner), (0.3 * side, (inner + outer) / 2 - 0.03), (0.48 * side, outer)], ink, 0.05)


def _nose(canvas: Canvas, look: ExpressionShape, shade: float) -> None:
    tip = 0.22 - 0.05 * look.wrinkle
    _line(canvas, [(-0.08, tip), (0, tip + 0.04), (0.08, tip)], shade, 0.03)
    for side in (-1, 1):
        if look.wrinkle > 0.4:
            _line(canvas, [(0.07 * side, 0.02), (0.14 * side, 0.12)], shade, 0.03)
            _line(canvas, [(0.16 * side, 0.2), (0.28 * side, 0.36)], shade, 0.03)


def _mouth(canvas: Canvas, look: ExpressionShape, ink: float, lips: float) -> None:
    across = np.linspace(-1, 1, 15)
    middle = 0.52 + 0.13 * look.curve * (0.5 - across**2)
    open_ = 0.13 * max(look.gape, 0) * np.sqrt(np.maximum(1 - across**2, 0))
    upper = [(0.28 * look.wide * x, y) for x, y in zip(across, middle - open_, strict=True)]
    lower = [(0.28 * look.wide * x, y) for x, y in zip(across, middle + open_, strict=True)]
    cv2.fillPoly(canvas, [_points([*upper, *lower[::-1]])], ink)
    _line(canvas, upper, lips, 0.04)
    _line(canvas, lower, lips, 0.04)


def _photographed(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turned, moved, made smaller; light from one side; noise."""
    middle = SIDE * _FINE / 2
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-14, 14), rng.uniform(0.82, 1.12))
    turn[:, 2] += rng.uniform(-4, 4, 2) * _FINE
    turned = cv2.warpAffine(canvas, turn, canvas.shape, borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(turned, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    across, down = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    light = rng.uniform(0.55, 1.1) * (1 + rng.uniform(-0.35, 0.35) * across + rng.uniform(-0.25, 0.25) * down)
    noisy = small * light + rng.normal(0, rng.uniform(1, 7), small.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _voted(labels: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int16]:
    """Ten votes a face; nobody says there is none."""
    chances = np.full((len(labels), len(VOTE_CATEGORIES)), (1 - _AGREEMENT) / (len(VOTE_CATEGORIES) - 2))
    chances[np.arange(len(labels)), labels] = _AGREEMENT
    chances[:, -1] = 0
    return rng.multinomial(10, chances / chances.sum(1, keepdims=True)).astype(np.int16)


def _points(points: list[Point]) -> NDArray[np.int32]:
    """From the face's own measure, -1 to 1 about its middle, to places on the canvas."""
    half = SIDE * _FINE / 2
    return np.round((np.array(points) * 0.85 + 1) * half).astype(np.int32)


def _line(canvas: Canvas, points: list[Point], gray: float, thickness: float) -> None:
    width = max(round(thickness * SIDE * _FINE / 2), 1)
    cv2.polylines(canvas, [_points(points)], False, gray, width, cv2.LINE_AA)


def _oval(canvas: Canvas, middle: Point, half: Point, gray: float) -> None:
    [(x, y)] = _points([middle])
    axes = tuple(max(round(length * 0.85 * SIDE * _FINE / 2), 1) for length in half)
    cv2.ellipse(canvas, (int(x), int(y)), axes, 0, 0, 360, gray, -1, cv2.LINE_AA)


def main() -> None:
    """``python -m mien.datasets.synthetic FOLDER --faces 7000``."""
    import argparse

    words = argparse.ArgumentParser(
        prog="python -m mien.datasets.synthetic", description="Draw faces in FER2013's format."
    )
    words.add_argument("folder", type=Path)
    words.add_argument("--faces", type=int, default=7000)
    words.add_argument("--seed", type=int, default=0)
    given = words.parse_args()
    write_fer2013(given.folder, given.faces, given.seed)


# ==== mien.lab.pencil
# Drawn faces on disk, in every shape that FER2013 has: the table, the votes, folders of pictures, arrays.

TABLE, ARRAYS = "fer2013.csv", "fer2013.npz"
#: Which folder a split goes to; reading them gives the same splits back.
FOLDERS = {TRAINING: "train", PUBLIC: "validation", PRIVATE: "test"}


def list_outputs(out: Path, *, folders: bool = False, npz: bool = False) -> list[Path]:
    """What would be written into ``out``."""
    pictures = [out / folder for folder in FOLDERS.values()] if folders else []
    return [out / TABLE, out / ferplus.FILE_NAME, *pictures, *([out / ARRAYS] if npz else [])]


def write_synthetic(out: Path, count: int, seed: int = 0, *, folders: bool = False, npz: bool = False) -> list[Path]:
    """Draw ``count`` faces and write them; what was written."""
    faces = draw_faces(count, seed)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(faces, out / TABLE)
    write_votes(faces, out / ferplus.FILE_NAME)
    if folders:
        _write_folders(faces, out)
    if npz:
        _write_arrays(faces, out / ARRAYS)
    return list_outputs(out, folders=folders, npz=npz)


def _write_folders(faces: FaceDataset, out: Path) -> None:
    for place, (pixels, label, usage) in enumerate(zip(faces.pixels, faces.labels, faces.usage, strict=True)):
        folder = out / FOLDERS[str(usage)] / faces.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        images.save_image(np.repeat(pixels[..., None], 3, axis=2), folder / f"{usage}_{place}.png")


def _write_arrays(faces: FaceDataset, path: Path) -> None:
    given = {"pixels": faces.pixels, "emotion": faces.labels.astype(np.int8), "usage": faces.usage}
    np.savez_compressed(path, **given, votes=ferplus.to_ferplus_columns(faces.votes).astype(np.int8))


if __name__ == "__main__":
    main()
