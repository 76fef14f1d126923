"""Splits of a data set: the settings that describe data, validation faces, stratified folds, the five-class subset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import TRAINING, FaceDataset
from mien.datasets.duplicates import group_duplicates
from mien.errors import ExperimentError
from mien.labels import EMOTIONS
from mien.settings import Settings, number, sequence

#: At most this fraction of the Training faces becomes validation faces.
MAX_VALIDATION_FRACTION = 0.35
#: The common subset without disgust, which is rare, and fear, which is hard.
FIVE_CLASSES = ("angry", "happy", "sad", "surprise", "neutral")
#: Faces of these classes in the copy of FER2013 as folders on Kaggle: Training, and both test splits together.
FIVE_CLASS_COUNTS = {"training": 24_176, "test": 6_043}


@dataclass(frozen=True)
class SourceSettings(Settings, section="data.sources"):
    """One source of faces: its path, its label map, and the split of all its faces (empty: the source's own splits).

    ``labels`` maps the source's labels to ours (``{ "1" = "surprise" }``); an empty label excludes a class.
    """

    path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    usage: str = ""


@dataclass(frozen=True)
class DataSettings(Settings, section="data"):
    """The faces of a training run, their ``classes``, and the Training faces that are used for validation only.

    ``sources`` are the data; their paths are relative to the folder of the recipe. ``validation`` is the number of
    validation faces, stratified by class and without duplicates; or, with 2 ``folds`` or more, the ``fold``-th of them
    is the validation set, duplicates in the same fold. ``group`` names a column (a person, a photograph): all faces of
    a group are either training or validation faces. ``drop_non_faces`` excludes images that half of the annotators
    called no face.
    """

    sources: tuple[SourceSettings, ...] = ()
    validation: int = number(1500, 0, 10_000_000)
    folds: int = number(0, 0, 1000)
    fold: int = number(1, 1, 1000)
    group: str = ""
    drop_non_faces: bool = True
    classes: tuple[str, ...] = sequence(EMOTIONS, (1, 100), unique=True)

    def check_combinations(self) -> None:
        if self.folds == 1:
            happened = "The recipe's data.folds is 1, which leaves no training faces"
            raise ExperimentError(happened, "2 or more were expected, or 0 for none")
        if self.folds and self.fold > self.folds:
            happened = f"The recipe's data.fold is {self.fold}, and data.folds is {self.folds}"
            raise ExperimentError(happened, f"1 to {self.folds} was expected", "Folds count from 1")


def split_training_validation(settings: DataSettings, faces: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """The training faces and the validation faces of the settings' classes; faces of the test splits are in neither."""
    faces = faces.only(settings.classes)
    validation = select_validation(settings, faces)
    training = (faces.usage == TRAINING) & ~validation & ~faces.blank()
    if settings.drop_non_faces:
        training &= ~faces.faceless()
    return faces.take(training), faces.take(validation)


def select_validation(settings: DataSettings, faces: FaceDataset) -> NDArray[np.bool_]:
    """Mask (N,) of the validation faces among the Training faces; the same at every call."""
    if settings.folds:
        return _select_fold(settings, faces)
    if settings.group:
        return _sample_groups(settings, faces)
    return sample_validation(faces, settings.validation)


def sample_validation(faces: FaceDataset, count: int, seed: int = 0) -> NDArray[np.bool_]:
    """Mask (N,) of ``count`` Training faces, stratified by class.

    Only faces without a duplicate in any split are sampled, and only images that the annotators called a face.
    """
    groups = group_duplicates(faces.pixels)
    unique = np.bincount(groups)[groups] == 1
    candidates = np.flatnonzero(unique & (faces.usage == TRAINING) & ~faces.blank() & ~faces.faceless())
    labels, rng = faces.labels[candidates], np.random.default_rng(seed)
    # Each face gets its relative position in a shuffle of its class; the lowest positions are stratified.
    position = np.empty(len(candidates))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        position[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    mask = np.zeros(len(faces), bool)
    mask[candidates[np.argsort(position, kind="stable")[:count]]] = True
    return mask


def limit_validation(settings: DataSettings, faces: FaceDataset) -> DataSettings:
    """The settings with a fifth of the Training faces for validation where they would take most of a small data set."""
    training = int((faces.only(settings.classes).usage == TRAINING).sum())
    if settings.folds or settings.validation <= training * MAX_VALIDATION_FRACTION:
        return settings
    return replace(settings, validation=training // 5)


def mask_without_duplicates(faces: FaceDataset, usage: str) -> NDArray[np.bool_]:
    """Mask over the faces of that split: True where no face of another split has the same pixels."""
    groups = group_duplicates(faces.pixels)
    inside = faces.usage == usage
    return ~np.isin(groups[inside], groups[~inside])


def assign_folds(
    labels: NDArray[np.int64], count: int, *, groups: NDArray[np.generic] | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """The fold of each face, 0 to ``count`` - 1, int64 (N,): stratified by class.

    All faces of a group (a person, a photograph) are in one fold. Without groups each face is its own group.
    """
    members = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    sizes = np.zeros((int(members.max(initial=-1)) + 1, int(labels.max(initial=0)) + 1))
    np.add.at(sizes, (members, labels), 1)
    if not 2 <= count <= len(sizes):
        unit = "faces" if groups is None else "groups"
        raise ExperimentError(
            f"{len(sizes)} {unit} cannot be split into {count} folds", f"2 to {len(sizes)} were expected"
        )
    return _balance_folds(sizes, count, np.random.default_rng(seed))[members]


def assign_training_folds(faces: FaceDataset, count: int, *, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each Training face, duplicates in one fold: int64 (N,), -1 for faces of other splits."""
    training = faces.usage == TRAINING
    folds = np.full(len(faces), -1, np.int64)
    groups = group_duplicates(faces.pixels[training])
    folds[training] = assign_folds(faces.labels[training], count, groups=groups, seed=seed)
    return folds


def _balance_folds(sizes: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each group, the largest first, where its classes lack most; ``sizes`` (groups, classes) in faces."""
    rarity = 1 / np.maximum(sizes.sum(0) / count, 1e-9)
    totals = np.zeros((count, sizes.shape[1]))
    folds = np.zeros(len(sizes), np.int64)
    shuffled = rng.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled].sum(1), kind="stable")]:
        fold = int((totals * rarity * (sizes[group] > 0)).sum(1).argmin())
        totals[fold] += sizes[group]
        folds[group] = fold
    return folds


def _select_fold(settings: DataSettings, faces: FaceDataset) -> NDArray[np.bool_]:
    if not settings.group:
        return np.asarray(assign_training_folds(faces, settings.folds) == settings.fold - 1)
    training = faces.usage == TRAINING
    groups = _groups(settings, faces)[training]
    mask = np.zeros(len(faces), bool)
    mask[training] = assign_folds(faces.labels[training], settings.folds, groups=groups) == settings.fold - 1
    return mask


def _sample_groups(settings: DataSettings, faces: FaceDataset) -> NDArray[np.bool_]:
    """Whole groups in random order until there are enough validation faces."""
    training = faces.usage == TRAINING
    names, members, sizes = np.unique(_groups(settings, faces)[training], return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(names))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), settings.validation)) + 1
    mask = np.zeros(len(faces), bool)
    mask[training] = np.isin(members.ravel(), order[:enough] if settings.validation else [])
    return mask


