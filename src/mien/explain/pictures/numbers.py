"""The faces of a picture, numbered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from mien.explain.explanation import Explanation
from mien.explain.pictures.paper import font
from mien.labels import colour
from mien.types import Pixels

_FINER = 4


def numbered(pixels: Pixels, faces: Sequence[Explanation]) -> Pixels:
    """A copy of the picture with each face's number in the lower right corner of its box."""
    image = Image.fromarray(pixels)
    for told in faces:
        if told.face is None or told.number is None:
            continue
        box = told.face.box
        side = round(min(max(box.width / 5, min(image.size) / 26, 16), box.width))
        badge = _badge(f"{told.number}", side, colour(told.emotions.top, told.emotions.labels))
        x = min(max(box.x + box.width - side // 2, 0), image.width - side)
        y = min(max(box.y + box.height - side // 2, 0), image.height - side)
        image.paste(badge, (x, y), badge)
    return np.array(image, np.uint8)


def _badge(words: str, side: int, hue: str) -> Image.Image:
    large = side * _FINER
    badge = Image.new("RGBA", (large, large), (255, 255, 255, 0))
    draw = ImageDraw.Draw(badge)
    draw.ellipse((0, 0, large - 1, large - 1), fill="#1c2128")
    draw.ellipse((_FINER, _FINER, large - 1 - _FINER, large - 1 - _FINER), outline=hue, width=max(large // 12, _FINER))
    size = round(large * (0.5 if len(words) < 3 else 0.36))
    draw.text((large / 2, large / 2), words, fill="#ffffff", font=font(size), anchor="mm")
    return badge.reduce(_FINER)
