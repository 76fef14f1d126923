"""Experiments on the backend of KERAS_BACKEND, each in its own process; run by tests/training/test_backends.py.

``python one_backend.py resume|norm|learn FOLDER`` prints three numbers.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.training import loop, networks
from mien.training.callbacks import EpochEvent, TrainingStopped
from mien.training.plan import RunPlan
from mien.training.recipe import AugmentationSettings, NetworkSettings, Recipe, TrainingSettings

SHORT = Recipe(
    data=DataSettings(validation=7),
    net=NetworkSettings(width=4, depth=(1,), dropout=0.1),
    augment=AugmentationSettings(cutmix=0.3, mixup_until=1.0),
    training=TrainingSettings(epochs=2, batch_size=28, learning_rate=0.05, warmup=0.5, precision="float32", ema=0.9),
)


def resume(folder: Path) -> tuple[float, float, float]:
    """Largest difference of the weights between a resumed and an uninterrupted run; their change by the training."""
    faces, events = synthetic.draw_faces(140, seed=1), []
    uninterrupted = loop.train(RunPlan(SHORT, faces), folder / "uninterrupted").get_weights()

    def should_stop():
        return any(isinstance(event, EpochEvent) for event in events)

    try:
        loop.train(RunPlan(SHORT, faces), folder / "resumed", callback=events.append, should_stop=should_stop)
    except TrainingStopped:
        resumed = loop.train(RunPlan(SHORT, faces), folder / "resumed").get_weights()
    keras.utils.set_random_seed(SHORT.training.seed)
    initial = networks.build_recipe_network(SHORT, "float32").get_weights()
    return max_difference(uninterrupted, resumed), max_difference(uninterrupted, initial), 0.0


def max_difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in zip(one, other, strict=True))


def compare_norms(folder: Path) -> tuple[float, float, float]:
    """Differences between fused and stock normalisation: outputs, weights after a step, moving statistics."""
    inputs = np.random.default_rng(0).normal(3, 2, (16, 5, 5, 6)).astype(np.float32)
    targets = np.random.default_rng(1).normal(0, 1, (16, 5, 5, 6)).astype(np.float32)
    results = []
    for kind in (networks.FusedNorm, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9)
        model = keras.Sequential([keras.Input((5, 5, 6)), layer])
        outputs = keras.ops.convert_to_numpy(model(inputs, training=False))
        model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=False)
        model.train_on_batch(inputs, targets)
        results.append((outputs, [np.asarray(each) for each in layer.weights]))
    (fused, weights), (stock, others) = results
    statistics = max_difference(weights[2:], others[2:])
    return float(np.abs(fused - stock).max()), max_difference(weights[:2], others[:2]), statistics


def learn(folder: Path) -> tuple[float, float, float]:
    """The accuracy on PublicTest of the recipe for synthetic faces."""
    recipe = Recipe.read(Path(__file__).parents[2] / "recipes" / "synthetic.toml")
    faces = synthetic.draw_faces(7000)
    model = loop.train(RunPlan(recipe, faces), folder)
    test = faces.split("PublicTest")
    return float(np.mean(loop.predict_logits(model, test.pixels)[0].argmax(1) == test.labels)), 0.0, 0.0


if __name__ == "__main__":
    print(*{"resume": resume, "norm": compare_norms, "learn": learn}[sys.argv[1]](Path(sys.argv[2])))
