"""Small networks with weights away from their initial values, and a calibration for their export."""

import keras
import numpy as np

from mien.datasets import synthetic
from mien.evaluation.calibration import Calibration
from mien.training import networks
from mien.training.recipe import NetworkSettings, Recipe
from mien.datasets.splits import DataSettings

FITTED = Calibration({"shares": 1.3, "votes": 0.8}, 0.4, 0.25)


RECIPE = Recipe(name="tiny", data=DataSettings(validation=35), net=NetworkSettings(width=4, depth=(1, 2)))


def seasoned(net):
    """A net away from its first weights, whose norms have seen faces, so that signals neither die nor grow."""
    keras.utils.set_random_seed(0)  # other first weights may tell faces apart less
    model, rng = networks.build_network(net), np.random.default_rng(0)
    for each in model.weights:
        if len(each.shape) == 1:
            each.assign(each + rng.uniform(0.05, 0.3, each.shape).astype(np.float32))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(synthetic.draw_faces(28, seed=3).pixels[..., None].astype(np.float32), training=True)
    return model
