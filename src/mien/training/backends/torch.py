"""The training step in PyTorch, one operation after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import torch
from keras import ops

from mien.training.backends import Forward, TrainingState, TrainStep


def step(learner: TrainingState) -> TrainStep:
    descent = learner.descent

    def call(arrays: Sequence[np.ndarray], keep: float, mix: bool) -> Any:
        with torch.no_grad():
            parts = [ops.convert_to_tensor(each) for each in arrays]
            batch = learner.objective.batch(*parts, mix, learner.seed)
        loss, right = learner.objective.loss(learner.net(batch.faces, training=True), batch)
        values = [each.value for each in descent.variables]
        gradients = torch.autograd.grad(loss, values)
        with torch.no_grad():
            descent.optimizer.apply(descent.slopes(gradients, values), descent.variables)
            means, weights = zip(*((mean.value, weight.value) for mean, weight in learner.averaged), strict=True)
            torch._foreach_lerp_(means, weights, 1 - keep)
            return torch.stack([loss.detach(), right])

    return call


def forward(model: keras.Model) -> Forward:
    def call(faces: np.ndarray) -> list[Any]:
        with torch.no_grad():
            return list(keras.tree.flatten(model(ops.convert_to_tensor(faces, "float32"), training=False)))

    return call


def repeat_exactly() -> None:
    """From here on, in this process, every operation gives the same bits each time."""
    torch.use_deterministic_algorithms(True)
