"""In which precision to train: measured on the machine at hand, for processors differ more than books say.

Where there are instructions for bfloat16 it is up to three times as fast as float32, and elsewhere slower.
"""

from __future__ import annotations

import json
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from mien.errors import ExperimentError, suggest_name
from mien.training import backends, checkpoint, networks
from mien.training.backends import TrainingState
from mien.training.callbacks import Callback, MessageEvent
from mien.training.loss import Loss
from mien.training.optimizer import Optimizer
from mien.training.recipe import NO_AUGMENTATION, Recipe

FLOAT, MIXED, AUTO = "float32", "mixed_bfloat16", "auto"
#: bfloat16 must be so many times as fast: it costs a little accuracy in every sum.
WORTH = 1.1
#: Each is measured for about this long, in seconds, after it has been compiled, and over this many steps at least.
LONG, LEAST = 0.8, 2


def resume_precision(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with what a run in this folder once chose: ``auto`` is decided once, and a resumed run keeps to it."""
    precision = recipe.training.precision
    if precision not in (FLOAT, MIXED, AUTO):
        there = f"known are {AUTO}, {FLOAT}, {MIXED}"
        raise ExperimentError(f"training.precision is '{precision}'", there, suggest_name(precision, (FLOAT, MIXED, AUTO)))
    if recipe.training.deterministic and precision == MIXED:
        happened = f"training.deterministic asks for the same bits each time, and training.precision is {MIXED}"
        raise ExperimentError(happened, f"{FLOAT} was expected", "Leave one of them out")
    return _with(recipe, _before(folder)) if precision == AUTO else recipe


def _before(folder: Path) -> str:
    """The precision of the state in the folder; ``auto`` where there is none."""
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE):
        try:
            facts = json.loads(str(checkpoint.read_arrays(folder / name)[-1]))
        except (OSError, zipfile.BadZipFile, EOFError, ValueError, KeyError):
            continue
        return str(facts["recipe"]["fit"]["precision"])
    return AUTO


def choose_precision(recipe: Recipe, watch: Callback) -> Recipe:
    """The recipe with ``auto`` replaced by what is faster here, and that told."""
    if recipe.training.precision != AUTO:
        return recipe
    if recipe.training.deterministic:
        return _with(recipe, FLOAT)
    speeds = {each: measure_speed(recipe, each) for each in (FLOAT, MIXED)}
    choice = MIXED if speeds[MIXED] > WORTH * speeds[FLOAT] else FLOAT
    told = " and ".join(f"{count:.0f} in {each}" for each, count in speeds.items())
    watch(MessageEvent(f"Training in {choice}: measured here, without augmentation, {told} images a second"))
    return _with(recipe, choice)


def _with(recipe: Recipe, precision: str) -> Recipe:
    return replace(recipe, training=replace(recipe.training, precision=precision))


def measure_speed(recipe: Recipe, precision: str) -> float:
    """Images a second through the recipe's net, there and back, its augmentation left out."""
    plain = replace(recipe, augment=NO_AUGMENTATION)
    net = networks.build_recipe_network(plain, precision)
    classes = net.outputs[0].shape[-1]
    objective = Loss(plain, np.ones(classes, np.float32))
    descent = Optimizer(plain, net.trainable_variables)
    step = backends.load_backend().step(TrainingState(net, net, objective, descent, keras.random.SeedGenerator(0)))
    batch = _noise(recipe.training.batch_size, classes)
    np.asarray(keras.ops.convert_to_numpy(step(batch, 0.0, False)))
    begun, done = time.perf_counter(), 0
    while done < LEAST or time.perf_counter() - begun < LONG:
        # Read, so that the clock does not stop at what is only begun.
        keras.ops.convert_to_numpy(step(batch, 0.0, False))
        done += 1
    return done * recipe.training.batch_size / (time.perf_counter() - begun)


def _noise(count: int, classes: int) -> list[np.ndarray]:
    faces = np.random.default_rng(0).integers(0, 256, (count, networks.SIDE, networks.SIDE, 1)).astype(np.uint8)
    return [faces, np.eye(classes, dtype=np.float32)[np.arange(count) % classes], np.zeros((count, 8), np.float32)]
