"""Why a path could not be opened, in our words."""

from __future__ import annotations

import errno
import os
from os import PathLike
from pathlib import Path

from mien.errors import SourceError, SourceMissing, SourceUnreadable
from mien.media.names import is_address, name_of, nearby, shown

_EXPECTED = "A path to a picture file was expected"


def refused_unopened(source: str | PathLike[str]) -> SourceError | None:
    """The reason not even to try: an address, or nothing at all. None for a path."""
    if is_address(source):
        web = name_of(source).lower().startswith(("http://", "https://"))
        remedy = "The command line fetches it with --allow-url" if web else "Download it, and name the file"
        return SourceError(f"{shown(source)} is an address, not a path", _EXPECTED, remedy)
    if not os.fspath(source):
        return SourceMissing("The path is empty", _EXPECTED, "Name a picture file")
    return None


def refusal(source: str | PathLike[str], error: OSError | ValueError, expected: str = _EXPECTED) -> SourceError:
    """The failure for a path that the system would not open; ``expected`` says what should have been there."""
    name, path = shown(source), Path(os.fsdecode(source))
    match error:
        case FileNotFoundError() if path.is_symlink():
            return SourceMissing(f"{name} is a link to something that is not there", expected, "Mend the link")
        case FileNotFoundError() | NotADirectoryError():
            return SourceMissing(f"{name} is not there", expected, nearby(path) or "Check the spelling and the folder")
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
