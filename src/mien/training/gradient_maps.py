"""Saliency maps by gradients: Grad-CAM, Layer-CAM, integrated gradients and SmoothGrad.

For every network of mien, and every Keras model that takes raw faces ``(N, side, side, channels)``. The maps are
:class:`mien.explain.Saliency`, as those that the engine computes without gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import ExperimentError, suggest_name
from mien.explain import Saliency
from mien.explain.activations import freeze_map
from mien.explain.explanation import GRADIENT_METHODS, ExplanationTarget, resolve_target
from mien.explain.perturbation import blur_face
from mien.faces.crop import to_model_input
from mien.labels import EMOTIONS

#: (N, ...) -> one number for each row (N,), in tensors of the backend.
Score = Callable[[Any], Any]


def compute_gradient(score: Score, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gradient of the score of each row with respect to the row, in the shape of ``rows``."""
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise ExperimentError(f"Keras uses {backend}", f"one of {', '.join(_BACKENDS)} was expected")
    return np.asarray(_BACKENDS[backend](score, np.ascontiguousarray(rows, np.float32)), np.float32)


def _tensorflow(score: Score, rows: NDArray[np.float32]) -> Any:
    import tensorflow as tf

    tensor = tf.convert_to_tensor(rows)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        total = tf.reduce_sum(score(tensor))
    return tape.gradient(total, tensor).numpy()


def _torch(score: Score, rows: NDArray[np.float32]) -> Any:
    import torch

    tensor = torch.tensor(rows, device=keras.src.backend.torch.core.get_device(), requires_grad=True)
    score(tensor).sum().backward()
    return tensor.grad.cpu().numpy()


def _jax(score: Score, rows: NDArray[np.float32]) -> Any:
    import jax

    return jax.grad(lambda tensor: score(tensor).sum())(rows)


_BACKENDS: dict[str, Callable[[Score, NDArray[np.float32]], Any]] = {
    "tensorflow": _tensorflow,
    "torch": _torch,
    "jax": _jax,
}


Array = NDArray[np.float32]
Face = NDArray[np.uint8]
#: An evidence map (H, W), and the options of the method.
Evidence = tuple[Array, dict[str, Any]]

#: Steps of integrated gradients from the blurred face, the baseline, to the face.
STEPS = 32

#: Noisy copies of the face for SmoothGrad, and the standard deviation of the noise in gray values.
COPIES, NOISE = 24, 20.0


def explain_with_gradients(
    model: keras.Model,
    crop: Face,
    method: str,
    target: str | None = None,
    versus: str | None = None,
    *,
    labels: Sequence[str] = EMOTIONS,
    layer: str | None = None,
    seed: int = 0,
) -> Saliency:
    """The evidence for ``target`` (default: the leading label), or for it compared with ``versus``.

    ``crop`` is ``(H, W)`` or ``(H, W, 3)`` uint8. ``layer`` is the layer of Grad-CAM and Layer-CAM (default: the last
    one with feature maps).
    """
    if method not in GRADIENT_METHODS:
        hint = suggest_name(method, GRADIENT_METHODS) or "Methods without gradients are in engine.explain"
        raise ExperimentError(
            f"There is no method '{method}'", f"one of {', '.join(GRADIENT_METHODS)} was expected", hint
        )
    face = _to_input(model, crop)
    model = keras.Model(model.inputs[0], model.outputs)  # whatever structure the input had
    output = keras.tree.flatten(model(face[None].astype(np.float32), training=False))[0]
    scores = np.asarray(keras.ops.convert_to_numpy(output))
    if scores.shape[1] != len(labels):
        happened = f"The network has {scores.shape[1]} outputs, and there are {len(labels)} labels"
        raise ExperimentError(happened, "one label for each output was expected", "Pass labels=, in their order")
    resolved = resolve_target(labels, target or labels[int(scores[0].argmax())], versus, seed)
    evidence, options = _METHODS[method](model, face, resolved, layer)
    versus_label = None if resolved.versus is None else labels[resolved.versus]
    evidence = np.maximum(evidence, 0) if versus_label is None else evidence
    random_seed = seed if method == "smoothgrad" else None
    return Saliency(freeze_map(evidence), labels[resolved.target], method, versus_label, options, random_seed)


def _grad_cam(model: keras.Model, face: Face, target: ExplanationTarget, layer: str | None) -> Evidence:
    """Each feature map weighted by its mean gradient."""
    name, maps, gradients = _compute_at_layer(model, face, target, layer)
    coarse = np.tensordot(maps, gradients.mean(axis=(0, 1)), axes=1)
    return _enlarge(coarse, face), {"layer": name}


