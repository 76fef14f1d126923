"""The training step in PyTorch, without compilation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import torch
from keras import ops

from mien.training.backends import Forward, TrainingState, TrainStep


def make_train_step(state: TrainingState) -> TrainStep:
    optimizer = state.optimizer

    def train_step(arrays: Sequence[np.ndarray], ema: float, mix: bool) -> Any:
        weights = [variable.value for variable in optimizer.variables]

        with torch.no_grad():
            faces, labels, votes = (ops.convert_to_tensor(each) for each in arrays)
            batch = state.prepare_batch(faces, labels, votes, mix)

        outputs = state.network(batch.faces, training=True)
        loss, accuracy = state.loss(outputs, batch)
        gradients = torch.autograd.grad(loss, weights)

        with torch.no_grad():
            gradients = optimizer.add_weight_decay(gradients, weights)
            gradients = optimizer.clip(gradients)
            optimizer.keras_optimizer.apply(gradients, optimizer.variables)

            pairs = ((average.value, weight.value) for average, weight in state.averaged_weights)
            torch._foreach_lerp_(*zip(*pairs, strict=True), 1 - ema)
            return torch.stack([loss.detach(), accuracy])

    return train_step


def make_forward(model: keras.Model) -> Forward:
    """The forward pass."""

    def call(faces: np.ndarray) -> list[Any]:
        with torch.no_grad():
            return list(keras.tree.flatten(model(ops.convert_to_tensor(faces, "float32"), training=False)))

    return call


def enable_determinism() -> None:
    """Use deterministic operations from here on, in the whole process."""
    torch.use_deterministic_algorithms(True)
