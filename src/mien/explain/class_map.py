"""The end of a network: how its shares are made of the last layer, found by walking back from the output."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import ReceptiveField
from mien.explain.onnx_graph import OnnxGraph, OnnxNode

#: Operations that hand on what they take, but for its shape and rounding.
_HANDS_ON = ("Identity", "Flatten", "Reshape", "Squeeze", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, eq=False)
class PooledHead:
    """A head of the form ``mean of maps @ weights + bias``.

    ``maps`` is the tensor before the global average pooling; ``weights`` are float32 ``(channels, labels)``, ``bias``
    is ``(labels,)``.
    """

    maps: str
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SoftmaxHead:
    """``logits`` is the tensor that goes into the softmax; ``pooled`` is None where they are made in another way."""

    logits: str
    pooled: PooledHead | None = None


def find_head(graph: OnnxGraph, output: str) -> SoftmaxHead | None:
    """The head behind an output; None where no softmax makes it."""
    softmax = _behind(graph, output)
    if softmax is None or softmax.op != "Softmax":
        return None
    logits = softmax.inputs[0]
    dense = _dense(graph, logits)
    maps = None if dense is None else _before_pooling(graph, dense[0])
    return SoftmaxHead(logits, None if dense is None or maps is None else PooledHead(maps, *dense[1:]))


def _behind(graph: OnnxGraph, tensor: str) -> OnnxNode | None:
    """The node that makes a tensor, seen through those that only hand on."""
    node = graph.makers.get(tensor)
    while node is not None and node.op in _HANDS_ON:
        node = graph.makers.get(node.inputs[0])
    return node


def _dense(graph: OnnxGraph, logits: str) -> tuple[str, NDArray[np.float32], NDArray[np.float32]] | None:
    """What the last dense layer takes, its weights and its bias; scalings between it and the softmax taken in."""
    node = _behind(graph, logits)
    if node is None:
        return None
    if node.op == "Gemm":
        return _gemm(graph, node)
    if node.op == "MatMul":
        weights = graph.constant(node.inputs[1])
        return None if weights is None else (node.inputs[0], _floats(weights), _floats(np.zeros(weights.shape[1])))
    return _changed(graph, node)


def _gemm(graph: OnnxGraph, node: OnnxNode) -> tuple[str, NDArray[np.float32], NDArray[np.float32]] | None:
    weights = graph.constant(node.inputs[1])
    if weights is None or node.attributes.get("transA"):
        return None
    weights = weights.T if node.attributes.get("transB") else weights
    bias = graph.constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(weights.shape[1])
    if bias is None:
        return None
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    return node.inputs[0], _floats(weights * alpha), _floats(np.broadcast_to(bias * beta, weights.shape[1:]))


def _changed(graph: OnnxGraph, node: OnnxNode) -> tuple[str, NDArray[np.float32], NDArray[np.float32]] | None:
    """A dense layer with its bias, or its temperature, in a node of its own."""
    constants = [graph.constant(name) for name in node.inputs]
    if node.op not in ("Add", "Mul", "Div") or len(constants) != 2 or sum(c is None for c in constants) != 1:
        return None
    if node.op == "Div" and constants[1] is None:
        return None
    place = 0 if constants[0] is None else 1
    other, below = constants[1 - place], _dense(graph, node.inputs[place])
    if below is None or other is None:
        return None
    pooled, weights, bias = below
    if node.op == "Add":
        return pooled, weights, _floats(bias + other.reshape(-1))
    factor = other.reshape(-1) if node.op == "Mul" else 1 / other.reshape(-1)
    return pooled, _floats(weights * factor), _floats(bias * factor)


def _before_pooling(graph: OnnxGraph, pooled: str) -> str | None:
    node = _behind(graph, pooled)
    if node is None or not (node.op == "GlobalAveragePool" or _over_places(graph, node)):
        return None
    # The rounding to eight bits is no layer: the maps before it are the same but for that.
    return node.inputs[0]


def _over_places(graph: OnnxGraph, node: OnnxNode) -> bool:
    """Is it a mean over height and width?"""
    told = node.attributes.get("axes")
    if told is None and len(node.inputs) > 1:
        constant = graph.constant(node.inputs[1])
        told = None if constant is None else constant.tolist()
    return node.op == "ReduceMean" and told is not None and sorted(axis % 4 for axis in told) in ([1, 2], [2, 3])


def _floats(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


# ==== mien.explain.cam
# Exact class activation maps: weights times feature maps, for networks that end in global average pooling.


def compute_class_map(
    pooled: PooledHead, maps: NDArray[np.float32], target: int, versus: int | None
) -> NDArray[np.float32]:
    """What each place ``(h, w)`` adds to the target's logit, against ``versus`` or against the mean of all labels.

    The mean over all places, and the bias in the same way, make the difference of the logits exactly. Without a rival
    the mean is taken away because a softmax does not see what all labels share.
    """
    weights = pooled.weights
    rival = weights.mean(axis=1) if versus is None else weights[:, versus]
    return np.asarray(np.tensordot(weights[:, target] - rival, maps, axes=1), np.float32)


def project_to_crop(coarse: NDArray[np.float32], receptive_field: ReceptiveField, side: int) -> NDArray[np.float32]:
    """A map of places ``(h, w)`` laid over the crop ``(side, side)``, each place where the middle of its view is."""
    columns, rows = (
        ((np.arange(side) - at) / receptive_field.stride).astype(np.float32)
        for at in (receptive_field.offset_x, receptive_field.offset_y)
    )
    across = np.broadcast_to(np.clip(columns, 0, coarse.shape[1] - 1), (side, side))
    down = np.broadcast_to(np.clip(rows, 0, coarse.shape[0] - 1)[:, None], (side, side))
    laid = cv2.remap(
        np.ascontiguousarray(coarse, np.float32),
        np.ascontiguousarray(across),
        np.ascontiguousarray(down),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # Straight lines between few places show as creases; half a place of blur takes them out and moves nothing.
    return np.asarray(
        cv2.GaussianBlur(laid, (0, 0), max(receptive_field.stride / 3, 0.3), borderType=cv2.BORDER_REPLICATE)
    )
