"""The training step on each backend of Keras: what a backend module provides, and which one is in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import keras
import numpy as np

from mien.errors import ExperimentError
from mien.training.batches import Batch, Teachers, prepare_batch
from mien.training.loss import Loss
from mien.training.optimizer import Optimizer
from mien.training.recipe import Recipe

BACKENDS = ("tensorflow", "torch", "jax")

#: (arrays, ema decay, mix) -> [loss, accuracy]: one step with a batch of faces uint8 (B, 48, 48, 1), labels (B, K) and
#: votes (B, 8). ``mix`` switches mixup and cutmix on. The result may still be computed when the call returns.
TrainStep = Callable[[Sequence[np.ndarray], float, bool], Any]
#: Faces (B, 48, 48, 1) to the logits of each head, without dropout.
Forward = Callable[[np.ndarray], list[Any]]


@dataclass(frozen=True)
class TrainingState:
    """Everything that a step reads and changes: network, average of its weights, loss, optimizer and random seed."""

    recipe: Recipe
    network: keras.Model
    average: keras.Model
    loss: Loss
    optimizer: Optimizer
    seed: keras.random.SeedGenerator
    teachers: Teachers | None = None

    def prepare_batch(self, faces: Any, labels: Any, votes: Any, mix: bool) -> Batch:
        """The augmented batch, with the soft targets of the teachers."""
        return prepare_batch(self.recipe, faces, labels, votes, mix=mix, seed=self.seed, teachers=self.teachers)

    @property
    def averaged_weights(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Pairs of a moving average and its weight. Integer weights are counters and have no average."""
        pairs = zip(self.average.weights, self.network.weights, strict=True)
        return [(average, weight) for average, weight in pairs if "float" in average.dtype]


class Backend(Protocol):
    """The functions of a backend module. A step is compiled for the layers that are trainable at its first call."""

    def make_train_step(self, state: TrainingState) -> TrainStep: ...
    def make_forward(self, model: keras.Model) -> Forward: ...
    def enable_determinism(self) -> None: ...


def load_backend() -> Backend:
    """The module of the backend that Keras uses; KERAS_BACKEND selects it."""
    name = keras.backend.backend()
    if name not in BACKENDS:
        expected = f"one of {', '.join(BACKENDS)} was expected"
        raise ExperimentError(f"Keras uses the backend {name}", expected, "Set KERAS_BACKEND=tensorflow")
    module: Any = import_module(f"mien.training.backends.{name}")
    return module  # type: ignore[no-any-return]


_forwards: WeakKeyDictionary[keras.Model, Forward] = WeakKeyDictionary()


def compiled_forward(model: keras.Model) -> Forward:
    """The forward pass of the model, compiled once."""
    if model not in _forwards:
        _forwards[model] = load_backend().make_forward(model)
    return _forwards[model]
