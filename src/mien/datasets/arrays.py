"""``.npz`` files: faces and labels as arrays, under the common names for them."""

from __future__ import annotations

from dataclasses import replace
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
from mien.files import load_npz
from mien.labels import EMOTIONS

#: Accepted names for each of the three arrays.
_ARRAY_NAMES = {
    "pixels": ("pixels", "images", "faces", "x"),
    "emotion": ("emotion", "emotions", "labels", "y"),
    "usage": ("usage", "split"),
}
_CLASS_NAMES = ("classes", "class_names", "label_names")
#: Suffixes of arrays that come in pairs, ``x_train`` and ``y_train``, and their splits.
_PAIRS = {"train": TRAINING, "test": PUBLIC, "val": PUBLIC, "private": PRIVATE}
_Arrays = dict[str, NDArray[np.generic]]


def read_npz(path: Path, labels: LabelMap, group: str | None = None) -> LoadedDataset:
    """The faces in an .npz: ``pixels``, ``emotion``, ``usage``; or ``x_train``, ``y_train``, ``x_test``, ``y_test``."""
    arrays = _load_arrays(path)
    pixels, numbers, usage = _join_pairs(arrays) or _find_arrays(arrays, path)
    if not len(pixels) == len(numbers) == len(usage):
        lengths = f"{len(pixels)}, {len(numbers)} and {len(usage)}"
        raise ExperimentError(
            f"{path.name} has pixels, labels and splits of {lengths} faces", "the same number was expected"
        )
    classes, words = _to_classes(numbers, arrays, labels)
    unknown = np.flatnonzero(classes == label_maps.UNKNOWN).tolist()
    problems = tuple(Problem(row + 1, f"label {words[row]!r} is none of 0 to {len(EMOTIONS) - 1}") for row in unknown)
    included = classes >= 0
    if not included.any():
        reason = problems[0].reason if problems else ""
        raise ExperimentError("The file has no readable face", "labels of 0 to 6 were expected", reason)
    votes = ferplus.to_vote_categories(arrays["votes"]) if "votes" in arrays else empty_votes(len(pixels))
    groups = None
    if group is not None:
        if group.lower() not in arrays:
            raise ExperimentError(f"{path.name} has no array '{group}' to group by", f"It has {', '.join(arrays)}", "")
        groups = arrays[group.lower()].astype(np.str_)
    faces = FaceDataset(_to_gray(pixels), classes, usage, votes, groups=groups).take(included)
    excluded = int((classes == label_maps.EXCLUDED).sum())
    remarks = (f"The label map excludes {excluded} faces.",) if excluded else ()
    faces = replace(faces, problems=problems)
    return LoadedDataset(path, "arrays", faces, np.flatnonzero(included) + 1, remarks=remarks)


def _load_arrays(path: Path) -> _Arrays:
    try:
        return {name.lower(): array for name, array in load_npz(path).items()}
    except (ValueError, OSError) as error:
        expected = "an .npz file of plain arrays was expected"
        raise ExperimentError(
            f"{path.name} cannot be read: {error}", expected, "Write it again with numpy.savez"
        ) from error


def _join_pairs(arrays: _Arrays) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.str_]] | None:
    parts = [part for part in _PAIRS if f"x_{part}" in arrays and f"y_{part}" in arrays]
    if not parts:
        return None
    pixels = np.concatenate([arrays[f"x_{part}"] for part in parts])
    numbers = np.concatenate([_to_numbers(arrays[f"y_{part}"]) for part in parts])
    usage = np.concatenate([np.full(len(arrays[f"y_{part}"]), _PAIRS[part]) for part in parts])
    return pixels, numbers, usage


def _find_arrays(arrays: _Arrays, path: Path) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.str_]]:
    names = {key: next((name for name in names if name in arrays), None) for key, names in _ARRAY_NAMES.items()}
    if names["pixels"] is None or names["emotion"] is None:
        missing = ", ".join(key for key, name in names.items() if name is None)
        expected = "pixels, emotion and usage were expected"
        raise ExperimentError(f"{path.name} has no {missing}", expected, f"It has {', '.join(arrays) or 'nothing'}")
    numbers = _to_numbers(arrays[names["emotion"]])
    usage = arrays[names["usage"]].astype(np.str_) if names["usage"] else np.full(len(numbers), TRAINING)
    return arrays[names["pixels"]], numbers, np.array([label_maps.normalize_usage(word) for word in usage.tolist()])


def _to_numbers(labels: NDArray[np.generic]) -> NDArray[np.generic]:
    """One number per face, also from one-hot labels."""
    return labels.argmax(1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.ravel()


def _to_gray(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Gray uint8 (N, 48, 48) from rows of pixels, other sizes, colour, or values of 0 to 1."""
    if pixels.dtype == object or pixels.dtype.kind not in "uif":
        raise ExperimentError(f"The pixels are of kind {pixels.dtype}", "numbers of 0 to 255 were expected")
    if not pixels.size or np.isnan(pixels).any() or pixels.min() < 0 or pixels.max() > 255:
        raise ExperimentError("The pixels are empty, NaN, or outside 0 to 255", "numbers of 0 to 255 were expected")
    if pixels.dtype.kind == "f":
        pixels = np.rint(np.asarray(pixels, np.float64) * (255.0 if pixels.max() <= 1 else 1.0))
    values = np.asarray(pixels, np.uint8)
    if values.ndim == 2 and values.shape[1] == SIDE * SIDE:
        return values.reshape(-1, SIDE, SIDE)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim == 3 or (values.ndim == 4 and values.shape[3] == 3):
        return np.ascontiguousarray(to_model_input(values, SIDE, "gray")[..., 0])
    shape = " x ".join(map(str, values.shape))
    raise ExperimentError(f"The pixels are {shape}", "faces of N x 48 x 48 or N x 2304 were expected")


def _to_classes(numbers: NDArray[np.generic], arrays: _Arrays, labels: LabelMap) -> tuple[NDArray[np.int64], list[str]]:
    """The class of each face and its label as text. Class names in the file go before FER2013's numbers."""
    names = next((arrays[name] for name in _CLASS_NAMES if name in arrays), None)
    by_number = {str(number): str(name) for number, name in enumerate(names.tolist())} if names is not None else {}
    words = [by_number.get(word, word) for word in map(str, numbers.tolist())]
    classes = {word: label_maps.label_of_name(word, labels) for word in set(words)}
    return np.array([classes[word] for word in words], np.int64), words
