"""The head of a network, located by walking back from the output; and exact class activation maps (CAM)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import ReceptiveField
from mien.explain.onnx_graph import OnnxGraph, OnnxNode

#: Operations that change nothing but the shape or the rounding of their input.
_PASS_THROUGH = ("Identity", "Flatten", "Reshape", "Squeeze", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear")


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
    """``logits`` is the input tensor of the softmax; ``pooled`` is None for a head of another form."""

    logits: str
    pooled: PooledHead | None = None


@dataclass(frozen=True, eq=False)
class _Dense:
    """The input tensor, the weights and the bias of a dense layer."""

    source: str
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def find_head(graph: OnnxGraph, output: str) -> SoftmaxHead | None:
    """The head of an output; None if the output does not come from a softmax."""
    softmax = _producer(graph, output)
    if softmax is None or softmax.op != "Softmax":
        return None
    logits = softmax.inputs[0]
    dense = _find_dense(graph, logits)
    pooling = None if dense is None else _producer(graph, dense.source)
    if dense is None or pooling is None or not _is_global_average(graph, pooling):
        return SoftmaxHead(logits)
    return SoftmaxHead(logits, PooledHead(pooling.inputs[0], dense.weights, dense.bias))


def _producer(graph: OnnxGraph, tensor: str) -> OnnxNode | None:
    """The node that computes a tensor, apart from pass-through operations."""
    node = graph.producers.get(tensor)
    while node is not None and node.op in _PASS_THROUGH:
        node = graph.producers.get(node.inputs[0])
    return node


def _find_dense(graph: OnnxGraph, logits: str) -> _Dense | None:
    """The last dense layer, including scalings between it and the softmax."""
    node = _producer(graph, logits)
    if node is None:
        return None
    if node.op == "Gemm":
        return _read_gemm(graph, node)
    if node.op == "MatMul":
        weights = graph.constant(node.inputs[1])
        return None if weights is None else _Dense(node.inputs[0], _float32(weights), np.zeros(weights.shape[1], "f4"))
    return _fold_constant(graph, node)


def _read_gemm(graph: OnnxGraph, node: OnnxNode) -> _Dense | None:
    weights = graph.constant(node.inputs[1])
    if weights is None or node.attributes.get("transA"):
        return None
    weights = weights.T if node.attributes.get("transB") else weights
    bias = graph.constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(weights.shape[1])
    if bias is None:
        return None
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    return _Dense(node.inputs[0], _float32(weights * alpha), _float32(np.broadcast_to(bias * beta, weights.shape[1:])))


def _fold_constant(graph: OnnxGraph, node: OnnxNode) -> _Dense | None:
    """A dense layer whose bias or temperature is a separate node."""
    constants = [graph.constant(name) for name in node.inputs]
    if node.op not in ("Add", "Mul", "Div") or len(constants) != 2 or sum(c is None for c in constants) != 1:
        return None
    if node.op == "Div" and constants[1] is None:
        return None
    variable = 0 if constants[0] is None else 1
    constant, dense = constants[1 - variable], _find_dense(graph, node.inputs[variable])
    if dense is None or constant is None:
        return None
    if node.op == "Add":
        return _Dense(dense.source, dense.weights, _float32(dense.bias + constant.reshape(-1)))
    factor = constant.reshape(-1) if node.op == "Mul" else 1 / constant.reshape(-1)
    return _Dense(dense.source, _float32(dense.weights * factor), _float32(dense.bias * factor))


def _is_global_average(graph: OnnxGraph, node: OnnxNode) -> bool:
    """Is the node a mean over height and width?"""
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1:
        constant = graph.constant(node.inputs[1])
        axes = None if constant is None else constant.tolist()
    reduces = node.op == "ReduceMean" and axes is not None and sorted(axis % 4 for axis in axes) in ([1, 2], [2, 3])
    return node.op == "GlobalAveragePool" or reduces


def _float32(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def compute_class_map(
    pooled: PooledHead, maps: NDArray[np.float32], target: int, versus: int | None
) -> NDArray[np.float32]:
    """What each position of ``maps (channels, h, w)`` adds to the target's logit, ``(h, w)``.

    The logit is relative to that of ``versus``, or to the mean of all labels: a softmax does not depend on what is
    common to all labels. The mean of the map, plus the difference of the biases, is exactly the difference of the
    logits.
    """
    weights = pooled.weights
    reference = weights.mean(axis=1) if versus is None else weights[:, versus]
    return np.asarray(np.tensordot(weights[:, target] - reference, maps, axes=1), np.float32)


def project_to_crop(class_map: NDArray[np.float32], field: ReceptiveField, side: int) -> NDArray[np.float32]:
    """A map ``(h, w)`` interpolated to the crop ``(side, side)``: each value at the centre of its receptive field."""
    rows, columns = (
        ((np.arange(side) - offset) / field.stride).astype("f4") for offset in (field.offset_y, field.offset_x)
    )
    map_x = np.broadcast_to(np.clip(columns, 0, class_map.shape[1] - 1), (side, side))
    map_y = np.broadcast_to(np.clip(rows, 0, class_map.shape[0] - 1)[:, None], (side, side))
    projected = cv2.remap(
        np.ascontiguousarray(class_map, np.float32),
        np.ascontiguousarray(map_x),
        np.ascontiguousarray(map_y),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # Linear interpolation between few values has visible edges: a blur of a third of the stride removes them.
    return np.asarray(cv2.GaussianBlur(projected, (0, 0), max(field.stride / 3, 0.3), borderType=cv2.BORDER_REPLICATE))
