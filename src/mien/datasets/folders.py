"""Images in folders: ``train/angry/1.png``, ``test/...``, ``validation/...``, with many names for the labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from mien import images
from mien.datasets import label_maps
from mien.datasets.dataset import (
    PRIVATE,
    PUBLIC,
    SIDE,
    TRAINING,
    USAGES,
    FaceDataset,
    LabelMap,
    LoadedDataset,
    Problem,
    Progress,
    empty_votes,
)
from mien.errors import ExperimentError, MienError
from mien.faces.crop import to_model_input
from mien.labels import EMOTIONS


@dataclass(frozen=True)
class _ImageFile:
    """A file and what its folders mean: ``label`` may be EXCLUDED or UNKNOWN, ``split`` None where none is named."""

    name: str
    folder: str
    label: int
    split: str | None


def list_images(folder: Path) -> list[str]:
    """The image files below a folder, as sorted names with slashes, without hidden files and folders."""
    return sorted(_list_images(folder, ""))


def _list_images(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _list_images(Path(entry.path), f"{prefix}{entry.name}/")
            elif PurePath(entry.name).suffix.lower() in images.IMAGE_SUFFIXES:
                yield prefix + entry.name


def read_folders(path: Path, labels: LabelMap, progress: Progress | None = None) -> LoadedDataset:
    """The faces in folders named by expression. Images that cannot be read become problems."""
    files = [_classify(name, labels) for name in list_images(path)]
    labelled = [file for file in files if file.label >= 0]
    if not labelled:
        raise _no_images_error(path, files)
    pixels, indices, problems = _load_images(path, labelled, progress)
    if not indices:
        expected = "PNG or JPEG files of faces were expected"
        raise ExperimentError(f"No image in {path} can be read", expected, problems[0].reason)
    readable = [labelled[index] for index in indices]
    has_validation = any(file.split == label_maps.VALIDATION for file in files)
    faces = FaceDataset(
        pixels,
        np.array([file.label for file in readable], np.int64),
        np.array([_usage_of(file, has_validation) for file in readable]),
        empty_votes(len(readable)),
        (*_unknown_folders(files), *problems),
    )
    names, rows = tuple(file.name for file in readable), np.array(indices, np.int64) + 1
    return LoadedDataset(path, "folders", faces, rows, names, _remarks(files, has_validation))


def _classify(name: str, labels: LabelMap) -> _ImageFile:
    """The folder nearest to the file that means an expression, and the first that means a split.

    Names go before bare numbers: in ``anger/005/1.png`` the number is a person.
    """
    folders = PurePath(name).parts[:-1]
    split = next((split for split in map(label_maps.parse_split, folders) if split), None)
    nearest_first = list(reversed(folders))
    for folder in sorted(nearest_first, key=lambda folder: folder.isdigit() and folder not in labels):
        if (label := label_maps.label_of_name(folder, labels)) != label_maps.UNKNOWN:
            return _ImageFile(name, folder, label, split)
    return _ImageFile(name, folders[-1] if folders else "", label_maps.UNKNOWN, split)


def _usage_of(file: _ImageFile, has_validation: bool) -> str:
    """The split: FER2013's own name for it at the start of the file name, else what the folder means.

    A validation folder is PublicTest, which FER2013 made for that; a test folder beside it is then PrivateTest.
    """
    prefix = label_maps.normalize_usage(PurePath(file.name).name.partition("_")[0])
    if prefix in USAGES:
        return prefix
    if file.split == label_maps.VALIDATION:
        return PUBLIC
    return PRIVATE if file.split == PUBLIC and has_validation else file.split or TRAINING


def _load_images(
    path: Path, files: list[_ImageFile], progress: Progress | None
) -> tuple[NDArray[np.uint8], list[int], list[Problem]]:
    """Gray faces (N, 48, 48), their indices in ``files``, and the files that cannot be read."""
    faces, indices, problems = [], [], []
    for index, file in enumerate(files):
        try:
            pixels = images.load_image(path / file.name).pixels
        except MienError as error:
            problems.append(Problem(index + 1, f"{file.name}: {error.happened}"))
            continue
        faces.append(to_model_input(pixels[None], SIDE, "gray")[0, ..., 0])
        indices.append(index)
        if progress:
            progress(index + 1, len(files))
    return np.array(faces, np.uint8).reshape(-1, SIDE, SIDE), indices, problems


def _unknown_folders(files: list[_ImageFile]) -> Iterator[Problem]:
    unknown = Counter(file.folder for file in files if file.label == label_maps.UNKNOWN)
    for name, count in sorted(unknown.items()):
        folder = f"the folder '{name}' names" if name else "no folder names"
        yield Problem(0, f"{folder} none of our expressions: {count} images were excluded")


def _remarks(files: list[_ImageFile], has_validation: bool) -> tuple[str, ...]:
    excluded = Counter(file.folder for file in files if file.label == label_maps.EXCLUDED)
    remarks = [f"The label map excludes '{name}': {count} images." for name, count in sorted(excluded.items())]
    if not any(file.split for file in files):
        remarks.append("No folder is called train or test: all faces count as Training.")
    elif has_validation:
        remarks.append(
            "Images in the validation folder count as PublicTest, those in a test folder beside it as PrivateTest."
        )
    return tuple(remarks)


def _no_images_error(path: Path, files: list[_ImageFile]) -> ExperimentError:
    folders = sorted({file.folder for file in files if file.folder})
    happened = f"{path} has no images in folders named by expression"
    contents = f"It has {', '.join(folders[:8])}" if folders else "It has no images at all" if not files else ""
    remedy = (
        "Give a label map for these names" if folders else "Name fer2013.csv, an .npz, or a folder like train/angry"
    )
    return ExperimentError(
        happened, f"Folders like {', '.join(EMOTIONS[:4])} were expected. {contents}".strip(), remedy
    )
