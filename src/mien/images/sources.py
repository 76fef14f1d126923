"""What sources are called: in results, exactly; in messages, on one line."""

from __future__ import annotations

import errno
import os
import re
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from mien.errors import SourceError, SourceMissing, SourceUnreadable, suggest_name

#: A message stays a message, whatever was taken for a path.
_LONGEST = 240

#: So much is enough of a name that somebody sends.
_SENT = 120

#: More names than this are not compared for a hint.
_COMPARED = 5000

_ADDRESS = re.compile(r"(?:https?|ftp|file|data|s3|gs|rtsp)://|data:", re.IGNORECASE)


def source_name(source: object) -> str:
    """What a result calls its source: the path, or ``<bytes>``, ``<image>``, ``<array>``.

    Bytes of a file name that are no text come out as escapes (``caf\\udce9.jpg``), so that the name can be printed.
    """
    match source:
        case str() | os.PathLike():
            return os.fsdecode(source).encode("utf-8", "backslashreplace").decode("utf-8")
        case bytes() | bytearray() | memoryview():
            return "<bytes>"
        case Image.Image():
            return source_name(getattr(source, "filename", "") or "<image>")
        case np.ndarray():
            return "<array>"
    return f"<{type(source).__name__}>"


def quote_source(source: object) -> str:
    """A source in a message: quoted, on one line, of bounded length. Spaces and emoji stay as they are."""
    name = source_name(source)
    if name.startswith("<") and not isinstance(source, str | os.PathLike):
        return _ARTICLES.get(name, name)
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:_LONGEST])
    return f"'{line}{'…' if len(name) > _LONGEST else ''}'"


_ARTICLES = {"<bytes>": "What came as bytes", "<image>": "The PIL image", "<array>": "The array"}


def clean_file_name(name: str) -> str:
    """A name that came with a file, without folders and what cannot be printed: for showing, never for opening."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(filter(str.isprintable, last)).strip()[:_SENT] or "picture"


def is_url(source: object) -> bool:
    """Is this a URL, and not a path?"""
    return isinstance(source, str) and bool(_ADDRESS.match(source))


def suggest_path(path: Path) -> str:
    """``Did you mean 'photo.jpg'?``: the nearest name to the first part of the path that is not there, or nothing."""
    for part, folder in zip((path, *path.parents), path.parents, strict=False):
        names = _names(folder)
        if names is not None:
            return suggest_name(part.name, names)
    return ""


def _names(folder: Path) -> list[str] | None:
    """What lies in a folder; None where there is no folder to look into."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, _COMPARED)]
    except (OSError, ValueError):
        return None


# ==== mien.media.refusal
# Why a path could not be opened, in our words.

_EXPECTED = "A path to a picture file was expected"


def check_path(source: str | PathLike[str]) -> SourceError | None:
    """The reason not even to try: an address, or nothing at all. None for a path."""
    if is_url(source):
        web = source_name(source).lower().startswith(("http://", "https://"))
        remedy = "The command line fetches it with --allow-url" if web else "Download it, and name the file"
        return SourceError(f"{quote_source(source)} is an address, not a path", _EXPECTED, remedy)
    if not os.fspath(source):
        return SourceMissing("The path is empty", _EXPECTED, "Name a picture file")
    return None


def open_error(source: str | PathLike[str], error: OSError | ValueError, expected: str = _EXPECTED) -> SourceError:
    """The failure for a path that the system would not open; ``expected`` says what should have been there."""
    name, path = quote_source(source), Path(os.fsdecode(source))
    match error:
        case FileNotFoundError() if path.is_symlink():
            return SourceMissing(f"{name} is a link to something that is not there", expected, "Mend the link")
        case FileNotFoundError() | NotADirectoryError():
            return SourceMissing(
                f"{name} is not there", expected, suggest_path(path) or "Check the spelling and the folder"
            )
        case IsADirectoryError():
            return _folder(name)
        # What Windows says of folders.
        case PermissionError() if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises here
            return _folder(name)
        case PermissionError():
            readable = "A file that this user may read was expected"
            return SourceMissing(f"{name} may not be opened", readable, "Change its permissions")
        case OSError(errno=errno.ELOOP):
            return SourceMissing(f"{name} is a link that leads to itself", expected, "Mend the link")
    reason = getattr(error, "strerror", None) or error
    return SourceMissing(f"{name} cannot be read: {reason}", expected, "Check the path")


def _folder(name: str) -> SourceUnreadable:
    remedy = "Read it with find_pictures() or 'mien predict FOLDER'"
    return SourceUnreadable(f"{name} is a folder", "One picture was expected", remedy)
