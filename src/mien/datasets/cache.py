"""Cache of loaded data sets: arrays in mien's cache folder, keyed by the content of the files.

The hash of a file is stored with its size and modification time, as git does, so that an unchanged file is not hashed
again. The cache may be deleted at any time; errors of reading and writing it are ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.files import atomic_path, write_atomically
from mien.models import cache_folder

#: Number of cached data sets; each is about as large as its pixels.
MAX_CACHED = 6
_FOLDER, _HASHES = "data", "stamps.json"
#: Number of files whose hash is stored.
_MAX_HASHES = 64
#: The hash of a file is stored when its last change is this many seconds ago: the clock of a file system is coarse.
_MIN_AGE = 2.0


def hash_paths(paths: Iterable[Path]) -> str:
    """SHA-256 in hexadecimal over the content of these files; of a folder, over names, sizes and times of its files.

    Reading all images of a folder to find out whether they changed would take as long as loading them.
    """
    return hash_json([_hash_folder(path) if path.is_dir() else _hash_file(path) for path in paths])


def hash_json(parts: Any) -> str:
    """SHA-256 in hexadecimal of a JSON value."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def load_arrays(name: str) -> dict[str, NDArray[Any]] | None:
    """The arrays under this name, or None where there are none or the file is damaged."""
    path = _folder() / f"{name}.npz"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {part: file[part] for part in file.files}
        os.utime(path)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    return arrays


def save_arrays(name: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Store the arrays and delete the least recently used ones; errors of the file system are ignored."""
    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        with atomic_path(_folder() / f"{name}.npz") as part, part.open("wb") as file:
            save: Callable[..., None] = np.savez  # its annotations do not allow arrays as keywords
            save(file, **arrays)
    with contextlib.suppress(OSError):
        for old in sorted(_folder().glob("*.npz"), key=lambda each: -each.stat().st_mtime)[MAX_CACHED:]:
            old.unlink()


def _folder() -> Path:
    return cache_folder() / _FOLDER


def _hash_file(path: Path) -> str:
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
    stored = _stored_hashes().get(str(path.resolve()))
    if stored and stored[0] == stamp:
        return str(stored[1])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - status.st_mtime > _MIN_AGE:
        hashes = {**_stored_hashes(), str(path.resolve()): [stamp, digest]}
        with contextlib.suppress(OSError):
            _folder().mkdir(parents=True, exist_ok=True)
            write_atomically(_folder() / _HASHES, json.dumps(dict(list(hashes.items())[-_MAX_HASHES:])))
    return digest


def _hash_folder(path: Path) -> str:
    digest = hashlib.sha256()
    for name, size, changed in sorted(_list_files(path, "")):
        digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _list_files(folder: Path, prefix: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _list_files(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                status = entry.stat()
                yield prefix + entry.name, status.st_size, status.st_mtime_ns


def _stored_hashes() -> dict[str, list[Any]]:
    try:
        hashes = json.loads((_folder() / _HASHES).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}
