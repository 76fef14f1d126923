"""The gradient of a function of arrays, by whichever backend Keras runs on."""

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

#: Rows -> one number for each row, in the backend's own tensors.
Score = Callable[[Any], Any]


def compute_gradient(score: Score, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gradient of each row's score by that row, in the shape of ``rows``."""
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise ExperimentError(f"Keras runs on {backend}", f"gradients are taken on {', '.join(_BACKENDS)}", "")
    return np.asarray(_BACKENDS[backend](score, np.ascontiguousarray(rows, np.float32)), np.float32)


def _tensorflow(score: Score, rows: NDArray[np.float32]) -> Any:
    import tensorflow as tf

    given = tf.convert_to_tensor(rows)
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(score(given))
    return tape.gradient(total, given).numpy()


def _torch(score: Score, rows: NDArray[np.float32]) -> Any:
    import torch

    given = torch.tensor(rows, device=keras.src.backend.torch.core.get_device(), requires_grad=True)
    score(given).sum().backward()
    return given.grad.cpu().numpy()


def _jax(score: Score, rows: NDArray[np.float32]) -> Any:
    import jax

    return jax.grad(lambda given: score(given).sum())(rows)


_BACKENDS: dict[str, Callable[[Score, NDArray[np.float32]], Any]] = {
    "tensorflow": _tensorflow,
    "torch": _torch,
    "jax": _jax,
}


# ==== mien.lab.gradients
# Where a Keras net looked, by its gradients: Grad-CAM, Layer-CAM, integrated gradients and SmoothGrad.
#
# For any net of the laboratory, and any Keras model that takes raw faces ``(N, side, side, channels)``. The maps are the
# same kind, :class:`mien.explain.Saliency`, that the engine draws without gradients.

Array = NDArray[np.float32]
Face = NDArray[np.uint8]

#: Steps on the way from the blurred face to the face, for integrated gradients.
STEPS = 32

#: Noisy copies of the face for SmoothGrad, and their noise in gray values.
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
    """The evidence for ``target`` (the leading label, if none is named), against ``versus`` if one is.

    ``crop`` is ``(H, W)`` or ``(H, W, 3)`` uint8. ``layer`` names the layer whose maps Grad-CAM and Layer-CAM weigh;
    without it, the last that has places.
    """
    if method not in GRADIENT_METHODS:
        hint = suggest_name(method, GRADIENT_METHODS) or "Those that need no gradients are engine.explain's"
        raise ExperimentError(
            f"There is no method '{method}'", f"with gradients there are {', '.join(GRADIENT_METHODS)}", hint
        )
    face = _input(model, crop)
    model = keras.Model(model.inputs[0], model.outputs)  # however its input was declared
    answers = _first(model(face[None].astype(np.float32), training=False))
    _refuse_other_labels(answers, labels)
    question = resolve_target(labels, target or labels[int(answers[0].argmax())], versus, seed)
    found, how = _METHODS[method](model, face, question, layer)
    rival = None if question.versus is None else labels[question.versus]
    drawn = found if rival is not None else np.maximum(found, 0)
    seeded = seed if method == "smoothgrad" else None
    return Saliency(freeze_map(drawn), labels[question.target], method, rival, how, seeded)


def _grad_cam(
    model: keras.Model, face: Face, question: ExplanationTarget, layer: str | None
) -> tuple[Array, dict[str, Any]]:
    """Each map by its mean gradient."""
    chosen, maps, slopes = _at_layer(model, face, question, layer)
    coarse = np.tensordot(maps, slopes.mean(axis=(0, 1)), axes=1)
    return _enlarged(coarse, face), {"layer": chosen}


def _layer_cam(
    model: keras.Model, face: Face, question: ExplanationTarget, layer: str | None
) -> tuple[Array, dict[str, Any]]:
    """Each place of each map by its own gradient, where that speaks for the target."""
    chosen, maps, slopes = _at_layer(model, face, question, layer)
    signed = slopes if question.versus is not None else np.maximum(slopes, 0)
    return _enlarged((maps * signed).sum(axis=2), face), {"layer": chosen}


def _integrated(
    model: keras.Model, face: Face, question: ExplanationTarget, _: str | None
) -> tuple[Array, dict[str, Any]]:
    """What each pixel adds on the way from the blurred face to the face; in all, the difference of the scores."""
    start, change = blur_face(face).astype(np.float32), face.astype(np.float32) - blur_face(face)
    parts = (np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS
    slopes = compute_gradient(_score(model, question), start + parts[:, None, None, None] * change)
    return (slopes.mean(axis=0) * change).sum(axis=2), {"steps": STEPS, "from": "the blurred face"}


def _smooth(model: keras.Model, face: Face, question: ExplanationTarget, _: str | None) -> tuple[Array, dict[str, Any]]:
    """The gradient at noisy copies of the face; its strength, or, of a contrast, its part of the face's features."""
    noise = np.random.default_rng(question.seed).normal(0, NOISE, (COPIES, *face.shape)).astype(np.float32)
    mean = compute_gradient(_score(model, question), face + noise).mean(axis=0)
    features = face.astype(np.float32) - blur_face(face)
    found = np.abs(mean).sum(axis=2) if question.versus is None else (mean * features).sum(axis=2)
    return cv2.GaussianBlur(found, (0, 0), 1.0), {"copies": COPIES, "noise": NOISE}


_METHODS: dict[str, Callable[[keras.Model, Face, ExplanationTarget, str | None], tuple[Array, dict[str, Any]]]] = {
    "grad-cam": _grad_cam,
    "layer-cam": _layer_cam,
    "integrated-gradients": _integrated,
    "smoothgrad": _smooth,
}


def _at_layer(
    model: keras.Model, face: Face, question: ExplanationTarget, name: str | None
) -> tuple[str, Array, Array]:
    """The layer's name, its maps ``(h, w, channels)`` on the face, and the gradients of the score there."""
    layer = _layer(model, name)
    pixels = face[None].astype(np.float32)
    maps = np.asarray(keras.ops.convert_to_numpy(keras.Model(model.inputs[0], layer.output)(pixels, training=False)))
    behind = keras.Model(layer.output, model.outputs)
    return layer.name, maps[0], compute_gradient(_score(behind, question), maps.astype(np.float32))[0]


def _layer(model: keras.Model, name: str | None) -> keras.Layer:
    """The layer of that name, or the last that has places."""
    placed = [each for each in model.layers if _has_places(each)]
    if name is None and placed:
        return placed[-1]
    known = {each.name: each for each in placed}
    if name not in known:
        happened = f"The net has no layer '{name}' with places" if name else "The net has no layer with places"
        raise ExperimentError(happened, f"it has {', '.join(known) or 'none'}", suggest_name(name or "", known))
    return known[name]


def _has_places(layer: keras.Layer) -> bool:
    shape = getattr(getattr(layer, "output", None), "shape", ())
    return len(shape) == 4 and (shape[1] or 0) > 1


def _score(model: keras.Model, question: ExplanationTarget) -> Callable[[Any], Any]:
    """Faces or maps -> for each the target's logit, less its rival's; of a net that ends in softmax, its logarithm."""
    ends = getattr(model.outputs[0]._keras_history.operation, "activation", None)
    logarithm = getattr(ends, "__name__", "linear") == "softmax"

    def score(given: Any) -> Any:
        answers = keras.tree.flatten(model(given, training=False))[0]
        answers = keras.ops.log(answers + 1e-7) if logarithm else answers
        return answers[:, question.target] - (0.0 if question.versus is None else answers[:, question.versus])

    return score


def _enlarged(coarse: NDArray[Any], face: Face) -> Array:
    side = face.shape[0]
    return np.asarray(cv2.resize(coarse.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR))


def _input(model: keras.Model, crop: Face) -> Face:
    shape = tuple(model.inputs[0].shape[1:])
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] not in (1, 3):
        raise ExperimentError(f"The net takes {shape}", "square faces (N, side, side, 1 or 3) were expected", "")
    return to_model_input(crop[None], shape[0], "gray" if shape[2] == 1 else "rgb")[0]


def _first(answers: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(keras.tree.flatten(answers)[0]))


def _refuse_other_labels(answers: Array, labels: Sequence[str]) -> None:
    if answers.shape[1] != len(labels):
        happened = f"The net answers {answers.shape[1]} numbers, and there are {len(labels)} labels"
        raise ExperimentError(happened, "a label for each was expected", "Pass labels=, in the order of its outputs")
