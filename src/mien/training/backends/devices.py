"""Several devices that share each batch: what Keras and TensorFlow need to know before the first variable is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from mien.errors import LabError
from mien.training.recipe import TrainingSettings

#: Each device's random numbers begin so far from the one before.
_APART = 7919


@contextmanager
def shared(fit: TrainingSettings) -> Iterator[int]:
    """While inside, nets and steps are made for ``fit.devices``; how many those are.

    TensorFlow mirrors the variables, JAX shards the batch; torch trains on one device.
    """
    if fit.devices == 1:
        yield 1
        return
    make = {"tensorflow": _mirrored, "jax": _sharded}.get(keras.backend.backend())
    if make is None:
        happened = f"fit.devices is {fit.devices}, and Keras runs on {keras.backend.backend()}"
        raise LabError(happened, "one device was expected there", "Set fit.devices=1 or KERAS_BACKEND=tensorflow")
    with make(fit.devices) as count:
        if fit.batch % count:
            happened = f"A batch of {fit.batch} cannot be dealt to {count} devices in equal parts"
            raise LabError(happened, "", f"Make fit.batch a multiple of {count}")
        yield count


@contextmanager
def _mirrored(count: int) -> Iterator[int]:
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [each.name for each in _first(found, count)]
    # NCCL, the default, knows graphics cards only.
    how = tf.distribute.ReductionToOneDevice() if "CPU" in names[0] else None
    with tf.distribute.MirroredStrategy(names, cross_device_ops=how).scope():
        yield len(names)


@contextmanager
def _sharded(count: int) -> Iterator[int]:
    names = _first(keras.distribution.list_devices(), count)
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names))
    try:
        yield len(names)
    finally:
        keras.distribution.set_distribution(before)


def _first(found: Sequence[Any], count: int) -> Sequence[Any]:
    if not 0 <= count <= len(found):
        happened = f"fit.devices is {count}"
        raise LabError(happened, f"this machine has {len(found)}", "Set fit.devices=0 for all there are")
    return found[: count or None]


def tell_apart(seeds: Sequence[keras.Variable]) -> None:
    """Gives each mirrored copy of a seed a place of its own; nothing where there is one copy."""
    if keras.backend.backend() != "tensorflow":
        return
    for seed in seeds:
        for place, copy in enumerate(getattr(seed.value, "values", ())):
            copy.assign_add([_APART * place, 0])
