"""The plan of a training run: its recipe, adapted to the faces, and which faces are for training and validation.

Everything that a run derives from recipe and faces is derived here, once, before its first file is written.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mien.datasets.dataset import TRAINING, FaceDataset
from mien.datasets.splits import limit_validation, split_training_validation
from mien.errors import ExperimentError
from mien.training.callbacks import Callback, MessageEvent
from mien.training.recipe import Recipe


@dataclass(frozen=True)
class RunPlan:
    """A recipe and all ``faces`` of the data, those of the test splits too."""

    recipe: Recipe
    faces: FaceDataset

    @cached_property
    def _split(self) -> tuple[FaceDataset, FaceDataset]:
        return split_training_validation(self.recipe.data, self.faces)

    @property
    def training(self) -> FaceDataset:
        return self._split[0]

    @property
    def validation(self) -> FaceDataset:
        return self._split[1]

    @cached_property
    def fingerprint(self) -> str:
        """20 hexadecimal digits of a hash of all faces, labels, splits, votes and groups, in their order."""
        faces = self.faces
        digest = hashlib.sha256(np.ascontiguousarray(faces.pixels).tobytes())
        for part in (faces.labels.astype(np.int64), faces.votes.astype(np.int16)):
            digest.update(np.ascontiguousarray(part).tobytes())
        for words in (faces.classes, faces.usage, [] if faces.groups is None else faces.groups):
            digest.update("\0".join(map(str, words)).encode())
        return digest.hexdigest()[:20]


def plan_run(recipe: Recipe, faces: FaceDataset, callback: Callback) -> RunPlan:
    """The plan with absolute paths, fewer validation faces for few faces, and no vote head without votes.

    ``callback`` receives a message about each change. An ExperimentError where a class has no Training face.
    """
    classes = recipe.data.classes
    training = faces.only(classes).split(TRAINING)
    counts = Counter(training.classes[label] for label in training.labels)
    if len(classes) < 2:
        happened = "The recipe has a single class"
        raise ExperimentError(happened, "two or more were expected", "Name them with --classes")
    if missing := [name for name in classes if not counts[name]]:
        happened = f"The data has no Training face of {', '.join(missing)}, a class of the recipe"
        present = ",".join(name for name in classes if counts[name])
        raise ExperimentError(happened, "faces of every class were expected", f"Add --classes {present}")
    if recipe.net.votes and not faces.votes.any() and not recipe.distillation.targets:
        callback(MessageEvent("The data has no FER+ votes: the network has one head, for the labels"))
        recipe = replace(recipe, net=replace(recipe.net, votes=False))
    plan = adapt_validation(recipe.with_absolute_paths(), faces)
    if plan.recipe.data.validation != recipe.data.validation:
        numbers = f"{plan.recipe.data.validation:,} are used for validation instead of {recipe.data.validation:,}"
        callback(MessageEvent(f"Of {len(training):,} Training faces {numbers}, which would leave too few"))
    if faces.problems:
        callback(MessageEvent(f"{len(faces.problems):,} rows of the data cannot be read and are left out"))
    return plan


def adapt_validation(recipe: Recipe, faces: FaceDataset) -> RunPlan:
    """The plan with fewer validation faces where the data set is small.

    An ExperimentError where there are none and a setting needs them: the plateau schedule, early stopping, the best
    epoch.
    """
    plan = RunPlan(replace(recipe, data=limit_validation(recipe.data, faces)), faces)
    settings, data = recipe.training, plan.recipe.data
    dependent = {
        f"training.schedule={settings.schedule}": ("training.schedule=cosine", settings.schedule == "plateau"),
        f"training.early_stopping={settings.early_stopping}": ("training.early_stopping=0", settings.early_stopping),
        f"training.keep={settings.keep}": ("training.keep=last", settings.keep == "best"),
    }
    alternatives = {typed: other for typed, (other, needed) in dependent.items() if needed}
    if alternatives and not len(plan.validation):
        raise ExperimentError(
            f"There are no validation faces, which {' and '.join(alternatives)} need",
            "Training faces without a duplicate were expected"
            if data.validation or data.folds
            else "a number above 0 was expected in data.validation",
            f"Set data.validation, or {', '.join(alternatives.values())}",
        )
    return plan
