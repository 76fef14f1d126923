"""The training step as a TensorFlow graph; on several devices, as one graph for each with gradients summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mien.training.backends import Forward, TrainingState, TrainStep


def step(learner: TrainingState) -> TrainStep:
    """Traced once for each value of ``mix``. Runs on the devices of the strategy in whose scope it was made."""
    strategy = tf.distribute.get_strategy()

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def graph(parts: tuple[Any, ...], keep: tf.Tensor, mix: bool) -> tf.Tensor:
        if strategy.num_replicas_in_sync == 1:
            return _one(learner, parts, keep, mix)
        figures = strategy.run(_one, (learner, parts, keep, mix))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, figures, axis=None)

    def call(arrays: Sequence[np.ndarray], keep: float, mix: bool) -> Any:
        return graph(_dealt(strategy, arrays), tf.constant(keep, tf.float32), mix)

    return call


def _one(learner: TrainingState, parts: tuple[Any, ...], keep: tf.Tensor, mix: bool) -> tf.Tensor:
    """What one device does with its part of the batch."""
    batch = learner.objective.batch(*parts, mix, learner.seed)
    with tf.GradientTape() as tape:
        loss, right = learner.objective.loss(learner.net(batch.faces, training=True), batch)
    variables = learner.descent.variables
    _descend(learner, tape.gradient(loss, [each.value for each in variables]))
    for mean, weight in learner.averaged:
        mean.assign(mean.value * keep + weight.value * (1 - keep))
    return tf.stack([loss, right])


def _descend(learner: TrainingState, gradients: list[tf.Tensor]) -> None:
    descent, devices = learner.descent, tf.distribute.get_strategy().num_replicas_in_sync
    if devices > 1 and descent.recipe.fit.clip:
        gradients = tf.distribute.get_replica_context().all_reduce("MEAN", gradients)
    slopes = descent.slopes(gradients, [each.value for each in descent.variables])
    # Keras sums over the devices.
    descent.optimizer.apply([each / devices for each in slopes] if devices > 1 else slopes, descent.variables)


def _dealt(strategy: Any, arrays: Sequence[np.ndarray]) -> tuple[Any, ...]:
    """The batch dealt to the devices in equal parts."""
    devices = strategy.num_replicas_in_sync
    if devices == 1:
        return tuple(tf.constant(each) for each in arrays)

    def part(each: np.ndarray) -> Any:
        return strategy.experimental_distribute_values_from_function(
            lambda device: tf.constant(np.array_split(each, devices)[device.replica_id_in_sync_group])
        )

    return tuple(part(each) for each in arrays)


def forward(model: keras.Model) -> Forward:
    faces = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32)
    graph = tf.function(lambda faces: model(faces, training=False), input_signature=[faces])

    def call(faces: np.ndarray) -> list[Any]:
        return list(keras.tree.flatten(graph(tf.constant(faces, tf.float32))))

    return call


def repeat_exactly() -> None:
    """From here on, in this process, every operation gives the same bits each time."""
    tf.config.experimental.enable_op_determinism()
