"""Training on several devices that share each batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from mien.errors import ExperimentError
from mien.training.recipe import TrainingSettings

#: The distance between the random seeds of two devices.
_SEED_OFFSET = 7919


@contextmanager
def distribute(settings: TrainingSettings) -> Iterator[int]:
    """Inside, networks and steps are made for the devices of the settings; yields the number of devices.

    TensorFlow mirrors the variables, JAX splits the batch; torch trains on one device.
    """
    if settings.devices == 1:
        yield 1
        return
    backend = keras.backend.backend()
    strategies = {"tensorflow": _mirror_variables, "jax": _split_batches}
    if backend not in strategies:
        happened = f"training.devices is {settings.devices}, and Keras uses {backend}"
        raise ExperimentError(
            happened, "one device was expected", "Set training.devices=1, or KERAS_BACKEND=tensorflow"
        )
    with strategies[backend](settings.devices) as count:
        if settings.batch_size % count:
            happened = f"A batch of {settings.batch_size} cannot be split into {count} equal parts"
            raise ExperimentError(happened, "", f"Make training.batch_size a multiple of {count}")
        yield count


@contextmanager
def _mirror_variables(count: int) -> Iterator[int]:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [each.name for each in _select(devices, count)]
    # NCCL, the default, supports GPUs only.
    reduction = tf.distribute.ReductionToOneDevice() if "CPU" in names[0] else None
    with tf.distribute.MirroredStrategy(names, cross_device_ops=reduction).scope():
        yield len(names)


@contextmanager
def _split_batches(count: int) -> Iterator[int]:
    names = _select(keras.distribution.list_devices(), count)
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names))
    try:
        yield len(names)
    finally:
        keras.distribution.set_distribution(before)


def _select(devices: Sequence[Any], count: int) -> Sequence[Any]:
    """The first ``count`` devices, or all of them for 0."""
    if not 0 <= count <= len(devices):
        happened = f"training.devices is {count}"
        raise ExperimentError(happened, f"this machine has {len(devices)}", "Set training.devices=0 for all devices")
    return devices[: count or None]


def separate_seeds(seeds: Sequence[keras.Variable]) -> None:
    """Give each mirrored copy of a random seed its own offset; nothing on one device."""
    if keras.backend.backend() != "tensorflow":
        return
    for seed in seeds:
        for index, copy in enumerate(getattr(seed.value, "values", ())):
            copy.assign_add([_SEED_OFFSET * index, 0])
