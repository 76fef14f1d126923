"""Trains the same net on one device and on two that are pretended; run by test_lab_backends.py in a process of its own.

``python several_devices.py FOLDER`` prints by how much the weights differ at most, how far they have come, and the
loss of a net with everything on two devices.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras
import numpy as np

from mien.datasets import synthetic
from mien.training import loop
from mien.training.recipe import NO_AUGMENTATION, NetworkSettings, Recipe, TrainingSettings
from mien.datasets.splits import DataSettings

FIT = TrainingSettings(epochs=2, batch_size=28, learning_rate=0.02, warmup=0.0, precision="float32", ema=0.9, clip_norm=1.0)
RECIPE = Recipe(data=DataSettings(validation=7), net=NetworkSettings(name="basic", dropout=0.0), augment=NO_AUGMENTATION, training=FIT)


def pretend() -> None:
    """Two processors in place of one, before TensorFlow looks; JAX was told by XLA_FLAGS."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        [processor] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


def main(folder: Path) -> None:
    pretend()
    faces = synthetic.draw_faces(140, seed=1)
    ends = [
        loop.train(replace(RECIPE, training=replace(FIT, devices=count)), faces, folder / str(count)).get_weights()
        for count in (1, 2)
    ]
    keras.utils.set_random_seed(FIT.seed)
    begun = loop.nets.of_recipe(RECIPE, "float32").get_weights()
    apart = max(float(np.abs(one - two).max()) for one, two in zip(*ends, strict=True))
    moved = max(float(np.abs(one - none).max()) for one, none in zip(ends[0], begun, strict=True))
    usual = Recipe(data=RECIPE.data, net=NetworkSettings(width=4, depth=(1,)), training=replace(FIT, devices=0, epochs=1))
    told: list[Any] = []
    loop.train(usual, faces, folder / "usual", watch=told.append)
    print(apart, moved, told[-1].row["loss"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
