"""Pixels to a file: whole or not at all."""

from __future__ import annotations

import os
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

from PIL import Image

from mien.errors import OutputError, suggest_name
from mien.files import write_atomically
from mien.images import load
from mien.images.sources import quote_source
from mien.results import Pixels

#: Suffix to encoder and its settings.
_ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".jpg": ("JPEG", {"quality": 92}),
    ".jpeg": ("JPEG", {"quality": 92}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 92}),
}

#: The suffixes of what can be written.
WRITABLE_SUFFIXES = frozenset(_ENCODERS)


def save_image(pixels: Pixels, path: str | PathLike[str]) -> None:
    """Write RGB uint8 ``(h, w, 3)`` as JPEG, PNG or WebP, told by the suffix.

    The file appears under its name when it is whole; until then a file that was there stays as it was.
    Raises :class:`OutputError` when there is no room, no permission or no such format.
    """
    data = _encoded(pixels, Path(path))
    try:
        write_atomically(path, data)
    except (OSError, ValueError) as error:
        raise _not_written(path, error) from error


def _encoded(pixels: Pixels, path: Path) -> bytes:
    """In memory first: Pillow writing to a file hides why it failed."""
    encoder, settings = _encoder(path)
    data = BytesIO()
    try:
        Image.fromarray(load.convert_array(pixels)).save(data, encoder, **settings)
    except (OSError, ValueError, KeyError) as error:
        height, width = pixels.shape[:2]
        raise OutputError(
            f"{width} × {height} pixels could not be written as {encoder}: {error}",
            "JPEG holds 65,500 pixels a side, WebP 16,383, PNG any",
            "Write a .png file",
        ) from error
    return data.getvalue()


def _encoder(path: Path) -> tuple[str, dict[str, Any]]:
    suffix = path.suffix.lower()
    if suffix not in _ENCODERS:
        what = f"end in '{suffix}'" if suffix else "have no suffix"
        raise OutputError(
            f"Pictures cannot be written to {quote_source(path)}: names that {what} say no format we write",
            f"Expected one of {', '.join(_ENCODERS)}",
            suggest_name(suffix, _ENCODERS) or "Name a .png or .jpg file",
        )
    return _ENCODERS[suffix]


def _not_written(path: str | PathLike[str], error: OSError | ValueError) -> OutputError:
    folder = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for names that are too long
    reason = "it is a folder" if folder else getattr(error, "strerror", None) or error
    return OutputError(
        f"{quote_source(path)} could not be written: {reason}",
        "A folder with room that may be written to was expected",
        "Make room, or name another place",
    )
