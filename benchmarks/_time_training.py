"""Trains one VGG-like network with one library, and prints images per second as JSON. Run by training.py.

``python _time_training.py keras|mien|torch PRECISION AUGMENTED SECONDS CORES``: 32-64-128-256 channels, two 3x3
convolutions each with batch normalisation and ReLU, pooling between, 48 x 48 gray faces, seven classes; SGD with
Nesterov momentum.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

WIDTHS, BATCH, RATE, DECAY = (32, 64, 128, 256), 128, 0.01, 4e-4
RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 256, (BATCH, 48, 48, 1)).astype(np.uint8)
LABELS = RNG.integers(0, 7, BATCH)


def keras_step(precision: str, augmented: bool) -> Callable[[], object]:
    """Keras as in its guides: stock layers, ``compile`` and ``train_on_batch``."""
    import keras
    from keras import layers

    keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(precision, precision))
    model = keras.Sequential([keras.Input((48, 48, 1)), layers.Rescaling(1 / 63.75, offset=-2.0)])
    for stage, width in enumerate(WIDTHS):
        for _ in range(2):
            model.add(layers.Conv2D(width, 3, padding="same", use_bias=False))
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
            model.add(layers.ReLU())
        model.add(layers.GlobalAveragePooling2D() if stage == 3 else layers.MaxPooling2D(2))
    model.add(layers.Dense(7, dtype="float32"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    model.compile(optimizer, loss)
    return lambda: model.train_on_batch(FACES, LABELS)


def mien_step(precision: str, augmented: bool) -> Callable[[], object]:
    """The step of ``mien train``, with weight average, weight decay and label smoothing."""
    import keras

    from mien.training import backends, networks
    from mien.training.loss import Loss
    from mien.training.optimizer import Optimizer
    from mien.training.recipe import NO_AUGMENTATION, AugmentationSettings, NetworkSettings, Recipe, TrainingSettings

    net = NetworkSettings(name="vgg", width=WIDTHS[0], depth=(2, 2, 2, 2), dropout=0.0, votes=False, crop=False)
    recipe = Recipe(
        net=net,
        augment=AugmentationSettings() if augmented else NO_AUGMENTATION,
        training=TrainingSettings(weight_decay=DECAY),
    )
    model, average = (
        networks.build_recipe_network(recipe, {"bfloat16": "mixed_bfloat16"}.get(precision, precision)) for _ in "ab"
    )
    optimizer = Optimizer(recipe.training, model.trainable_variables)
    optimizer.keras_optimizer.learning_rate.assign(RATE)
    seed, loss = keras.random.SeedGenerator(0), Loss(recipe.loss, np.eye(7))
    state = backends.TrainingState(recipe, model, average, loss, optimizer, seed)
    train_step = backends.load_backend().make_train_step(state)
    batch = [FACES, np.eye(7, dtype=np.float32)[LABELS], np.zeros((BATCH, 8), np.float32)]
    return lambda: np.asarray(train_step(batch, 0.999, augmented))


def torch_step(precision: str, augmented: bool) -> Callable[[], object]:
    """PyTorch with autocast and the channels-last memory format."""
    import torch
    from torch import nn

    layers, channels = [], 1
    for stage, width in enumerate(WIDTHS):
        for _ in range(2):
            layers += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if stage == 3 else [nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Linear(channels, 7)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    faces, labels = torch.from_numpy(FACES.transpose(0, 3, 1, 2).copy()), torch.from_numpy(LABELS)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        inputs = (faces.float() / 63.75 - 2.0).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(inputs)
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.08)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def measure_speed(step: Callable[[], object], seconds: float, clock: Callable[[], float]) -> float:
    """Images per second at the lower quartile of the step times, after two steps that compile.

    Other processes on the machine only make steps slower.
    """
    for _ in range(2):
        step()
    times, first = [], time.perf_counter()
    while time.perf_counter() - first < seconds or len(times) < 3:
        start = clock()
        step()
        times.append(clock() - start)
    return BATCH / float(np.quantile(times, 0.25))


if __name__ == "__main__":
    kind, precision, augmented, seconds, cores = sys.argv[1:]
    if cores == "1":
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    make = {"keras": keras_step, "mien": mien_step, "torch": torch_step}[kind]
    # The processor time of one thread excludes other processes; several threads need the wall-clock time.
    clock = time.process_time if cores == "1" else time.perf_counter
    speed = measure_speed(make(precision, augmented == "augmented"), float(seconds), clock)
    print(json.dumps({"images_per_s": round(speed, 1)}))
