"""A group photograph: the faces of the free sample portraits, pasted in rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mien.apps.session.samples import sample_paths
from mien.faces.crop import crop_square
from mien.results import Box, Pixels

#: The boxes of the faces in the samples.
_FACES = {
    "portraits.jpg": (Box(536, 97, 233, 234), Box(148, 69, 120, 120)),
    "astronaut.jpg": (Box(172, 62, 106, 106),),
    "hopper.jpg": (Box(144, 100, 241, 241),),
}

#: The background around each face, in sides of its box.
_MARGIN = 0.4


def draw_group(columns: int = 6, rows: int = 4, side: int = 200) -> Pixels:
    """An image of ``columns * rows`` faces, ``(rows * side, columns * side, 3)``: of different brightness."""
    faces = []
    for path in sample_paths().values():
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        for box in _FACES[path.name]:
            face = Image.fromarray(crop_square(pixels, box, _MARGIN))
            faces.append(face.resize((side, side), Image.Resampling.BICUBIC))
    group = np.empty((rows * side, columns * side, 3), np.uint8)
    for index in range(columns * rows):
        top, left = (position * side for position in divmod(index, columns))
        group[top : top + side, left : left + side] = np.asarray(faces[index % len(faces)]) * (
            0.75 + 0.05 * (index % 6)
        )
    return group


def write_group(path: Path, columns: int = 6, rows: int = 4, side: int = 200) -> Path:
    """The same image as a JPEG file."""
    Image.fromarray(draw_group(columns, rows, side)).save(path, quality=90)
    return path
