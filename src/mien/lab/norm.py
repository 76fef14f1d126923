"""Batch normalisation by the backend's fused kernel: most of what makes mixed precision pay on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

Tensor = Any


@keras.saving.register_keras_serializable("mien")
class FusedNorm(layers.BatchNormalization):
    """Batch normalisation by the fused kernel of TensorFlow or torch.

    Stock Keras computes mean, variance and scaling as separate operations, which under bfloat16 on a CPU costs more
    than the convolutions it stands between. Same weights, same names, same results as ``BatchNormalization`` to
    rounding; axis must be the last. On JAX, whose compiler fuses by itself, it is plain ``BatchNormalization``.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor = None) -> Tensor:
        fused = _KERNELS.get(keras.backend.backend())
        if fused is None or len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        # A frozen layer keeps to the mean and variance it has learnt.
        return fused(self, inputs, bool(training) and self.trainable)


def _by_tensorflow(norm: FusedNorm, inputs: Tensor, training: bool) -> Tensor:
    import tensorflow as tf

    running = [norm.moving_mean.value, norm.moving_variance.value]
    empty = tf.constant([], tf.float32)
    scaled, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(norm.gamma.value),
        offset=tf.convert_to_tensor(norm.beta.value),
        mean=empty if training else running[0],
        variance=empty if training else running[1],
        epsilon=norm.epsilon,
        is_training=training,
    )
    if training:
        for followed, now in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
            followed.assign(followed * norm.momentum + now * (1 - norm.momentum))
    return scaled


def _by_torch(norm: FusedNorm, inputs: Tensor, training: bool) -> Tensor:
    from torch.nn import functional

    # Channels stand last in memory and first in the kernel's eyes: nothing is copied.
    seen, follow = inputs.permute(0, 3, 1, 2), 1 - norm.momentum
    running = norm.moving_mean.value, norm.moving_variance.value
    scaled = functional.batch_norm(seen, *running, norm.gamma.value, norm.beta.value, training, follow, norm.epsilon)
    return scaled.permute(0, 2, 3, 1)


_KERNELS: dict[str, Callable[[FusedNorm, Tensor, bool], Tensor]] = {
    "tensorflow": _by_tensorflow,
    "torch": _by_torch,
}