def _layer_cam(model: keras.Model, face: Face, target: ExplanationTarget, layer: str | None) -> Evidence:
    """Each position of each feature map weighted by its own gradient, the positive ones without ``versus``."""
    name, maps, gradients = _compute_at_layer(model, face, target, layer)
    weights = gradients if target.versus is not None else np.maximum(gradients, 0)
    return _enlarge((maps * weights).sum(axis=2), face), {"layer": name}


def _integrated_gradients(model: keras.Model, face: Face, target: ExplanationTarget, _: str | None) -> Evidence:
    """The contribution of each pixel between the blurred face and the face; their sum is the difference of scores."""
    baseline, change = blur_face(face).astype(np.float32), face.astype(np.float32) - blur_face(face)
    fractions = (np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS
    gradients = compute_gradient(_make_score(model, target), baseline + fractions[:, None, None, None] * change)
    return (gradients.mean(axis=0) * change).sum(axis=2), {"steps": STEPS, "from": "the blurred face"}


def _smoothgrad(model: keras.Model, face: Face, target: ExplanationTarget, _: str | None) -> Evidence:
    """The mean gradient of noisy copies of the face: its absolute value, or with ``versus`` times the face's detail."""
    noise = np.random.default_rng(target.seed).normal(0, NOISE, (COPIES, *face.shape)).astype(np.float32)
    mean = compute_gradient(_make_score(model, target), face + noise).mean(axis=0)
    detail = face.astype(np.float32) - blur_face(face)
    evidence = np.abs(mean).sum(axis=2) if target.versus is None else (mean * detail).sum(axis=2)
    return cv2.GaussianBlur(evidence, (0, 0), 1.0), {"copies": COPIES, "noise": NOISE}


_METHODS: dict[str, Callable[[keras.Model, Face, ExplanationTarget, str | None], Evidence]] = {
    "grad-cam": _grad_cam,
    "layer-cam": _layer_cam,
    "integrated-gradients": _integrated_gradients,
    "smoothgrad": _smoothgrad,
}


def _compute_at_layer(
    model: keras.Model, face: Face, target: ExplanationTarget, name: str | None
) -> tuple[str, Array, Array]:
    """The name of the layer, its feature maps ``(h, w, channels)``, and the gradients of the score there."""
    layer = _select_layer(model, name)
    pixels = face[None].astype(np.float32)
    maps = np.asarray(keras.ops.convert_to_numpy(keras.Model(model.inputs[0], layer.output)(pixels, training=False)))
    rest = keras.Model(layer.output, model.outputs)
    return layer.name, maps[0], compute_gradient(_make_score(rest, target), maps.astype(np.float32))[0]


def _select_layer(model: keras.Model, name: str | None) -> keras.Layer:
    """The layer of that name, or the last one with feature maps."""
    layers = {each.name: each for each in model.layers if _has_feature_maps(each)}
    if name is None and layers:
        return list(layers.values())[-1]
    if name not in layers:
        quoted = f"'{name}' " if name else ""
        happened = f"The network has no layer {quoted}with feature maps"
        hint = suggest_name(name or "", layers)
        raise ExperimentError(happened, f"its layers with feature maps are {', '.join(layers) or 'none'}", hint)
    return layers[name]


def _has_feature_maps(layer: keras.Layer) -> bool:
    shape = getattr(getattr(layer, "output", None), "shape", ())
    return len(shape) == 4 and (shape[1] or 0) > 1


def _make_score(model: keras.Model, target: ExplanationTarget) -> Score:
    """The function from faces or feature maps to the logit of the target, minus that of ``versus``.

    Of a network that ends in softmax, the logarithm of the probability.
    """
    activation = getattr(model.outputs[0]._keras_history.operation, "activation", None)
    is_softmax = getattr(activation, "__name__", "linear") == "softmax"

    def score(rows: Any) -> Any:
        outputs = keras.tree.flatten(model(rows, training=False))[0]
        logits = keras.ops.log(outputs + 1e-7) if is_softmax else outputs
        return logits[:, target.target] - (0.0 if target.versus is None else logits[:, target.versus])

    return score


def _enlarge(coarse: NDArray[Any], face: Face) -> Array:
    side = face.shape[0]
    return np.asarray(cv2.resize(coarse.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR))


def _to_input(model: keras.Model, crop: Face) -> Face:
    shape = tuple(model.inputs[0].shape[1:])
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] not in (1, 3):
        raise ExperimentError(f"The network takes {shape}", "square faces (N, side, side, 1 or 3) were expected")
    return to_model_input(crop[None], shape[0], "gray" if shape[2] == 1 else "rgb")[0]
