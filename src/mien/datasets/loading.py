"""Every shape in which people have faces with labels, read into one value.

::

    table.py      fer2013.csv, icml_face_data.csv
    digits.py     the numbers in them, decoded fast
    folders.py    train/angry/1.png, and everybody's own words for it
    arrays.py     .npz
    votes.py      fer2013new.csv, what ten people said of each face
    words.py      which expression and which split a word means
    several.py    several of them as one
    source.py     what all of them give

What cannot be read is named, row by row, and does not stop the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.datasets import arrays, cache, fer2013, ferplus, folders, label_maps
from mien.datasets.dataset import FaceDataset, LabelMap, LoadedDataset, Problem, Progress
from mien.errors import LabError

__all__ = ["LabelMap", "Progress", "Source", "find_source", "fingerprint_source", "load_dataset"]

#: A change in how files are read changes this, and no cache of the old way is taken for the new.
_EDITION = 2
#: What is smaller, in bytes or in pictures, is read in a moment and not worth room in the cache.
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
    """The faces at ``path``: a ``.csv``, an ``.npz``, or a folder that holds one of them or folders of pictures.

    ``labels`` maps other people's words to ours, an empty word leaves a class out; ``group`` names a column that says
    who is who. What was read is remembered by its content and comes back in a fraction of a second.
    """
    there = find_source(path)
    given = dict(labels or {})
    label_maps.check_label_map(given)
    key = _key(there, given, group) if cached else ""
    if key and (kept := cache.load_arrays(key)):
        return _unpacked(kept, there)
    try:
        found = _read(there, given, group, progress)
    except OSError as error:
        raise LabError(f"{there} cannot be read: {error.strerror or error}", "", "Look at its permissions") from error
    if key:
        cache.save_arrays(key, _packed(found))
    return found


def find_source(path: str | Path) -> Path:
    """What there is to read at a path: the file itself, the table or array in a folder, or a folder of pictures."""
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        expected = "a fer2013.csv, an .npz, or a folder of pictures was expected"
        raise LabError(f"There is no data at {path}", expected, "'mien data sample FOLDER' draws some to try")
    tables = [path / name for name in _TABLES if (path / name).is_file()]
    loose = [each for each in sorted(path.glob("*.npz")) if each.is_file()]
    return next(iter([*tables, *([] if _has_folders(path) else loose)]), path)


def fingerprint_source(path: str | Path) -> str:
    """SHA-256 over what would be read at this path, in hexadecimal: the same for the same content."""
    there = find_source(path)
    return cache.hash_paths([there, *_beside(there)])


def _has_folders(path: Path) -> bool:
    return any(each.is_dir() and not each.name.startswith(".") for each in path.iterdir())


def _read(path: Path, labels: LabelMap, group: str | None, progress: Progress | None) -> LoadedDataset:
    if path.is_dir():
        found = _foldered(path, labels, group, progress)
    elif path.suffix.lower() == ".npz":
        found = arrays.read_npz(path, labels, group)
    else:
        found = fer2013.read_csv(path, labels, group, progress)
    for voted in _beside(path):
        found = found if found.faces.votes.any() else ferplus.add_votes(found, voted)
    return found


def _foldered(path: Path, labels: LabelMap, group: str | None, progress: Progress | None) -> LoadedDataset:
    if group is not None:
        happened = f"Folders of pictures have no column '{group}' to group by"
        raise LabError(happened, "a table or an .npz was expected", "")
    return folders.read_folders(path, labels, progress)


def _beside(path: Path) -> list[Path]:
    voted = path / ferplus.FILE_NAME if path.is_dir() else path.with_name(ferplus.FILE_NAME)
    return [voted] if voted.is_file() and voted != path else []


def _key(path: Path, labels: LabelMap, group: str | None) -> str:
    try:
        if not _worth_keeping(path):
            return ""
        content = cache.hash_paths([path, *_beside(path)])
    except OSError:
        return ""
    return cache.hash_json([_EDITION, content, sorted(labels.items()), group])


def _worth_keeping(path: Path) -> bool:
    if path.is_dir():
        return len(folders.list_images(path)) >= CACHE_MIN_IMAGES
    return path.stat().st_size >= CACHE_MIN_BYTES


def _packed(source: LoadedDataset) -> dict[str, NDArray[np.generic]]:
    faces = source.faces
    told = {
        "shape": source.shape,
        "names": source.names,
        "remarks": source.remarks,
        "problems": [asdict(problem) for problem in faces.problems],
    }
    packed = {
        "pixels": faces.pixels,
        "labels": faces.labels,
        "usage": faces.usage,
        "votes": faces.votes,
        "rows": source.rows,
        "told": np.frombuffer(json.dumps(told).encode(), np.uint8),
    }
    return packed if source.groups is None else packed | {"groups": source.groups}


def _unpacked(kept: dict[str, NDArray], path: Path) -> LoadedDataset:
    told = json.loads(kept["told"].tobytes())
    problems = tuple(Problem(**problem) for problem in told["problems"])
    faces = FaceDataset(kept["pixels"], kept["labels"], kept["usage"], kept["votes"], problems)
    names, remarks = tuple(told["names"]), tuple(told["remarks"])
    return LoadedDataset(path, told["shape"], faces, kept["rows"], names, kept.get("groups"), remarks)
