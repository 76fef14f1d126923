"""Saving pixels as an image file, completely or not at all."""

from __future__ import annotations

import os
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

from PIL import Image

from mien.errors import OutputError, suggest_name
from mien.files import write_atomically
from mien.images.load import convert_array
from mien.images.sources import quote_source
from mien.results import Pixels

#: The encoder of each suffix, and its options.
_ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".jpg": ("JPEG", {"quality": 92}),
    ".jpeg": ("JPEG", {"quality": 92}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 92}),
}

WRITABLE_SUFFIXES = frozenset(_ENCODERS)


def save_image(pixels: Pixels, path: str | PathLike[str]) -> None:
    """Write RGB uint8 ``(h, w, 3)`` as JPEG, PNG or WebP, according to the suffix.

    An existing file is replaced when the new one is complete. Raises :class:`OutputError` if there is no space, no
    permission or no such format.
    """
    # Encoded in memory: when Pillow writes to a file, the reason for a failure is lost.
    data = _encode_image(pixels, Path(path))
    try:
        write_atomically(path, data)
    except (OSError, ValueError) as error:
        is_folder = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for names that are too long
        reason = "it is a folder" if is_folder else getattr(error, "strerror", None) or error
        raise OutputError(
            f"{quote_source(path)} could not be written: {reason}",
            "A writable folder with enough space was expected",
            "Free some space, or choose another folder",
        ) from error


def _encode_image(pixels: Pixels, path: Path) -> bytes:
    suffix = path.suffix.lower()
    if suffix not in _ENCODERS:
        reason = f"the suffix '{suffix}' is" if suffix else "a name without a suffix is"
        raise OutputError(
            f"The image cannot be written to {quote_source(path)}: {reason} not a format that mien writes",
            f"Expected one of {', '.join(_ENCODERS)}",
            suggest_name(suffix, _ENCODERS) or "Choose the name of a .png or .jpg file",
        )
    encoder, options = _ENCODERS[suffix]
    data = BytesIO()
    try:
        Image.fromarray(convert_array(pixels)).save(data, encoder, **options)
    except (OSError, ValueError, KeyError) as error:
        height, width = pixels.shape[:2]
        raise OutputError(
            f"{width} × {height} pixels could not be written as {encoder}: {error}",
            "JPEG allows 65,500 pixels per side, WebP 16,383, PNG any number",
            "Write a .png file",
        ) from error
    return data.getvalue()