def _groups(settings: DataSettings, faces: FaceDataset) -> NDArray[np.str_]:
    if faces.groups is None:
        happened = f"The data was loaded without its column '{settings.group}'"
        raise ExperimentError(happened, "the column of data.group was expected", "Name data that has it")
    return faces.groups


def count_five_classes(faces: FaceDataset) -> dict[str, Any]:
    """The size of the five-class subset here and in the folders on Kaggle, and the reasons for the difference."""
    inside = np.array([name in FIVE_CLASSES for name in faces.classes])[faces.labels]
    training = faces.usage == TRAINING
    here = {"training": int((inside & training).sum()), "test": int((inside & ~training).sum())}
    return {"here": here, "in the folders on Kaggle": FIVE_CLASS_COUNTS, "because": _explain_difference(faces, here)}


def _explain_difference(faces: FaceDataset, here: dict[str, int]) -> str:
    if here == FIVE_CLASS_COUNTS:
        return "the counts are the same"
    reasons = [
        f"{here[part] - expected:+,} {part} faces"
        for part, expected in FIVE_CLASS_COUNTS.items()
        if here[part] != expected
    ]
    tests = sorted(set(faces.usage.tolist()) - {TRAINING})
    if len(tests) == 1:
        reasons.append(f"the test folder holds PublicTest and PrivateTest together, and only {tests[0]} has faces here")
    if 0 < FIVE_CLASS_COUNTS["training"] - here["training"] < 200:
        reasons.append("some copies lack the rows that FER+ calls blank or no face")
    return "; ".join(reasons)
