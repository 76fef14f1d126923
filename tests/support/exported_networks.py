"""Small networks whose weights differ from their initial values, and a calibration for their export."""

from dataclasses import replace

import keras
import numpy as np

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.evaluation.calibration import Calibration
from mien.export.onnx import add_decision_head
from mien.labels import EMOTIONS
from mien.training import checkpoint, networks
from mien.training.recipe import NetworkSettings, Recipe

DECISION = {
    "votes": 1.5,
    "label": 0.25,
    "offsets": {label: 0.1 * index for index, label in enumerate(EMOTIONS)},
    "prior": {label: (1 + index) / 28 for index, label in enumerate(EMOTIONS)},
    "label_prior": dict.fromkeys(EMOTIONS, 1 / 7),
}
CALIBRATION = Calibration({"label": 1.3, "votes": 0.8}, 0.4, 0.25, DECISION)

RECIPE = Recipe(name="tiny", data=DataSettings(validation=35), net=NetworkSettings(width=4, depth=(1, 2)))


def make_network(settings, classes=7):
    """A network with random biases and normalisation statistics of faces, so that no signal vanishes or explodes."""
    keras.utils.set_random_seed(0)
    model, rng = networks.build_network(settings, classes=classes), np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(weight + rng.uniform(0.05, 0.3, weight.shape).astype(np.float32))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(synthetic.draw_faces(28, seed=3).pixels[..., None].astype(np.float32), training=True)
    return model


def finish_network(model, calibration=CALIBRATION):
    """The network with the heads of a file, their temperatures, and the calibration of a network with these heads."""
    if "votes" not in model.output_names:
        calibration = replace(calibration, temperatures={"label": calibration.temperatures["label"]}, decision={})
    return *add_decision_head(model, calibration, EMOTIONS), calibration


def write_finished_run(folder, recipe=RECIPE):
    """Write a finished run of such a network; the network."""
    model = make_network(recipe.net, len(recipe.data.classes))
    checkpoint.save_state(folder, model.get_weights(), recipe, [{"epoch": 1}])
    checkpoint.save_weights(folder, model)
    return model
