"""Photos of 640 pixels with one face each, from the two free portraits: cut, scaled, mirrored, lit, packed anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SIZE = (640, 480)
#: The middle of each face as shares of the portrait's width and height, and how far it may be enlarged.
FACES = {"astronaut": (0.44, 0.24, 1.6), "hopper": (0.52, 0.37, 1.3)}


def write_photos(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """``count`` JPEG files in ``folder``, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    portraits = {name: Image.open(EXAMPLES / f"{name}.jpg").convert("RGB") for name in FACES}
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo-{i:04}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        name = list(FACES)[i % len(FACES)]
        _vary(portraits[name], *FACES[name], rng).save(path, quality=int(rng.integers(80, 95)))
    return paths


def _vary(portrait: Image.Image, x: float, y: float, most: float, rng: np.random.Generator) -> Image.Image:
    scale = max(SIZE[0] / portrait.width, SIZE[1] / portrait.height) * rng.uniform(1, most / 1.25)
    picture = portrait.resize((round(portrait.width * scale), round(portrait.height * scale)))
    shift_x, shift_y = rng.uniform(-0.15, 0.15, 2)
    left = _within(x * picture.width - SIZE[0] * (0.5 + shift_x), picture.width - SIZE[0])
    top = _within(y * picture.height - SIZE[1] * (0.45 + shift_y), picture.height - SIZE[1])
    picture = picture.crop((left, top, left + SIZE[0], top + SIZE[1]))
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.8, 1.2))
    return ImageOps.mirror(picture) if rng.random() < 0.5 else picture


def _within(start: float, last: int) -> int:
    return min(max(round(start), 0), max(last, 0))
