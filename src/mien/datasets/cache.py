"""What was read once comes back quickly: arrays in mien's cache folder, by the content they were read from.

A file's hash is remembered with its size and time, as git does, so a file that nobody touched is not hashed again.
Everything here may be deleted at any time; a cache that cannot be written or read costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.files import atomic_path, write_atomically
from mien.models import cache_folder

#: How many data sets are remembered; each takes about as much room as its pixels.
MAX_CACHED = 6
_FOLDER, _STAMPS = "data", "stamps.json"
#: A file may change again within one tick of its clock: stamps younger than this are not trusted.
_TICK = 2.0


def hash_paths(paths: Iterable[Path]) -> str:
    """SHA-256 in hexadecimal over the content of these files; of folders, over names, sizes and times of their files.

    Folders hold tens of thousands of pictures: reading all of them to know whether they changed would be reading them.
    """
    return hash_json([_of_folder(path) if path.is_dir() else _of_file(path) for path in paths])


def hash_json(parts: Any) -> str:
    """One name for anything that JSON can hold."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def load_arrays(name: str) -> dict[str, NDArray] | None:
    """The arrays under this name, or None where there are none, or none that are whole."""
    path = _folder() / f"{name}.npz"
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {part: file[part] for part in file.files}
        os.utime(path)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    return arrays


def save_arrays(name: str, arrays: dict[str, NDArray]) -> None:
    """Keep the arrays, and forget those used longest ago. Where that is not possible, nothing happens."""
    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        with atomic_path(_folder() / f"{name}.npz") as part, part.open("wb") as file:
            np.savez(file, **arrays)
    with contextlib.suppress(OSError):
        for old in sorted(_folder().glob("*.npz"), key=lambda each: -each.stat().st_mtime)[MAX_CACHED:]:
            old.unlink()


def _folder() -> Path:
    return cache_folder() / _FOLDER


def _of_file(path: Path) -> str:
    now = path.stat()
    stamp = [now.st_size, now.st_mtime_ns, now.st_ino]
    known = _stamps().get(str(path.resolve()))
    if known and known[0] == stamp:
        return str(known[1])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - now.st_mtime > _TICK:
        _remember(str(path.resolve()), [stamp, digest])
    return digest


def _of_folder(path: Path) -> str:
    digest = hashlib.sha256()
    for name, size, changed in sorted(_listed(path, "")):
        digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _listed(folder: Path, before: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _listed(Path(entry.path), f"{before}{entry.name}/")
            else:
                status = entry.stat()
                yield before + entry.name, status.st_size, status.st_mtime_ns


def _stamps() -> dict[str, list[Any]]:
    try:
        found = json.loads((_folder() / _STAMPS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(path: str, stamped: list[Any]) -> None:
    stamps = {**_stamps(), path: stamped}
    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        write_atomically(_folder() / _STAMPS, json.dumps(dict(list(stamps.items())[-64:])))
