"""Explanations with given layers, built without a network."""

import numpy as np

from mien.explain import Explanation
from mien.explain.explanation import Layer
from mien.results import Emotions, Score


def make_layer(activations, name="wide", kind="conv", zero_activation=0):
    activations = np.asarray(activations, np.float32)
    strength = np.abs(activations).reshape(len(activations), -1).mean(axis=1)
    order = tuple(np.argsort(-strength, kind="stable").tolist())
    return Layer(name, kind, activations.shape, activations, zero_activation, order, None, name)


def make_explanation(**fields):
    """An explanation of a model without a graph."""
    crop = np.full((48, 48), 90, np.uint8)
    emotions = Emotions((Score("happy", 0.7), Score("sad", 0.3)))
    defaults = {
        "crop": crop, "emotions": emotions, "target": "happy", "versus": None, "logits": (), "temperature": 1.0,
        "layers": (), "maps": (), "regions": (), "region_map": np.zeros((48, 48), np.uint8),
    }  # fmt: skip
    return Explanation(**{**defaults, **fields})
