"""Who learns and who tests: folds that keep the classes in proportion, and the five-class subset people write about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import TRAINING, FaceDataset, group_duplicates, sample_validation
from mien.errors import LabError
from mien.training import schedule
from mien.training.recipe import Data, Recipe

#: A larger part of the Training faces is never held out.
MAX_VALIDATION_FRACTION = 0.35
#: The subset without disgust, which is rare, and fear, which is hard.
FIVE_CLASSES = ("angry", "happy", "sad", "surprise", "neutral")
#: Faces of these five in the whole of FER2013 as its folders have it: Training, and both test splits together.
FIVE_CLASS_COUNTS = {"training": 24_176, "test": 6_043}


def select_validation(settings: Data, faces: FaceDataset) -> NDArray[np.bool_]:
    """Which Training faces are kept aside to judge the epochs by: bool (N,), the same ones every time."""
    if settings.folds:
        return _one_fold(settings, faces)
    if settings.group:
        return _some_groups(settings, faces)
    return sample_validation(faces, settings.held_out)


def with_fewer_held_out(recipe: Recipe, faces: FaceDataset) -> Recipe:
    """A recipe made for FER2013 must not hold out most of a small set of faces: there, a fifth of them.

    A LabError where none are held out, and the recipe goes by what the net makes of them.
    """
    known = faces.only(recipe.data.classes)
    there = int((known.usage == TRAINING).sum())
    if not recipe.data.folds and recipe.data.held_out > there * MAX_VALIDATION_FRACTION:
        recipe = replace(recipe, data=replace(recipe.data, held_out=there // 5))
    _refuse_blind(recipe, known)
    return recipe


def _refuse_blind(recipe: Recipe, faces: FaceDataset) -> None:
    judged, settings = schedule.judged(recipe.fit), recipe.data
    if not judged or select_validation(settings, faces).any():
        return
    wanted = settings.held_out or settings.folds
    raise LabError(
        f"No faces are held out, and {' and '.join(judged)} would go by them",
        "Training faces without a twin were expected" if wanted else "a number above 0 was expected in data.held_out",
        f"Hold some out, or set {', '.join(judged.values())}",
    )


def _one_fold(settings: Data, faces: FaceDataset) -> NDArray[np.bool_]:
    if not 1 <= settings.fold <= settings.folds:
        raise LabError(f"data.fold is {settings.fold}", f"1 to {settings.folds} was expected", "Folds count from 1")
    if not settings.group:
        return assign_training_folds(faces, settings.folds) == settings.fold - 1
    inside = faces.usage == TRAINING
    found = np.zeros(len(faces), bool)
    dealt = assign_folds(faces.labels[inside], settings.folds, groups=_groups(settings, faces)[inside])
    found[inside] = dealt == settings.fold - 1
    return found


def _some_groups(settings: Data, faces: FaceDataset) -> NDArray[np.bool_]:
    """Whole groups, drawn one after the other until enough faces are aside."""
    inside = faces.usage == TRAINING
    names, together, sizes = np.unique(_groups(settings, faces)[inside], return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(names))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), settings.held_out)) + 1
    found = np.zeros(len(faces), bool)
    found[inside] = np.isin(together.ravel(), order[:enough] if settings.held_out else [])
    return found


def _groups(settings: Data, faces: FaceDataset) -> NDArray[np.str_]:
    if faces.groups is None:
        happened = f"The data was read without its column '{settings.group}'"
        raise LabError(happened, "it says who is who", "Name data that has it")
    return faces.groups


def assign_folds(
    labels: NDArray[np.int64], count: int, *, groups: NDArray[np.generic] | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """The fold of each face, 0 to ``count`` - 1: int64 (N,), classes in proportion in every fold.

    Faces of one group (one person, one photograph) always stand in the same fold. Without groups every face is one.
    """
    together = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    sizes = np.zeros((int(together.max(initial=-1)) + 1, int(labels.max(initial=0)) + 1))
    np.add.at(sizes, (together, labels), 1)
    if not 2 <= count <= len(sizes):
        what = "faces" if groups is None else "groups"
        raise LabError(f"{len(sizes)} {what} cannot be dealt into {count} folds", f"2 to {len(sizes)} were expected")
    return _dealt(sizes, count, np.random.default_rng(seed))[together]


def assign_training_folds(faces: FaceDataset, count: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Folds of the Training faces in which twins stay together: int64 (N,), -1 for faces of other splits."""
    inside = faces.usage == TRAINING
    found = np.full(len(faces), -1, np.int64)
    found[inside] = assign_folds(faces.labels[inside], count, groups=group_duplicates(faces.pixels[inside]), seed=seed)
    return found


def _dealt(sizes: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each group, the largest first: each goes where its classes are missing most."""
    wanted = sizes.sum(0) / count
    rare = 1 / np.maximum(wanted, 1e-9)
    held = np.zeros((count, sizes.shape[1]))
    chosen = np.zeros(len(sizes), np.int64)
    shuffled = rng.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled].sum(1), kind="stable")]:
        fold = int((held * rare * (sizes[group] > 0)).sum(1).argmin())
        held[fold] += sizes[group]
        chosen[group] = fold
    return chosen


def count_five_classes(faces: FaceDataset) -> dict[str, Any]:
    """How many faces the five-class subset has here, beside what the folders on Kaggle have, and why they differ."""
    known = [name in FIVE_CLASSES for name in faces.classes]
    inside = np.array(known)[faces.labels]
    trained = faces.usage == TRAINING
    here = {"training": int((inside & trained).sum()), "test": int((inside & ~trained).sum())}
    return {"here": here, "in the folders on Kaggle": FIVE_CLASS_COUNTS, "because": _because(faces, here)}


def _because(faces: FaceDataset, here: dict[str, int]) -> str:
    if here == FIVE_CLASS_COUNTS:
        return "the counts are the same"
    said = [
        f"{here[part] - wanted:+,} {part} faces" for part, wanted in FIVE_CLASS_COUNTS.items() if here[part] != wanted
    ]
    tests = sorted(set(faces.usage.tolist()) - {TRAINING})
    if len(tests) == 1:
        said.append(f"the folders' test is PublicTest and PrivateTest together, and here only {tests[0]} has faces")
    if 0 < FIVE_CLASS_COUNTS["training"] - here["training"] < 200:
        said.append("rows that FER+ calls blank or no face are left out of some copies")
    return "; ".join(said)
