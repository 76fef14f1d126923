"""Writing a file whole or not at all.

The guarantee of :func:`write_atomically` and :func:`atomic_path`: other processes see under the path either what was
there before or the complete new file, never a part of it, and when writing fails, what was there before stays. The new
content is written to a temporary file in the same folder, which then replaces the file in one step. A symbolic link
stays; the file that it points to is replaced. After a power cut this holds only for what was also synchronized with
the disk (``sync=True``). A process that is killed while it writes leaves a temporary file behind, whose name matches
:data:`TEMPORARY_FILES`.

``OSError`` and ``ValueError`` (a path that no file can have) are for the caller to translate.
"""

from __future__ import annotations

import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

#: The glob pattern of temporary files that have the default suffix.
TEMPORARY_FILES = ".mien-*.part"


def write_atomically(path: str | PathLike[str], content: bytes | str, *, sync: bool = False) -> None:
    """Write ``content`` to ``path``, whole or not at all; text as UTF-8, with its line ends unchanged.

    With ``sync`` the content is on the disk, not only in the cache of the operating system, before it replaces a file.
    """
    with atomic_path(path) as temporary:
        write_bytes(temporary, content.encode() if isinstance(content, str) else content, sync=sync)


@contextmanager
def atomic_path(path: str | PathLike[str]) -> Iterator[Path]:
    """A temporary path to write to; the file there replaces ``path`` when the block ends without an exception."""
    target = Path(os.path.realpath(path))
    with temporary_path(target) as temporary:
        yield temporary
        temporary.replace(target)


@contextmanager
def temporary_path(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """An unused path in the folder of ``path``; a file that is there when the block ends is removed."""
    temporary = path.with_name(f".mien-{secrets.token_hex(6)}{suffix}")
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


#: An archive may become so many bytes, or so many times its own size, when it is unpacked.
MAX_UNPACKED_BYTES, MAX_UNPACKED_FACTOR = 2 << 30, 8


def check_unpacked_size(file: IO[bytes]) -> None:
    """Raise ValueError for a ZIP archive (also .npz and .keras) that is small and becomes very large.

    The sizes are those that the archive states; ``zipfile`` stops reading there. Other files pass.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        size = file.seek(0, os.SEEK_END)
        if unpacked > max(MAX_UNPACKED_BYTES, MAX_UNPACKED_FACTOR * size):
            raise ValueError(f"its {size:,} bytes become {unpacked:,} when it is unpacked")
    file.seek(0)


def load_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file by name. OSError, or ValueError for a file that is damaged or too large."""
    try:
        # Opened here, because NumPy leaves a file open that is not in its format.
        with path.open("rb") as file:
            check_unpacked_size(file)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, AttributeError, MemoryError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def write_bytes(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Write ``content`` to ``path``; with ``sync`` it is on the disk when the function returns."""
    with path.open("wb") as file:
        file.write(content)
        if sync:
            file.flush()
            os.fsync(file.fileno())
