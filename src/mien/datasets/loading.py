"""Loading of labelled faces in every supported format: a FER2013 table, an .npz, folders of images, with FER+ votes.

Rows and images that cannot be read are listed as problems and do not stop the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets import arrays, fer2013, ferplus, folders, label_maps
from mien.datasets.dataset import (
    SYNTHETIC,
    SYNTHETIC_TABLE,
    SYNTHETIC_VOTES,
    USAGES,
    FaceDataset,
    LabelMap,
    LoadedDataset,
    Problem,
    Progress,
)
from mien.datasets.splits import DataSettings, SourceSettings
from mien.errors import ExperimentError, suggest_name
from mien.files import atomic_path, load_npz, write_atomically
from mien.models import ModelCard, cache_folder

#: Part of the cache key: raise it when files are read differently, so that no old entry is used.
_CACHE_VERSION = 3
#: Smaller sources, in bytes or images, load fast enough without the cache.
CACHE_MIN_BYTES, CACHE_MIN_IMAGES = 8_000_000, 500
#: The arrays of every FaceDataset.
_ARRAYS = ("pixels", "labels", "usage", "votes")
_TABLES = ("fer2013.csv", "icml_face_data.csv", "train.csv", SYNTHETIC_TABLE)


def load_dataset(
    path: str | Path,
    *,
    labels: LabelMap | None = None,
    group: str | None = None,
    cached: bool = True,
    progress: Progress | None = None,
) -> LoadedDataset:
    """The faces at ``path``: a ``.csv``, an ``.npz``, or a folder with one of them or with folders of images.

    ``labels`` maps the labels of the data to ours, an empty label excludes a class; ``group`` is the name of a column
    with the group of each face. Large sources are cached by their content.
    """
    source = find_source(path)
    label_map = dict(labels or {})
    label_maps.check_label_map(label_map)
    key = _cache_key(source, label_map, group) if cached else ""
    if key and (stored := load_cached_arrays(key)):
        return _mark_synthetic(_from_arrays(stored, source))
    try:
        loaded = _read(source, label_map, group, progress)
    except OSError as error:
        raise ExperimentError(
            f"{source} cannot be read: {error.strerror or error}", "", "Check its permissions"
        ) from error
    if key:
        save_cached_arrays(key, _to_arrays(loaded))
    return _mark_synthetic(loaded)


def _mark_synthetic(loaded: LoadedDataset) -> LoadedDataset:
    """The names of the files say whether faces are synthetic; the cache has the content of files, not their names."""
    synthetic = any(PurePath(name).name.startswith(SYNTHETIC) for name in loaded.names or [loaded.path.name])
    return replace(loaded, faces=replace(loaded.faces, synthetic=synthetic))


def load_faces(path: str | Path) -> FaceDataset:
    """The faces at ``path`` alone."""
    return load_dataset(path).faces


def find_source(path: str | Path) -> Path:
    """What will be read at a path: the file itself, the table or array in a folder, or the folder of images."""
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        expected = "a fer2013.csv, an .npz, or a folder of images was expected"
        raise ExperimentError(f"There is no data at {path}", expected, "'mien data sample FOLDER' draws faces to try")
    tables = [path / name for name in _TABLES if (path / name).is_file()]
    has_folders = any(each.is_dir() and not each.name.startswith(".") for each in path.iterdir())
    arrays = [] if has_folders else [each for each in sorted(path.glob("*.npz")) if each.is_file()]
    return next(iter([*tables, *arrays]), path)


def _read(path: Path, labels: LabelMap, group: str | None, progress: Progress | None) -> LoadedDataset:
    if path.is_dir():
        if group is not None:
            happened = f"Folders of images have no column '{group}' to group by"
            raise ExperimentError(happened, "a table or an .npz was expected", "")
        loaded = folders.read_folders(path, labels, progress)
    elif path.suffix.lower() == ".npz":
        loaded = arrays.read_npz(path, labels, group)
    else:
        loaded = fer2013.read_csv(path, labels, group, progress)
    for votes in _vote_files(path):
        loaded = loaded if loaded.faces.votes.any() else ferplus.add_votes(loaded, votes)
    return loaded


def _vote_files(path: Path) -> list[Path]:
    """The table of votes in the folder, or beside the file; empty where there is none."""
    folder = path if path.is_dir() else path.parent
    name = SYNTHETIC_VOTES if path.name == SYNTHETIC_TABLE else ferplus.FILE_NAME
    votes = folder / name
    return [votes] if votes.is_file() and votes != path else []


def _cache_key(path: Path, labels: LabelMap, group: str | None) -> str:
    """The name in the cache; empty where the source is small or cannot be read."""
    try:
        if path.is_dir():
            large = len(folders.list_images(path)) >= CACHE_MIN_IMAGES
        else:
            large = path.stat().st_size >= CACHE_MIN_BYTES
        content = _hash_paths([path, *_vote_files(path)]) if large else ""
    except OSError:
        return ""
    return _hash_json([_CACHE_VERSION, content, sorted(labels.items()), group]) if content else ""


def _to_arrays(loaded: LoadedDataset) -> dict[str, NDArray[Any]]:
    faces = loaded.faces
    facts = {
        "kind": loaded.kind,
        "names": loaded.names,
        "remarks": loaded.remarks,
        "problems": [asdict(problem) for problem in faces.problems],
    }
    arrays: dict[str, NDArray[Any]] = {name: getattr(faces, name) for name in _ARRAYS}
    arrays |= {"rows": loaded.rows, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    return arrays if faces.groups is None else arrays | {"groups": faces.groups}


def _from_arrays(arrays: dict[str, NDArray[Any]], path: Path) -> LoadedDataset:
    facts = json.loads(arrays["facts"].tobytes())
    problems = tuple(Problem(**problem) for problem in facts["problems"])
    values: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
    faces = FaceDataset(**values, problems=problems, groups=arrays.get("groups"))
    return LoadedDataset(path, facts["kind"], faces, arrays["rows"], tuple(facts["names"]), tuple(facts["remarks"]))


def combine_sources(
    sources: Iterable[SourceSettings], group: str = "", progress: Progress | None = None
) -> FaceDataset:
    """The faces of all sources, one after the other; their problems name the source.

    ``group`` is the name of the group column of every source; groups of different sources stay different.
    """
    parts = [_load_source(source, number, group, progress) for number, source in enumerate(sources)]
    if not parts:
        raise ExperimentError("No source is named", "one path or more was expected", "")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(faces, name) for faces in parts]) for name in _ARRAYS}
    return FaceDataset(
        **arrays,
        problems=tuple(problem for faces in parts for problem in faces.problems),
        groups=np.concatenate([faces.groups for faces in parts if faces.groups is not None]) if group else None,
        synthetic=any(faces.synthetic for faces in parts),
    )


def _load_source(source: SourceSettings, number: int, group: str, progress: Progress | None) -> FaceDataset:
    faces = load_dataset(source.path, labels=source.labels, group=group or None, progress=progress).faces
    return replace(
        faces,
        problems=tuple(Problem(problem.row, f"{source.path}: {problem.reason}") for problem in faces.problems),
        usage=np.full(len(faces), source.usage) if source.usage else faces.usage,
        groups=None if faces.groups is None else np.array([f"{number}/{name}" for name in faces.groups], np.str_),
    )


def load_training_faces(
    settings: DataSettings, folder: Path, path: str | Path | None = None, progress: Progress | None = None
) -> FaceDataset:
    """The faces of the settings' sources, whose paths are relative to ``folder``; an error where there is no source.

    With ``path`` the faces there are loaded instead, with the label map, split and group column of the settings.
    """
    if path is not None:
        labels = {label: ours for source in settings.sources for label, ours in source.labels.items()}
        usages = {source.usage for source in settings.sources}
        source = SourceSettings(str(path), labels, usages.pop() if len(usages) == 1 else "")
        return combine_sources([source], settings.group, progress)
    sources = [source for source in settings.sources if source.path]
    if not sources:
        remedy = "Add --data fer2013.csv; 'mien data sample FOLDER' draws faces to try"
        raise ExperimentError("The recipe has no data", "[[data.sources]] or --data was expected", remedy)
    unknown = [source.usage for source in sources if source.usage not in ("", *USAGES)]
    if unknown:
        expected = f"one of {', '.join(USAGES)} was expected"
        raise ExperimentError(f"A source's usage is '{unknown[0]}'", expected, suggest_name(unknown[0], USAGES))
    for source in sources:
        label_maps.check_label_map(source.labels)
    sources = [replace(source, path=str(folder / source.path)) for source in sources]
    return combine_sources(sources, settings.group, progress)


def load_evaluation_faces(
    card: ModelCard, path: str | Path, labels: LabelMap | None = None, progress: Progress | None = None
) -> FaceDataset:
    """The faces at ``path``, with the group column of the model's recipe where the data has it."""
    settings = card.recipe.get("data") if isinstance(card.recipe, Mapping) else None
    group = settings.get("group") if isinstance(settings, Mapping) else None
    source = SourceSettings(str(path), labels or {})
    if isinstance(group, str) and group:
        with suppress(ExperimentError):  # data without the column can be evaluated, without validation faces
            return combine_sources([source], group, progress)
    return combine_sources([source], progress=progress)


