"""The training step as a TensorFlow graph; on several devices each has its copy, and gradients are summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mien.training.backends import Forward, TrainingState, TrainStep


def train_step(
    state: TrainingState, faces: tf.Tensor, labels: tf.Tensor, votes: tf.Tensor, ema: tf.Tensor, mix: bool
) -> tf.Tensor:
    """One step with a batch, or with the part of a batch that one of several devices gets: [loss, accuracy]."""
    optimizer = state.optimizer
    weights = [variable.value for variable in optimizer.variables]

    batch = state.prepare_batch(faces, labels, votes, mix)  # augmentation, mixup, soft targets

    with tf.GradientTape() as tape:
        outputs = state.network(batch.faces, training=True)
        loss, accuracy = state.loss(outputs, batch)
    gradients = tape.gradient(loss, weights)

    devices = tf.distribute.get_strategy().num_replicas_in_sync
    if devices > 1 and optimizer.settings.clip_norm:  # clip the norm of the whole batch, not that of each part
        gradients = tf.distribute.get_replica_context().all_reduce("MEAN", gradients)
    gradients = optimizer.add_weight_decay(gradients, weights)
    gradients = optimizer.clip(gradients)
    if devices > 1:  # Keras sums them over the devices
        gradients = [gradient / devices for gradient in gradients]
    optimizer.keras_optimizer.apply(gradients, optimizer.variables)

    for average, weight in state.averaged_weights:
        average.assign(average.value * ema + weight.value * (1 - ema))
    return tf.stack([loss, accuracy])


def make_train_step(state: TrainingState) -> TrainStep:
    """Compiled once for each value of ``mix``, for the devices of the current distribution strategy."""
    strategy = tf.distribute.get_strategy()

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def graph(tensors: tuple[Any, ...], ema: tf.Tensor, mix: bool) -> tf.Tensor:
        if strategy.num_replicas_in_sync == 1:
            return train_step(state, *tensors, ema, mix)
        metrics = strategy.run(train_step, (state, *tensors, ema, mix))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, metrics, axis=None)

    def call(arrays: Sequence[np.ndarray], ema: float, mix: bool) -> Any:
        return graph(_distribute(strategy, arrays), tf.constant(ema, tf.float32), mix)

    return call


def _distribute(strategy: Any, arrays: Sequence[np.ndarray]) -> tuple[Any, ...]:
    """The arrays as tensors, split into equal parts for several devices."""
    devices = strategy.num_replicas_in_sync
    if devices == 1:
        return tuple(tf.constant(each) for each in arrays)

    def split(array: np.ndarray) -> Any:
        return strategy.experimental_distribute_values_from_function(
            lambda device: tf.constant(np.array_split(array, devices)[device.replica_id_in_sync_group])
        )

    return tuple(split(each) for each in arrays)


def make_forward(model: keras.Model) -> Forward:
    """The compiled forward pass."""
    signature = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32)
    graph = tf.function(lambda faces: model(faces, training=False), input_signature=[signature])

    def call(faces: np.ndarray) -> list[Any]:
        return list(keras.tree.flatten(graph(tf.constant(faces, tf.float32))))

    return call


def enable_determinism() -> None:
    """Use deterministic operations from here on, in the whole process."""
    tf.config.experimental.enable_op_determinism()
