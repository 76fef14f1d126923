"""Loading of labelled faces in every supported format: a FER2013 table, an .npz, folders of images, with FER+ votes.

Rows and images that cannot be read are listed as problems and do not stop the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets import arrays, cache, fer2013, ferplus, folders, label_maps
from mien.datasets.dataset import FaceDataset, LabelMap, LoadedDataset, Problem, Progress
from mien.errors import ExperimentError

#: Part of the cache key: raise it when files are read differently, so that no old entry is used.
_CACHE_VERSION = 3
#: Smaller sources, in bytes or images, load fast enough without the cache.
CACHE_MIN_BYTES, CACHE_MIN_IMAGES = 8_000_000, 500
_TABLES = ("fer2013.csv", "icml_face_data.csv", "train.csv")


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
    if key and (stored := cache.load_arrays(key)):
        return _from_arrays(stored, source)
    try:
        loaded = _read(source, label_map, group, progress)
    except OSError as error:
        raise ExperimentError(
            f"{source} cannot be read: {error.strerror or error}", "", "Check its permissions"
        ) from error
    if key:
        cache.save_arrays(key, _to_arrays(loaded))
    return loaded


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


def fingerprint_source(path: str | Path) -> str:
    """SHA-256 over the content that would be read at this path, in hexadecimal."""
    source = find_source(path)
    return cache.hash_paths([source, *_vote_files(source)])


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
    """FER+'s table in the folder, or beside the file; empty where there is none."""
    votes = path / ferplus.FILE_NAME if path.is_dir() else path.with_name(ferplus.FILE_NAME)
    return [votes] if votes.is_file() and votes != path else []


def _cache_key(path: Path, labels: LabelMap, group: str | None) -> str:
    """The name in the cache; empty where the source is small or cannot be read."""
    try:
        if path.is_dir():
            large = len(folders.list_images(path)) >= CACHE_MIN_IMAGES
        else:
            large = path.stat().st_size >= CACHE_MIN_BYTES
        content = cache.hash_paths([path, *_vote_files(path)]) if large else ""
    except OSError:
        return ""
    return cache.hash_json([_CACHE_VERSION, content, sorted(labels.items()), group]) if content else ""


def _to_arrays(loaded: LoadedDataset) -> dict[str, NDArray[Any]]:
    faces = loaded.faces
    facts = {
        "kind": loaded.kind,
        "names": loaded.names,
        "remarks": loaded.remarks,
        "problems": [asdict(problem) for problem in faces.problems],
    }
    arrays: dict[str, NDArray[Any]] = {
        "pixels": faces.pixels,
        "labels": faces.labels,
        "usage": faces.usage,
        "votes": faces.votes,
        "rows": loaded.rows,
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
    }
    return arrays if faces.groups is None else arrays | {"groups": faces.groups}


def _from_arrays(arrays: dict[str, NDArray[Any]], path: Path) -> LoadedDataset:
    facts = json.loads(arrays["facts"].tobytes())
    faces = FaceDataset(arrays["pixels"], arrays["labels"], arrays["usage"], arrays["votes"])
    problems = tuple(Problem(**problem) for problem in facts["problems"])
    faces = replace(faces, problems=problems, groups=arrays.get("groups"))
    return LoadedDataset(path, facts["kind"], faces, arrays["rows"], tuple(facts["names"]), tuple(facts["remarks"]))
