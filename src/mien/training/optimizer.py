"""The optimizer of a recipe, with weight decay and gradient clipping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from mien.training.recipe import TrainingSettings

Tensor = Any


class Optimizer:
    """A Keras optimizer for ``variables``; its learning rate is 0 until the schedule assigns it before each step."""

    def __init__(self, settings: TrainingSettings, variables: Sequence[keras.Variable]) -> None:
        self.settings, self.variables = settings, list(variables)
        self.keras_optimizer = make_optimizer(settings)
        self.keras_optimizer.exclude_from_weight_decay(var_list=[each for each in self.variables if not decays(each)])
        self.keras_optimizer.build(self.variables)

    def add_weight_decay(self, gradients: Sequence[Tensor], values: Sequence[Tensor]) -> list[Tensor]:
        """The gradients of the kernels plus ``weight_decay`` times the kernels; adamw decays them itself."""
        decay = 0.0 if self.settings.optimizer == "adamw" else self.settings.weight_decay
        return [
            gradient + decay * value if decay and decays(variable) else gradient
            for gradient, value, variable in zip(gradients, values, self.variables, strict=True)
        ]

    def clip(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """The gradients scaled down so that their global norm is at most ``clip_norm``."""
        return clip_by_norm(gradients, self.settings.clip_norm) if self.settings.clip_norm else list(gradients)


def make_optimizer(settings: TrainingSettings) -> keras.optimizers.Optimizer:
    """The Keras optimizer of the settings, with learning rate 0."""
    kinds: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
        "sgd": lambda: keras.optimizers.SGD(0.0, momentum=settings.momentum, nesterov=True),
        "adam": lambda: keras.optimizers.Adam(0.0),
        "adamw": lambda: keras.optimizers.AdamW(0.0, weight_decay=settings.weight_decay),
    }
    return kinds[settings.optimizer]()


def clip_by_norm(gradients: Sequence[Tensor], max_norm: float) -> list[Tensor]:
    """Gradients of the same direction with a global norm of at most ``max_norm``."""
    norm = ops.sqrt(sum(ops.sum(ops.square(each)) for each in gradients))
    factor = max_norm / ops.maximum(norm, max_norm)
    return [each * factor for each in gradients]


def decays(variable: keras.Variable) -> bool:
    """Whether weight decay applies to the variable: kernels, not biases and normalisation."""
    return str(variable.path).endswith("kernel")
