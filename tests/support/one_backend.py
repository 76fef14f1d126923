"""One thing tried on the backend that KERAS_BACKEND names; run by test_lab_backends.py in a process of its own.

``python one_backend.py resume|norm|learn FOLDER`` prints three numbers.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from mien.datasets import synthetic
from mien.training import loop, networks
from mien.training.callbacks import EpochEvent, TrainingStopped
from mien.training.recipe import AugmentationSettings, NetworkSettings, Recipe, TrainingSettings
from mien.datasets.splits import DataSettings

SHORT = Recipe(
    data=DataSettings(validation=7),
    net=NetworkSettings(width=4, depth=(1,), dropout=0.1),
    augment=AugmentationSettings(cutmix=0.3, mixup_until=1.0),
    training=TrainingSettings(epochs=2, batch_size=28, learning_rate=0.05, warmup=0.5, precision="float32", ema=0.9),
)


def resume(folder: Path) -> tuple[float, float, float]:
    """By how much a run that was stopped after one epoch and went on differs from one that was not; how far it came."""
    faces, told = synthetic.draw_faces(140, seed=1), []
    whole = loop.train(SHORT, faces, folder / "whole").get_weights()
    try:
        loop.train(
            SHORT, faces, folder / "parts", watch=told.append, stop=lambda: any(isinstance(e, EpochEvent) for e in told)
        )
    except TrainingStopped:
        went_on = loop.train(SHORT, faces, folder / "parts").get_weights()
    keras.utils.set_random_seed(SHORT.training.seed)
    begun = loop.nets.of_recipe(SHORT, "float32").get_weights()
    return _apart(whole, went_on), _apart(whole, begun), 0.0


def _apart(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in zip(one, other, strict=True))


def compared(folder: Path) -> tuple[float, float, float]:
    """Fused against stock, in training: differences of outputs, of gamma after a step, and of the moving statistics."""
    inputs = np.random.default_rng(0).normal(3, 2, (16, 5, 5, 6)).astype(np.float32)
    goal = np.random.default_rng(1).normal(0, 1, (16, 5, 5, 6)).astype(np.float32)
    found = []
    for kind in (networks.FusedNorm, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9)
        model = keras.Sequential([keras.Input((5, 5, 6)), layer])
        outputs = keras.ops.convert_to_numpy(model(inputs, training=False))
        model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=False)
        model.train_on_batch(inputs, goal)
        found.append((outputs, [np.asarray(each) for each in layer.weights]))
    (mine, weights), (theirs, others) = found
    return float(np.abs(mine - theirs).max()), _apart(weights[:2], others[:2]), _apart(weights[2:], others[2:])


def learn(folder: Path) -> tuple[float, float, float]:
    """The accuracy on PublicTest of the recipe for drawn faces."""
    recipe = Recipe.read(Path(__file__).parents[2] / "recipes" / "drawn.toml")
    faces = synthetic.draw_faces(7000)
    model = loop.train(recipe, faces, folder)
    asked = faces.split("PublicTest")
    return float(np.mean(loop.predict_logits(model, asked.pixels)[0].argmax(1) == asked.labels)), 0.0, 0.0


if __name__ == "__main__":
    print(*{"resume": resume, "norm": compared, "learn": learn}[sys.argv[1]](Path(sys.argv[2])))
