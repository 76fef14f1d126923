"""The training step for JAX: a compiled function from the values before the step to the values after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp

from mien.training.backends import Forward, TrainingState, TrainStep

Values = list[Any]


def make_train_step(state: TrainingState) -> TrainStep:
    """Compiled once for each value of ``mix``, for the devices of the current Keras distribution."""
    optimizer, distribution = state.optimizer, keras.distribution.distribution()
    trainable = optimizer.variables
    # What the step reads and changes without a gradient: frozen layers, moving means, random seeds.
    trainable_ids = {id(each) for each in trainable}
    others = [*(each for each in state.network.variables if id(each) not in trainable_ids), state.seed.state]
    averages, averaged = zip(*state.averaged_weights, strict=True)
    groups = [trainable, others, optimizer.keras_optimizer.variables, list(averages)]

    def train_step(values: list[Values], tensors: Values, ema: Any, mix: bool) -> Any:
        weights, other_values, moments, average_values = values

        def compute_loss(weights: Values) -> Any:
            variables = list(zip(trainable + others, weights + other_values, strict=True))
            with keras.StatelessScope(state_mapping=variables) as scope:
                batch = state.prepare_batch(*tensors, mix)
                outputs = state.network(batch.faces, training=True)
                loss, accuracy = state.loss(outputs, batch)
            return loss, (accuracy, [scope.get_current_value(each) for each in others])

        (loss, (accuracy, other_values)), gradients = jax.value_and_grad(compute_loss, has_aux=True)(weights)
        gradients = optimizer.add_weight_decay(gradients, weights)
        gradients = optimizer.clip(gradients)
        weights, moments = optimizer.keras_optimizer.stateless_apply(moments, gradients, weights)

        current = {id(each): value for each, value in zip(trainable + others, weights + other_values, strict=True)}
        pairs = zip(average_values, averaged, strict=True)
        average_values = [average * ema + current[id(weight)] * (1 - ema) for average, weight in pairs]
        return [weights, other_values, moments, average_values], jnp.stack([loss, accuracy])

    compiled = jax.jit(train_step, static_argnums=3)

    def call(arrays: Sequence[np.ndarray], ema: float, mix: bool) -> Any:
        before = [[each.value for each in group] for group in groups]
        after, metrics = compiled(before, [_distribute(distribution, each) for each in arrays], ema, mix)
        for group, values in zip(groups, after, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return metrics

    return call


def _distribute(distribution: Any, array: np.ndarray) -> Any:
    """The array as a tensor, split into equal parts for several devices."""
    if distribution is None:
        return jnp.asarray(array)
    return keras.distribution.distribute_tensor(jnp.asarray(array), distribution.get_data_layout(array.shape))


def make_forward(model: keras.Model) -> Forward:
    """The compiled forward pass."""

    @jax.jit
    def forward(values: Values, faces: Any) -> list[Any]:
        with keras.StatelessScope(state_mapping=list(zip(model.variables, values, strict=True))):
            return list(keras.tree.flatten(model(faces, training=False)))

    def call(faces: np.ndarray) -> list[Any]:
        return list(forward([each.value for each in model.variables], jnp.asarray(faces, jnp.float32)))

    return call


def enable_determinism() -> None:
    """JAX on a processor is deterministic without any setting."""
