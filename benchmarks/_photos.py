"""JPEG photos of 640 x 480 pixels with one face each: random crops, scales and brightness of the two free portraits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SIZE = (640, 480)
#: The centre of each face as fractions of the portrait's width and height, and the largest scale.
FACES = {"astronaut": (0.44, 0.24, 1.6), "hopper": (0.52, 0.37, 1.3)}


def write_photos(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write ``count`` JPEG files into ``folder``, reproducible by the seed, and return their paths."""
    rng = np.random.default_rng(seed)
    portraits = {name: Image.open(EXAMPLES / f"{name}.jpg").convert("RGB") for name in FACES}
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo-{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        name = list(FACES)[number % len(FACES)]
        _vary_portrait(portraits[name], *FACES[name], rng).save(path, quality=int(rng.integers(80, 95)))
    return paths


def _vary_portrait(
    portrait: Image.Image, x: float, y: float, max_scale: float, rng: np.random.Generator
) -> Image.Image:
    scale = max(SIZE[0] / portrait.width, SIZE[1] / portrait.height) * rng.uniform(1, max_scale / 1.25)
    image = portrait.resize((round(portrait.width * scale), round(portrait.height * scale)))
    shift_x, shift_y = rng.uniform(-0.15, 0.15, 2)
    left = _clamp(x * image.width - SIZE[0] * (0.5 + shift_x), image.width - SIZE[0])
    top = _clamp(y * image.height - SIZE[1] * (0.45 + shift_y), image.height - SIZE[1])
    image = image.crop((left, top, left + SIZE[0], top + SIZE[1]))
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.8, 1.2))
    return ImageOps.mirror(image) if rng.random() < 0.5 else image


def _clamp(value: float, upper: int) -> int:
    return min(max(round(value), 0), max(upper, 0))
