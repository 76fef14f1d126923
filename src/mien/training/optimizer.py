"""The way down: the recipe's optimizer over some of the net's variables, with decay and clipping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from mien.errors import LabError, nearest
from mien.training.recipe import Recipe

Tensor = Any


class Optimizer:
    """An optimizer for these ``variables`` and no others, at rate 0 until somebody sets it."""

    def __init__(self, recipe: Recipe, variables: Sequence[keras.Variable]) -> None:
        self.recipe, self.variables = recipe, list(variables)
        self.optimizer = optimizer_of(recipe)
        self.optimizer.exclude_from_weight_decay(var_list=[each for each in self.variables if not shrinks(each)])
        self.optimizer.build(self.variables)

    def slopes(self, gradients: Sequence[Tensor], values: Sequence[Tensor]) -> list[Tensor]:
        """What the optimizer is given. Kernels also shrink, as part of the gradient; adamw does that itself."""
        decay = 0.0 if self.recipe.fit.optimizer == "adamw" else self.recipe.fit.decay
        slopes = [
            slope + decay * value if decay and shrinks(variable) else slope
            for slope, value, variable in zip(gradients, values, self.variables, strict=True)
        ]
        return clipped(slopes, self.recipe.fit.clip) if self.recipe.fit.clip else slopes


def optimizer_of(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The recipe's optimizer at rate 0; the schedule sets it before each step."""
    kinds: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
        "sgd": lambda: keras.optimizers.SGD(0.0, momentum=recipe.fit.momentum, nesterov=True),
        "adam": lambda: keras.optimizers.Adam(0.0),
        "adamw": lambda: keras.optimizers.AdamW(0.0, weight_decay=recipe.fit.decay),
    }
    name = recipe.fit.optimizer
    if name not in kinds:
        raise LabError(f"There is no optimizer '{name}'", f"known are {', '.join(kinds)}", nearest(name, kinds))
    return kinds[name]()


def clipped(slopes: Sequence[Tensor], most: float) -> list[Tensor]:
    """The same direction, all of it together no longer than ``most``."""
    length = ops.sqrt(sum(ops.sum(ops.square(each)) for each in slopes))
    factor = most / ops.maximum(length, most)
    return [each * factor for each in slopes]


def shrinks(weight: keras.Variable) -> bool:
    """Whether weight decay is for it: kernels, not biases and norms."""
    return str(weight.path).endswith("kernel")
