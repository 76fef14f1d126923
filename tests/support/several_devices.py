"""Trains one network on one device and on two virtual devices; run by tests/training/test_backends.py.

``python several_devices.py FOLDER`` prints the largest difference of the weights, their largest change by the
training, and the loss of a network with all augmentation on all devices.
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
from mien.datasets.splits import DataSettings
from mien.training import loop, networks
from mien.training.plan import RunPlan
from mien.training.recipe import NO_AUGMENTATION, NetworkSettings, Recipe, TrainingSettings

SETTINGS = TrainingSettings(
    epochs=2, batch_size=28, learning_rate=0.02, warmup=0.0, precision="float32", ema=0.9, clip_norm=1.0
)
RECIPE = Recipe(
    data=DataSettings(validation=7),
    net=NetworkSettings(name="basic", dropout=0.0),
    augment=NO_AUGMENTATION,
    training=SETTINGS,
)


def create_virtual_devices() -> None:
    """Two virtual processors, before TensorFlow is initialised; JAX has them by XLA_FLAGS."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        [processor] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


def main(folder: Path) -> None:
    create_virtual_devices()
    faces = synthetic.draw_faces(140, seed=1)
    weights = []
    for count in (1, 2):
        recipe = replace(RECIPE, training=replace(SETTINGS, devices=count))
        weights.append(loop.train(RunPlan(recipe, faces), folder / str(count)).get_weights())
    keras.utils.set_random_seed(SETTINGS.seed)
    initial = networks.build_recipe_network(RECIPE, "float32").get_weights()
    difference = max(float(np.abs(one - two).max()) for one, two in zip(*weights, strict=True))
    change = max(float(np.abs(one - before).max()) for one, before in zip(weights[0], initial, strict=True))
    net, settings = NetworkSettings(width=4, depth=(1,)), replace(SETTINGS, devices=0, epochs=1)
    events: list[Any] = []
    augmented = Recipe(data=RECIPE.data, net=net, training=settings)
    loop.train(RunPlan(augmented, faces), folder / "augmented", callback=events.append)
    print(difference, change, events[-1].row["loss"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
