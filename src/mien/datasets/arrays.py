"""``.npz``: faces and labels as arrays, under the names that people give them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.datasets import ferplus, label_maps
from mien.datasets.dataset import (
    PRIVATE,
    PUBLIC,
    SIDE,
    TRAINING,
    FaceDataset,
    LabelMap,
    LoadedDataset,
    Problem,
    empty_votes,
)
from mien.errors import ExperimentError
from mien.faces.crop import to_model_input
from mien.labels import EMOTIONS

_PIXELS, _LABELS, _USAGE = (
    ("pixels", "images", "faces", "x"),
    ("emotion", "emotions", "labels", "y"),
    ("usage", "split"),
)
_NAMES = ("classes", "class_names", "label_names")
#: Arrays that come in pairs, one for each split.
_PAIRS = {"train": TRAINING, "test": PUBLIC, "val": PUBLIC, "private": PRIVATE}
_Arrays = dict[str, NDArray[np.generic]]


def read_npz(path: Path, labels: LabelMap, group: str | None = None) -> LoadedDataset:
    """The faces in an .npz: ``pixels``, ``emotion``, ``usage``; or ``x_train``, ``y_train``, ``x_test``, ``y_test``."""
    arrays = _opened(path)
    pixels, numbers, usage = _paired(arrays) or _single(arrays, path)
    if not len(pixels) == len(numbers) == len(usage):
        lengths = f"{len(pixels)}, {len(numbers)} and {len(usage)}"
        raise ExperimentError(f"{path.name} has pixels, labels and splits of {lengths} faces", "as many of each were expected")
    classes, spoken = _classes(numbers, arrays, labels)
    kept = classes >= 0
    problems = _strangers(classes, spoken)
    if not kept.any():
        reason = problems[0].reason if problems else ""
        raise ExperimentError("The file holds no readable face", "labels of 0 to 6 were expected", reason)
    given = ferplus.to_vote_categories(arrays["votes"]) if "votes" in arrays else empty_votes(len(pixels))
    found = FaceDataset(_faces(pixels)[kept], classes[kept], usage[kept], given[kept], problems)
    groups = None if group is None else _groups(arrays, group, path).astype(np.str_)[kept]
    return LoadedDataset(path, "arrays", found, np.flatnonzero(kept) + 1, (), groups, _remarks(classes))


def _strangers(classes: NDArray[np.int64], spoken: list[str]) -> tuple[Problem, ...]:
    rows = np.flatnonzero(classes == label_maps.UNKNOWN).tolist()
    return tuple(Problem(row + 1, f"label {spoken[row]!r} is none of 0 to {len(EMOTIONS) - 1}") for row in rows)


def _remarks(classes: NDArray[np.int64]) -> tuple[str, ...]:
    left = int((classes == label_maps.EXCLUDED).sum())
    return (f"The label map leaves out {left} faces.",) if left else ()


def _opened(path: Path) -> _Arrays:
    try:
        # Opened here: numpy leaves a file open that turns out to be none of its own.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name.lower(): file[name] for name in file.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, AttributeError, TypeError) as error:
        expected = "an .npz file of plain arrays was expected"
        raise ExperimentError(f"{path.name} cannot be read: {error}", expected, "Write it again with numpy.savez") from error


def _paired(arrays: _Arrays) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.str_]] | None:
    there = [part for part in _PAIRS if f"x_{part}" in arrays and f"y_{part}" in arrays]
    if not there:
        return None
    pixels = np.concatenate([arrays[f"x_{part}"] for part in there])
    numbers = np.concatenate([_flat(arrays[f"y_{part}"]) for part in there])
    usage = np.concatenate([np.full(len(arrays[f"y_{part}"]), _PAIRS[part]) for part in there])
    return pixels, numbers, usage


def _single(arrays: _Arrays, path: Path) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.str_]]:
    wanted = {"pixels": _PIXELS, "emotion": _LABELS, "usage": _USAGE}
    names = {want: next((name for name in known if name in arrays), None) for want, known in wanted.items()}
    missing = [want for want, name in names.items() if name is None]
    if names["pixels"] is None or names["emotion"] is None:
        expected = "pixels, emotion and usage were expected"
        raise ExperimentError(f"{path.name} has no {', '.join(missing)}", expected, f"It has {', '.join(arrays) or 'nothing'}")
    numbers = _flat(arrays[names["emotion"]])
    usage = arrays[names["usage"]].astype(np.str_) if names["usage"] else np.full(len(numbers), TRAINING)
    return arrays[names["pixels"]], numbers, np.array([label_maps.normalize_usage(word) for word in usage.tolist()])


def _flat(numbers: NDArray[np.generic]) -> NDArray[np.generic]:
    """One number a face, also from a column for each class."""
    return numbers.argmax(1) if numbers.ndim == 2 and numbers.shape[1] > 1 else numbers.ravel()


def _groups(arrays: _Arrays, group: str, path: Path) -> NDArray[np.generic]:
    if group.lower() not in arrays:
        raise ExperimentError(f"{path.name} has no array '{group}' to group by", f"It has {', '.join(arrays)}", "")
    return arrays[group.lower()]


def _faces(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Gray uint8 (N, 48, 48) from rows of pixels, from other sides, from colours, from shares of 1."""
    if pixels.dtype == object or pixels.dtype.kind not in "uif":
        raise ExperimentError(f"The pixels are of kind {pixels.dtype}", "numbers of 0 to 255 were expected")
    if not pixels.size or np.isnan(pixels).any() or pixels.min() < 0 or pixels.max() > 255:
        raise ExperimentError("The pixels are empty, NaN, or outside 0 to 255", "numbers of 0 to 255 were expected")
    if pixels.dtype.kind == "f" and pixels.max() <= 1:
        pixels = pixels * 255.0
    whole = np.asarray(np.rint(pixels) if pixels.dtype.kind == "f" else pixels, np.uint8)
    if whole.ndim == 2 and whole.shape[1] == SIDE * SIDE:
        return whole.reshape(-1, SIDE, SIDE)
    if whole.ndim == 4 and whole.shape[3] == 1:
        whole = whole[..., 0]
    if whole.ndim == 3 or (whole.ndim == 4 and whole.shape[3] == 3):
        return np.ascontiguousarray(to_model_input(whole, SIDE, "gray")[..., 0])
    shape = " x ".join(map(str, whole.shape))
    raise ExperimentError(f"The pixels are {shape}", "faces of N x 48 x 48 or N x 2304 were expected")


def _classes(numbers: NDArray[np.generic], arrays: _Arrays, labels: LabelMap) -> tuple[NDArray[np.int64], list[str]]:
    """The class of each face, and the word it had. Names that the file brings along go before FER2013's numbers."""
    found = next((arrays[name] for name in _NAMES if name in arrays), None)
    named = {str(place): str(word) for place, word in enumerate(found.tolist())} if found is not None else {}
    read = [str(word) for word in numbers.tolist()]
    spoken = [named.get(word, word) for word in read]
    table = {word: label_maps.label_of_name(word, labels) for word in set(spoken)}
    return np.array([table[word] for word in spoken], np.int64), spoken
