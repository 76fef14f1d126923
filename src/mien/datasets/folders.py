"""Pictures in folders: ``train/angry/1.png``, ``test/...``, ``validation/...``, in the words of whoever made them."""

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
class _Picture:
    """A file and what its folders say: ``label`` may be LEFT_OUT or UNKNOWN, ``split`` None where none is named."""

    name: str
    word: str
    label: int
    split: str | None


def list_images(folder: Path) -> list[str]:
    """The picture files below a folder, as sorted names with slashes; hidden files and folders are passed over."""
    return sorted(_below(folder, ""))


def _below(folder: Path, before: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path), f"{before}{entry.name}/")
            elif PurePath(entry.name).suffix.lower() in images.IMAGE_SUFFIXES:
                yield before + entry.name


def read_folders(path: Path, labels: LabelMap, progress: Progress | None = None) -> LoadedDataset:
    """The faces in folders named by expression. Pictures that cannot be read are problems, and the rest is read."""
    found = [_told(name, labels) for name in list_images(path)]
    known = [picture for picture in found if picture.label >= 0]
    if not known:
        raise _nothing(path, found)
    faces, places, problems = _opened(path, known, progress)
    if not places:
        raise ExperimentError(
            f"No picture in {path} can be read", "PNG or JPEG files of faces were expected", problems[0].reason
        )
    kept = [known[place] for place in places]
    validated = _validated(found)
    usage = np.array([_usage(picture, validated) for picture in kept])
    numbers = np.array([picture.label for picture in kept], np.int64)
    read = FaceDataset(faces, numbers, usage, empty_votes(len(kept)), (*_strangers(found), *problems))
    names = tuple(picture.name for picture in kept)
    return LoadedDataset(path, "folders", read, np.array(places, np.int64) + 1, names, remarks=_remarks(found))


def _told(name: str, labels: LabelMap) -> _Picture:
    """The folder nearest to the file that means an expression, and the first that means a split.

    Words go before bare numbers: in ``anger/005/1.png`` the number is a person.
    """
    folders = PurePath(name).parts[:-1]
    split = next((split for split in map(label_maps.parse_split, folders) if split), None)
    nearest = list(reversed(folders))
    for folder in sorted(nearest, key=lambda folder: folder.isdigit() and folder not in labels):
        if (label := label_maps.label_of_name(folder, labels)) != label_maps.UNKNOWN:
            return _Picture(name, folder, label, split)
    return _Picture(name, folders[-1] if folders else "", label_maps.UNKNOWN, split)


def _usage(picture: _Picture, validated: bool) -> str:
    """The split: FER2013's own word at the start of the file's name, else what the folder says.

    A validation folder is PublicTest, which FER2013 made for that; a test folder beside it is then PrivateTest.
    """
    spoken = label_maps.normalize_usage(PurePath(picture.name).name.partition("_")[0])
    if spoken in USAGES:
        return spoken
    if picture.split == label_maps.VALIDATION:
        return PUBLIC
    return PRIVATE if picture.split == PUBLIC and validated else picture.split or TRAINING


def _validated(found: list[_Picture]) -> bool:
    return any(picture.split == label_maps.VALIDATION for picture in found)


def _opened(
    path: Path, known: list[_Picture], progress: Progress | None
) -> tuple[NDArray[np.uint8], list[int], list[Problem]]:
    """Gray faces (N, 48, 48), their places in ``known``, and what could not be opened."""
    faces, places, problems = [], [], []
    for place, picture in enumerate(known):
        try:
            pixels = images.load_image(path / picture.name).pixels
        except MienError as error:
            problems.append(Problem(place + 1, f"{picture.name}: {error.happened}"))
            continue
        faces.append(to_model_input(pixels[None], SIDE, "gray")[0, ..., 0])
        places.append(place)
        if progress:
            progress(place + 1, len(known))
    return np.array(faces, np.uint8).reshape(-1, SIDE, SIDE), places, problems


def _strangers(found: list[_Picture]) -> Iterator[Problem]:
    unknown = Counter(picture.word for picture in found if picture.label == label_maps.UNKNOWN)
    for word, count in sorted(unknown.items()):
        folder = f"the folder '{word}' names" if word else "no folder names"
        yield Problem(0, f"{folder} none of our expressions: {count} pictures were left out")


def _remarks(found: list[_Picture]) -> tuple[str, ...]:
    left = Counter(picture.word for picture in found if picture.label == label_maps.EXCLUDED)
    said = [f"The label map leaves out '{word}': {count} pictures." for word, count in sorted(left.items())]
    if not any(picture.split for picture in found):
        said.append("No folder is called train or test: all faces count as Training.")
    elif _validated(found):
        said.append(
            "Pictures in the validation folder count as PublicTest, those in a test folder beside it as PrivateTest."
        )
    return tuple(said)


def _nothing(path: Path, found: list[_Picture]) -> ExperimentError:
    there = sorted({picture.word for picture in found if picture.word})
    happened = f"{path} has no pictures in folders named by expression"
    known = f"It has {', '.join(there[:8])}" if there else "It has no pictures at all" if not found else ""
    remedy = "Give a label map for these names" if there else "Name fer2013.csv, an .npz, or a folder like train/angry"
    return ExperimentError(happened, f"Folders like {', '.join(EMOTIONS[:4])} were expected. {known}".strip(), remedy)
