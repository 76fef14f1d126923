"""Batches: which faces are in each, and their augmentation and targets.

The order of the faces depends only on the seed and the epoch, so a resumed run gets the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from mien.training import augmentation
from mien.training.recipe import Recipe, TrainingSettings

Tensor = Any
#: Teachers: augmented faces (B, 48, 48, 1) to their probabilities (B, K) and, where they have that head, votes (B, 8).
Teachers = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class Batch:
    """``faces`` float32 (B, 48, 48, 1); targets: ``labels`` (B, K) and ``votes`` (B, 8), zeros for faces without."""

    faces: Tensor
    labels: Tensor
    votes: Tensor


def make_batches(settings: TrainingSettings, labels: NDArray[np.integer], epoch: int) -> list[NDArray[np.int64]]:
    """The indices of the faces in each batch of an epoch; faces that do not fill a whole batch are left out."""
    rng = np.random.default_rng((settings.seed, epoch))
    order = rng.permutation(len(labels)) if settings.sampling == "all" else _sample_balanced(labels, rng)
    size = settings.batch_size
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def _sample_balanced(labels: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
    """As many indices as there are faces, each class equally often: faces of rare classes repeat."""
    classes = np.unique(labels)
    count = len(labels) // len(classes)
    chosen = [np.fromiter(_repeat_shuffled(np.flatnonzero(labels == each), rng), np.int64, count) for each in classes]
    return rng.permutation(np.concatenate(chosen))


def _repeat_shuffled(indices: NDArray[np.int64], rng: np.random.Generator) -> Iterator[int]:
    """All indices in random order, again and again."""
    while True:
        yield from rng.permutation(indices)


def prepare_batch(
    recipe: Recipe, faces: Tensor, labels: Tensor, votes: Tensor, *, mix: bool, seed: Any, teachers: Teachers | None
) -> Batch:
    """Augment uint8 faces (B, 48, 48, 1) and adapt their targets, inside the graph.

    ``mix``: mixup and cutmix. ``teachers`` predict the augmented faces. At last some faces are replaced by non-faces.
    """
    settings, targets = recipe.augment, [labels, votes]
    augmented = augmentation.augment(ops.cast(faces, "float32"), settings, seed)
    if mix:
        augmented, targets = augmentation.mix(augmented, targets, settings, seed)
    if teachers:
        targets = _mix_soft_targets(targets, teachers(augmented), recipe.distillation.weight)
    augmented, targets = augmentation.replace_by_non_faces(augmented, targets, settings.non_face_fraction, seed)
    return Batch(augmented, *targets)


def _mix_soft_targets(targets: Sequence[Tensor], soft_targets: Sequence[Tensor], weight: float) -> list[Tensor]:
    """Targets and soft targets in the proportion 1 - ``weight`` to ``weight``; only soft targets without votes."""
    labels, votes = targets
    mixed = [(1 - weight) * labels + weight * soft_targets[0]]
    if len(soft_targets) < 2:
        return [*mixed, votes]
    annotated = ops.sum(votes, axis=1, keepdims=True) > 0
    return [*mixed, ops.where(annotated, (1 - weight) * votes + weight * soft_targets[1], soft_targets[1])]
