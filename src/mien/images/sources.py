"""The names of sources, in results and in messages, and the errors for paths that cannot be opened."""

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

#: The longest name in a message; what was passed as a path may be any text.
_MAX_NAME = 240

#: The longest name of an uploaded file.
_MAX_UPLOAD_NAME = 120

#: At most so many names of a folder are compared for a suggestion.
_MAX_COMPARED = 5000

_URL = re.compile(r"(?:https?|ftp|file|data|s3|gs|rtsp)://|data:", re.IGNORECASE)

_EXPECTED = "A path to an image file was expected"

_DESCRIPTIONS = {"<bytes>": "The image in bytes", "<image>": "The PIL image", "<array>": "The array"}


def source_name(source: object) -> str:
    """The name of a source in a result: the path, or ``<bytes>``, ``<image>``, ``<array>``.

    Bytes of a file name that are not UTF-8 are escaped (``caf\\udce9.jpg``), so that the name can be printed.
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
    """The name of a source in a message: quoted, on one line, of limited length. Spaces and emoji are unchanged."""
    name = source_name(source)
    if name.startswith("<") and not isinstance(source, str | os.PathLike):
        return _DESCRIPTIONS.get(name, name)
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:_MAX_NAME])
    return f"'{line}{'…' if len(name) > _MAX_NAME else ''}'"


def clean_file_name(name: str) -> str:
    """The name of an uploaded file without folders and unprintable characters: for display, not for opening."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(filter(str.isprintable, last)).strip()[:_MAX_UPLOAD_NAME] or "image"


def is_url(source: object) -> bool:
    return isinstance(source, str) and bool(_URL.match(source))


def check_path(source: str | PathLike[str]) -> SourceError | None:
    """The error for a URL or an empty path, which need not be opened; None for any other path."""
    if is_url(source):
        web = source_name(source).lower().startswith(("http://", "https://"))
        remedy = "The command line downloads it with --allow-url" if web else "Download it, and pass the file"
        return SourceError(f"{quote_source(source)} is an address, not a path", _EXPECTED, remedy)
    if not os.fspath(source):
        return SourceMissing("The path is empty", _EXPECTED, "Pass the path of an image file")
    return None


def open_error(source: str | PathLike[str], error: OSError | ValueError, expected: str = _EXPECTED) -> SourceError:
    """The error for a path that the operating system did not open; ``expected`` says what it should have been."""
    name, path = quote_source(source), Path(os.fsdecode(source))
    match error:
        case FileNotFoundError() if path.is_symlink():
            return SourceMissing(f"{name} is a link to a file that does not exist", expected, "Correct the link")
        case FileNotFoundError() | NotADirectoryError():
            remedy = suggest_path(path) or "Check the spelling and the folder"
            return SourceMissing(f"{name} does not exist", expected, remedy)
        case IsADirectoryError():
            return _folder_error(name)
        # Windows raises PermissionError for folders.
        case PermissionError() if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises here
            return _folder_error(name)
        case PermissionError():
            readable = "A file that this user may read was expected"
            return SourceMissing(f"{name} may not be opened", readable, "Change its permissions")
        case OSError(errno=errno.ELOOP):
            return SourceMissing(f"{name} is a link that leads to itself", expected, "Correct the link")
    reason = getattr(error, "strerror", None) or error
    return SourceMissing(f"{name} cannot be read: {reason}", expected, "Check the path")


def suggest_path(path: Path) -> str:
    """``Did you mean 'photo.jpg'?`` for the first part of the path that does not exist; empty if none is similar."""
    for part, folder in zip((path, *path.parents), path.parents, strict=False):
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in islice(entries, _MAX_COMPARED)]
        except (OSError, ValueError):  # the folder does not exist either
            continue
        return suggest_name(part.name, names)
    return ""


def _folder_error(name: str) -> SourceUnreadable:
    remedy = "Read it with find_images() or 'mien predict FOLDER'"
    return SourceUnreadable(f"{name} is a folder", "One image was expected", remedy)
