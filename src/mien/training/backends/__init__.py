"""One training step, whatever Keras runs on: what each backend must offer, and the one that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import keras
import numpy as np

from mien.errors import LabError
from mien.training.loss import Loss
from mien.training.optimizer import Optimizer

#: Faces uint8 (B, 48, 48, 1), shares (B, K) and votes (B, 8) of a batch, before anything is done to them; how much of
#: the average stays; whether neighbours are blended. The answer is an array of two that may still be on its way: loss
#: and the part of the batch that was answered rightly.
TrainStep = Callable[[Sequence[np.ndarray], float, bool], Any]
#: Faces (B, 48, 48, 1) to the logits of each head, without dropout.
Forward = Callable[[np.ndarray], list[Any]]


@dataclass(frozen=True)
class TrainingState:
    """Everything a step changes: the net, the running average of its weights, the optimizer's memory, the seed."""

    net: keras.Model
    average: keras.Model
    objective: Loss
    descent: Optimizer
    seed: keras.random.SeedGenerator

    @property
    def averaged(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Each running average and what it follows. A whole number in a layer counts something and has no average."""
        pairs = zip(self.average.weights, self.net.weights, strict=True)
        return [(mean, weight) for mean, weight in pairs if "float" in mean.dtype]


class Backend(Protocol):
    """What a module ``steps_*`` offers. ``step`` compiles for the layers that are trainable when it is first used."""

    def step(self, learner: TrainingState) -> TrainStep: ...
    def forward(self, model: keras.Model) -> Forward: ...
    def repeat_exactly(self) -> None: ...


BACKENDS = ("tensorflow", "torch", "jax")


_forwards: WeakKeyDictionary[keras.Model, Forward] = WeakKeyDictionary()


def compiled_forward(model: keras.Model) -> Forward:
    """The model's own, compiled once."""
    if model not in _forwards:
        _forwards[model] = load_backend().forward(model)
    return _forwards[model]


def load_backend() -> Backend:
    """The steps for the backend that Keras runs on; set KERAS_BACKEND to choose another."""
    name = keras.backend.backend()
    if name not in BACKENDS:
        there = f"training runs on {', '.join(BACKENDS)}"
        raise LabError(f"Keras runs on {name}", there, "Set KERAS_BACKEND=tensorflow")
    module: Any = import_module(f"mien.training.backends.{name}")
    return module  # type: ignore[no-any-return]
