"""The loss: cross-entropy with soft labels and votes, label smoothing, class weights and focal loss.

Written in Keras operations, so it runs on every backend, inside the compiled step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from mien.training.batches import Batch
from mien.training.recipe import LossSettings

Tensor = Any


class Loss:
    """The loss of a recipe for training faces with these ``labels`` (N, K).

    ``class_weights`` (K,) are the weights of the faces of each class: inverse to its frequency, or 1.
    """

    def __init__(self, settings: LossSettings, labels: np.ndarray) -> None:
        counts = labels.sum(0)
        weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
        self.settings = settings
        self.class_weights = np.asarray(weights if settings.class_weights else np.ones_like(weights), np.float32)

    def __call__(self, outputs: Sequence[Tensor] | Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss and accuracy of a batch, both scalars. ``outputs`` are the logits of each head."""
        logits, *vote_logits = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        smoothing = self.settings.label_smoothing
        targets = batch.labels * (1 - smoothing) + smoothing / batch.labels.shape[1]
        loss = ops.mean(cross_entropy(targets, logits) * self.weight_faces(logits, batch.labels))
        if vote_logits:
            # Faces without votes have targets of zeros, whose cross-entropy is 0.
            loss = loss + self.settings.vote_weight * ops.mean(cross_entropy(batch.votes, vote_logits[0]))
        correct = ops.argmax(logits, axis=1) == ops.argmax(batch.labels, axis=1)
        return loss, ops.mean(ops.cast(correct, "float32"))

    def weight_faces(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The weight of each face (B,): that of its class, and with focal loss less for confident predictions."""
        weights = ops.matmul(labels, self.class_weights[:, None])[:, 0]
        if self.settings.focal:
            confidence = ops.sum(ops.softmax(logits) * labels, axis=1)
            # Rounding can lift the confidence above 1, where the power is not defined.
            weights = weights * ops.stop_gradient(ops.maximum(1 - confidence, 0.0) ** self.settings.focal)
        return weights


def cross_entropy(targets: Tensor, logits: Tensor) -> Tensor:
    """The cross-entropy of each row (B,); 0 for targets of zeros."""
    return -ops.sum(ops.multiply(targets, ops.log_softmax(logits, axis=1)), axis=1)