# The cache of loaded data sets: arrays in mien's cache folder, keyed by the content of the files. The hash of a file is
# stored with its size and modification time, as git does, so that an unchanged file is not hashed again.

#: Number of cached data sets; each is about as large as its pixels.
MAX_CACHED = 6
_CACHE_FOLDER, _HASHES = "data", "stamps.json"
#: Number of files whose hash is stored.
_MAX_HASHES = 64
#: The hash of a file is stored when its last change is this many seconds ago: the clock of a file system is coarse.
_MIN_AGE = 2.0


def _hash_paths(paths: Iterable[Path]) -> str:
    """SHA-256 in hexadecimal over the content of these files; of a folder, over names, sizes and times of its files.

    Reading all images of a folder to find out whether they changed would take as long as loading them.
    """
    return _hash_json([_hash_folder(path) if path.is_dir() else _hash_file(path) for path in paths])


def _hash_json(parts: Any) -> str:
    """SHA-256 in hexadecimal of a JSON value."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def load_cached_arrays(name: str) -> dict[str, NDArray[Any]] | None:
    """The arrays under this name, or None where there are none or the file is damaged."""
    path = _data_folder() / f"{name}.npz"
    try:
        arrays = load_npz(path)
        os.utime(path)
    except (OSError, ValueError):
        return None
    return arrays


def save_cached_arrays(name: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Store the arrays and delete the least recently used ones; errors of the file system are ignored."""
    with contextlib.suppress(OSError):
        _data_folder().mkdir(parents=True, exist_ok=True)
        with atomic_path(_data_folder() / f"{name}.npz") as part, part.open("wb") as file:
            save: Callable[..., None] = np.savez  # its annotations do not allow arrays as keywords
            save(file, **arrays)
    with contextlib.suppress(OSError):
        for old in sorted(_data_folder().glob("*.npz"), key=lambda each: -each.stat().st_mtime)[MAX_CACHED:]:
            old.unlink()


def _data_folder() -> Path:
    return cache_folder() / _CACHE_FOLDER


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
            _data_folder().mkdir(parents=True, exist_ok=True)
            write_atomically(_data_folder() / _HASHES, json.dumps(dict(list(hashes.items())[-_MAX_HASHES:])))
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
        hashes = json.loads((_data_folder() / _HASHES).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}
