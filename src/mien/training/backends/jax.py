"""The training step for JAX: a compiled function from all values before it to all values after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp

from mien.training.backends import Forward, TrainingState, TrainStep

Values = list[Any]


def step(learner: TrainingState) -> TrainStep:
    """Compiled once for each value of ``mix``, for the devices of the distribution in which it was made."""
    descent, changed = learner.descent, _others(learner)
    memory, followed = descent.optimizer.variables, [weight for _, weight in learner.averaged]
    means = [mean for mean, _ in learner.averaged]
    groups = [descent.variables, changed, memory, means]
    shared = keras.distribution.distribution()

    def compiled(values: list[Values], parts: Values, keep: Any, mix: bool) -> Any:
        trained, others, moments, averages = values

        def cost(trained: Values) -> Any:
            return _cost(learner, _paired(descent.variables + changed, trained + others), changed, parts, mix)

        (loss, (right, others)), gradients = jax.value_and_grad(cost, has_aux=True)(trained)
        trained, moments = descent.optimizer.stateless_apply(moments, descent.slopes(gradients, trained), trained)
        now = {id(each): value for each, value in _paired(descent.variables + changed, trained + others)}
        weights = [now[id(each)] for each in followed]
        averages = [mean * keep + weight * (1 - keep) for mean, weight in zip(averages, weights, strict=True)]
        return [trained, others, moments, averages], jnp.stack([loss, right])

    function = jax.jit(compiled, static_argnums=3)

    def call(arrays: Sequence[np.ndarray], keep: float, mix: bool) -> Any:
        before = [[each.value for each in group] for group in groups]
        after, figures = function(before, [_dealt(shared, each) for each in arrays], keep, mix)
        for group, values in zip(groups, after, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return figures

    return call


def _paired(variables: list[keras.Variable], values: Values) -> list[tuple[keras.Variable, Any]]:
    return list(zip(variables, values, strict=True))


def _others(learner: TrainingState) -> list[keras.Variable]:
    """What the step changes or reads without a gradient: frozen layers, moving means, seeds."""
    trained = {id(each) for each in learner.descent.variables}
    return [*(each for each in learner.net.variables if id(each) not in trained), learner.seed.state]


def _cost(learner: TrainingState, known: list[Any], followed: list[keras.Variable], parts: Values, mix: bool) -> Any:
    with keras.StatelessScope(state_mapping=known) as scope:
        batch = learner.objective.batch(*parts, mix, learner.seed)
        loss, right = learner.objective.loss(learner.net(batch.faces, training=True), batch)
    return loss, (right, [scope.get_current_value(each) for each in followed])


def _dealt(shared: Any, array: np.ndarray) -> Any:
    """The batch dealt to the devices in equal parts, where there are several."""
    if shared is None:
        return jnp.asarray(array)
    return keras.distribution.distribute_tensor(jnp.asarray(array), shared.get_data_layout(array.shape))


def forward(model: keras.Model) -> Forward:
    function = jax.jit(lambda values, faces: _answers(model, values, faces))

    def call(faces: np.ndarray) -> list[Any]:
        return list(function([each.value for each in model.variables], jnp.asarray(faces, jnp.float32)))

    return call


def _answers(model: keras.Model, values: Values, faces: Any) -> list[Any]:
    with keras.StatelessScope(state_mapping=list(zip(model.variables, values, strict=True))):
        return list(keras.tree.flatten(model(faces, training=False)))


def repeat_exactly() -> None:
    """JAX on a processor gives the same bits each time by itself."""
