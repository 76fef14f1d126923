"""The gradient of a function of arrays, by whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError

#: Rows -> one number for each row, in the backend's own tensors.
Score = Callable[[Any], Any]


def gradient(score: Score, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gradient of each row's score by that row, in the shape of ``rows``."""
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise LabError(f"Keras runs on {backend}", f"gradients are taken on {', '.join(_BACKENDS)}", "")
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
