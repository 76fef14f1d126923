"""Pictures inside a page."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Kind = Literal["png", "webp", "jpeg"]


def address(data: bytes, kind: str = "image/png") -> str:
    """The bytes of a file as an address: ``data:image/png;base64,...``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture(pixels: NDArray[np.uint8], alt: str, *, kind: Kind = "png", css: str = "", quality: int = 82) -> str:
    """An ``<img>`` that holds its pixels, gray ``(h, w)`` or RGB ``(h, w, 3)``, and their size.

    PNG keeps every pixel; WebP and JPEG are for photographs. ``alt`` is what it shows, in words; ``css`` its class.
    """
    height, width = pixels.shape[:2]
    source = address(encoded(pixels, kind, quality), f"image/{kind}")
    named = f" class='{escape(css)}'" if css else ""
    return f"<img{named} width='{width}' height='{height}' alt='{escape(alt)}' src='{source}'>"


def smaller(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """RGB with its longest side within bounds; a picture that is small enough as it is."""
    height, width = pixels.shape[:2]
    if max(height, width) <= longest:
        return pixels
    part = longest / max(height, width)
    size = max(round(width * part), 1), max(round(height * part), 1)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.uint8)


def encoded(pixels: NDArray[np.uint8], kind: Kind = "png", quality: int = 82) -> bytes:
    """The bytes of a picture file."""
    how: dict[str, Any] = {"compress_level": 9} if kind == "png" else {"quality": quality}
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **how)
    return buffer.getvalue()
