"""What a step is asked to make smaller: a batch made ready, and how far the net's answers are from what it should say.

Written in Keras's own operations, so it is the same on every backend, inside the graph or the compiled function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from mien.training import augmentation
from mien.training.recipe import Recipe

Tensor = Any
#: What teachers say of a batch of faces: shares (B, K) and, where they have that head, votes (B, 8).
TeacherOutputs = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class Batch:
    """``faces`` float32 (B, 48, 48, 1) as the net sees them; ``shares`` (B, K), ``votes`` (B, 8) it should say."""

    faces: Tensor
    shares: Tensor
    votes: Tensor


class Loss:
    """The recipe's augmentation and loss. ``class_weights`` (K,): how much a face of each class counts.

    Teachers that ``say`` something are asked about the faces as they are after all variation, but for those emptied.
    """

    def __init__(self, recipe: Recipe, class_weights: np.ndarray, say: TeacherOutputs | None = None) -> None:
        self.recipe, self.class_weights, self.say = recipe, class_weights, say

    def batch(self, faces: Tensor, shares: Tensor, votes: Tensor, mix: bool, seed: Any) -> Batch:
        """A batch as it comes from the data, faces uint8, varied as the recipe says; ``mix`` blends neighbours."""
        settings, targets = self.recipe.augment, [shares, votes]
        seen = augmentation.varied(ops.cast(faces, "float32"), settings, seed)
        if mix:
            seen, targets = augmentation.blended(seen, targets, settings, seed)
        if self.say:
            targets = _mixed(targets, self.say(seen), self.recipe.teach.weight)
        seen, targets = augmentation.emptied(seen, targets, settings.nothing_part, seed)
        return Batch(seen, *targets)

    def loss(self, heads: Sequence[Tensor] | Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss of a batch, and the part of it whose first answer is the right one; both numbers."""
        shares, *votes = heads if isinstance(heads, (list, tuple)) else [heads]
        smoothing = self.recipe.loss.smoothing
        soft = batch.shares * (1 - smoothing) + smoothing / batch.shares.shape[1]
        loss = ops.mean(cross_entropy(soft, shares) * self.weights(shares, batch.shares))
        if votes:
            # Rows of zeros, where nobody voted, cost nothing.
            loss = loss + self.recipe.loss.votes * ops.mean(cross_entropy(batch.votes, votes[0]))
        right = ops.argmax(shares, axis=1) == ops.argmax(batch.shares, axis=1)
        return loss, ops.mean(ops.cast(right, "float32"))

    def weights(self, logits: Tensor, shares: Tensor) -> Tensor:
        """How much each face counts (B,): by its class, and the less the surer the net is of it."""
        weights = ops.matmul(shares, self.class_weights[:, None])[:, 0]
        if self.recipe.loss.focal:
            sure = ops.sum(ops.softmax(logits) * shares, axis=1)
            # Rounding may take a certain answer past 1, where the power has no value.
            weights = weights * ops.stop_gradient(ops.maximum(1 - sure, 0.0) ** self.recipe.loss.focal)
        return weights


def _mixed(targets: Sequence[Tensor], said: Sequence[Tensor], weight: float) -> list[Tensor]:
    """What labels and voters say, ``weight`` of it replaced by what teachers say; where nobody voted, all of it."""
    shares, votes = targets
    mixed = [(1 - weight) * shares + weight * said[0]]
    if len(said) < 2:
        return [*mixed, votes]
    asked = ops.sum(votes, axis=1, keepdims=True) > 0
    return [*mixed, ops.where(asked, (1 - weight) * votes + weight * said[1], said[1])]


def cross_entropy(shares: Tensor, logits: Tensor) -> Tensor:
    """Of each row (B,); 0 for rows of zeros."""
    return -ops.sum(ops.multiply(shares, ops.log_softmax(logits, axis=1)), axis=1)


def class_weights(recipe: Recipe, shares: np.ndarray) -> np.ndarray:
    """One for each class; where balanced, in proportion to its rareness, one for a class of average size."""
    counts = shares.sum(0)
    rare = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return np.asarray(rare if recipe.loss.balanced else np.ones_like(rare), np.float32)
