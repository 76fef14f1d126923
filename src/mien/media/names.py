"""What sources are called: in results, exactly; in messages, on one line."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from mien.errors import nearest

#: A message stays a message, whatever was taken for a path.
_LONGEST = 240

#: So much is enough of a name that somebody sends.
_SENT = 120

#: More names than this are not compared for a hint.
_COMPARED = 5000

_ADDRESS = re.compile(r"(?:https?|ftp|file|data|s3|gs|rtsp)://|data:", re.IGNORECASE)


def name_of(source: object) -> str:
    """What a result calls its source: the path, or ``<bytes>``, ``<image>``, ``<array>``.

    Bytes of a file name that are no text come out as escapes (``caf\\udce9.jpg``), so that the name can be printed.
    """
    match source:
        case str() | os.PathLike():
            return os.fsdecode(source).encode("utf-8", "backslashreplace").decode("utf-8")
        case bytes() | bytearray() | memoryview():
            return "<bytes>"
        case Image.Image():
            return name_of(getattr(source, "filename", "") or "<image>")
        case np.ndarray():
            return "<array>"
    return f"<{type(source).__name__}>"


def shown(source: object) -> str:
    """A source in a message: quoted, on one line, of bounded length. Spaces and emoji stay as they are."""
    name = name_of(source)
    if name.startswith("<") and not isinstance(source, str | os.PathLike):
        return _ARTICLES.get(name, name)
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:_LONGEST])
    return f"'{line}{'…' if len(name) > _LONGEST else ''}'"


_ARTICLES = {"<bytes>": "What came as bytes", "<image>": "The PIL image", "<array>": "The array"}


def plain(name: str) -> str:
    """A name that came with a file, without folders and what cannot be printed: for showing, never for opening."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(filter(str.isprintable, last)).strip()[:_SENT] or "picture"


def is_address(source: object) -> bool:
    """Is this a URL, and not a path?"""
    return isinstance(source, str) and bool(_ADDRESS.match(source))


def nearby(path: Path) -> str:
    """``Did you mean 'photo.jpg'?``: the nearest name to the first part of the path that is not there, or nothing."""
    for part, folder in zip((path, *path.parents), path.parents, strict=False):
        names = _names(folder)
        if names is not None:
            return nearest(part.name, names)
    return ""


def _names(folder: Path) -> list[str] | None:
    """What lies in a folder; None where there is no folder to look into."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, _COMPARED)]
    except (OSError, ValueError):
        return None
