"""Images inside a page."""

from __future__ import annotations

import base64
import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Format = Literal["png", "webp", "jpeg"]


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    """The bytes of a file as a data URI: ``data:image/png;base64,...``."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def shrink_image(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """RGB with its longest side at most ``longest``; a smaller image is returned unchanged."""
    height, width = pixels.shape[:2]
    if max(height, width) <= longest:
        return pixels
    part = longest / max(height, width)
    size = max(round(width * part), 1), max(round(height * part), 1)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.uint8)


def encode_image(pixels: NDArray[np.uint8], file_format: Format = "png", quality: int = 82) -> bytes:
    """The bytes of an image file, gray ``(h, w)``, RGB ``(h, w, 3)`` or RGBA ``(h, w, 4)``."""
    options: dict[str, Any] = {"compress_level": 9} if file_format == "png" else {"quality": quality}
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, file_format, **options)
    return buffer.getvalue()
