"""The precision of a training run: float32 or mixed bfloat16, whichever is measured to be faster on this machine.

On processors with bfloat16 instructions mixed precision is up to three times as fast as float32, on others slower.
"""

from __future__ import annotations

import time
from dataclasses import replace

import keras
import numpy as np

from mien.datasets.dataset import SIDE
from mien.training import backends, networks
from mien.training.backends import TrainingState
from mien.training.callbacks import Callback, MessageEvent
from mien.training.loss import Loss
from mien.training.optimizer import Optimizer
from mien.training.recipe import NO_AUGMENTATION, Recipe

FLOAT32, MIXED, AUTO = "float32", "mixed_bfloat16", "auto"
#: bfloat16 must be faster by this factor, as it is a little less accurate.
MIN_SPEEDUP = 1.1
#: A measurement takes at least this many seconds and steps, after the compilation.
MIN_SECONDS, MIN_STEPS = 0.8, 2


def choose_precision(recipe: Recipe, before: str, callback: Callback) -> Recipe:
    """The recipe with ``auto`` replaced by the precision of a resumed run (``before``), else by the faster one.

    The measurement is reported to ``callback``. Deterministic runs are in float32.
    """
    if recipe.training.precision != AUTO:
        return recipe
    choice = before or (FLOAT32 if recipe.training.deterministic else _measure_faster(recipe, callback))
    return replace(recipe, training=replace(recipe.training, precision=choice))


def _measure_faster(recipe: Recipe, callback: Callback) -> str:
    speeds = {precision: measure_speed(recipe, precision) for precision in (FLOAT32, MIXED)}
    choice = MIXED if speeds[MIXED] > MIN_SPEEDUP * speeds[FLOAT32] else FLOAT32
    numbers = " and ".join(f"{speed:.0f} in {precision}" for precision, speed in speeds.items())
    callback(MessageEvent(f"Training in {choice}: measured without augmentation, {numbers} images a second"))
    return choice


def measure_speed(recipe: Recipe, precision: str) -> float:
    """Images a second of training steps with random images, without augmentation."""
    plain = replace(recipe, augment=NO_AUGMENTATION)
    network = networks.build_recipe_network(plain, precision)
    classes, count = network.outputs[0].shape[-1], recipe.training.batch_size
    loss = Loss(plain.loss, np.eye(classes))
    optimizer = Optimizer(plain.training, network.trainable_variables)
    state = TrainingState(plain, network, network, loss, optimizer, keras.random.SeedGenerator(0))
    train_step = backends.load_backend().make_train_step(state)
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1)).astype(np.uint8)
    labels = np.eye(classes, dtype=np.float32)[np.arange(count) % classes]
    batch = [images, labels, np.zeros((count, 8), np.float32)]
    keras.ops.convert_to_numpy(train_step(batch, 0.0, False))  # compiles
    start, steps = time.perf_counter(), 0
    while steps < MIN_STEPS or time.perf_counter() - start < MIN_SECONDS:
        keras.ops.convert_to_numpy(train_step(batch, 0.0, False))  # reading the result waits for it
        steps += 1
    return steps * count / (time.perf_counter() - start)
