"""Nodes and constants of an ONNX graph, read from the file without the onnx package."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.models import protobuf
from mien.models.onnx_file import GRAPH, ModelSource, damaged_file_error, describe_source, read_model

Array = NDArray[Any]

#: Field numbers in onnx.proto.
_GRAPH_NODE, _GRAPH_CONSTANT = 1, 5
_IN, _OUT, _NAME, _OP, _ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME = 1
_DIMS, _KIND, _FLOAT_DATA, _INT32_DATA, _INT64_DATA, _TENSOR_NAME, _RAW, _DOUBLE_DATA = 1, 2, 4, 5, 7, 8, 9, 10

#: NumPy types by TensorProto.DataType.
_TYPES: Mapping[int, Any] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """One operation, such as ``Conv``: the names of its input and output tensors, and its attributes."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class OnnxGraph:
    """The nodes of a graph in order, and its constants by name, decoded on access."""

    def __init__(self, model: ModelSource) -> None:
        raw = read_model(model)
        try:
            graphs = list(protobuf.read_messages(raw, GRAPH))
            self.nodes = tuple(
                _decode_node(each) for graph in graphs for each in protobuf.read_messages(graph, _GRAPH_NODE)
            )
            stored = [each for graph in graphs for each in protobuf.read_messages(graph, _GRAPH_CONSTANT)]
            self._stored = {_decode_text(each, _TENSOR_NAME): each for each in stored}
        except (protobuf.ProtobufError, UnicodeDecodeError) as error:
            raise damaged_file_error(describe_source(model), str(error)) from error

    @cached_property
    def producers(self) -> dict[str, OnnxNode]:
        """The node that computes each tensor."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def consumers(self) -> dict[str, list[OnnxNode]]:
        """The nodes that have each tensor as input."""
        consumers: dict[str, list[OnnxNode]] = {}
        for node in self.nodes:
            for name in node.inputs:
                consumers.setdefault(name, []).append(node)
        return consumers

    @cached_property
    def varying(self) -> frozenset[str]:
        """Tensors that depend on the face: the input, which is neither computed nor stored, and all that follow."""
        tensors: set[str] = set()
        for node in self.nodes:
            entries = {name for name in node.inputs if name and name not in self._stored and name not in self.producers}
            if entries or tensors.intersection(node.inputs):
                tensors |= entries | set(filter(None, node.outputs))
        return frozenset(tensors)

    def constant(self, name: str) -> Array | None:
        """The values of a tensor that does not depend on the face, dequantized; None if it depends on the face."""
        if name in self._stored:
            return _decode_tensor(self._stored[name])
        node = self.producers.get(name)
        if node is None or name in self.varying:
            return None
        if node.op == "Constant":
            values = (node.attributes.get(key) for key in ("value", "value_float", "value_int", "value_ints"))
            return next((np.asarray(each) for each in values if each is not None), None)
        inputs = [self.constant(each) for each in node.inputs if each]
        constants = [each for each in inputs if each is not None]
        return _evaluate(node, constants) if inputs and len(constants) == len(inputs) else None


def _evaluate(node: OnnxNode, inputs: list[Array]) -> Array | None:
    """The output of a node with constant inputs; None for operations that are not needed for weights."""
    match node.op:
        case "DequantizeLinear":
            zero_point = inputs[2] if len(inputs) > 2 else None
            return dequantize(inputs[0], inputs[1], zero_point, node.attributes.get("axis", 1))
        case "Identity" | "Cast":
            return inputs[0]
        case "Transpose":
            return inputs[0].transpose(node.attributes.get("perm"))
    return None


def dequantize(values: Array, scale: Array, zero_point: Array | None, axis: int = 1) -> NDArray[np.float32]:
    """The output of ``DequantizeLinear``, float32: one scale, or one for each index along ``axis``."""
    shape = [1] * values.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    origin = 0 if zero_point is None else zero_point.astype(np.int32).reshape(shape if zero_point.size > 1 else ())
    scales = scale.astype(np.float32).reshape(shape if scale.size > 1 else ())
    return np.asarray((values.astype(np.int32) - origin) * scales, np.float32)


def _decode_node(message: memoryview) -> OnnxNode:
    attributes = dict(_decode_attribute(each) for each in protobuf.read_messages(message, _ATTRIBUTE))
    inputs, outputs = (
        tuple(map(protobuf.decode_text, protobuf.read_messages(message, number))) for number in (_IN, _OUT)
    )
    return OnnxNode(_decode_text(message, _OP), _decode_text(message, _NAME), inputs, outputs, attributes)


def _decode_attribute(message: memoryview) -> tuple[str, Any]:
    """The name and the value, from whichever value field is present."""
    present = {field.number for field in protobuf.read_fields(message)}
    values = [decode(message) for number, decode in _ATTRIBUTE_VALUES.items() if number in present]
    return _decode_text(message, _ATTRIBUTE_NAME), values[0] if values else None


#: Decoders of an attribute's value by field number: f, i, s, t, floats, ints.
_ATTRIBUTE_VALUES: Mapping[int, Callable[[memoryview], Any]] = {
    2: lambda message: float(_decode_packed(message, 2, "<f4")[0]),
    3: lambda message: next(protobuf.read_integers(message, 3)),
    4: lambda message: bytes(next(protobuf.read_messages(message, 4))).decode("utf-8", "replace"),
    5: lambda message: _decode_tensor(next(protobuf.read_messages(message, 5))),
    7: lambda message: _decode_packed(message, 7, "<f4").tolist(),
    8: lambda message: list(protobuf.read_integers(message, 8)),
}


def _decode_tensor(message: memoryview) -> Array | None:
    """The values of a TensorProto; None for strings, and for values stored in another file."""
    dtype = _TYPES.get(next(protobuf.read_integers(message, _KIND), 0))
    shape = tuple(protobuf.read_integers(message, _DIMS))
    if dtype is None:
        return None
    if raw := next(protobuf.read_messages(message, _RAW), None):
        values = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<"))
    else:
        values = _decode_typed(message, dtype)
    return values.reshape(shape) if values.size == math.prod(shape) else None


def _decode_typed(message: memoryview, dtype: Any) -> Array:
    """Values in the field of their type, instead of raw bytes."""
    if dtype is np.float32:
        return _decode_packed(message, _FLOAT_DATA, "<f4")
    if dtype is np.float64:
        return _decode_packed(message, _DOUBLE_DATA, "<f8")
    numbers = np.array(
        list(protobuf.read_integers(message, _INT64_DATA if dtype is np.int64 else _INT32_DATA)), np.int64
    )
    return numbers.astype(np.uint16).view(np.float16) if dtype is np.float16 else numbers.astype(dtype)


def _decode_packed(message: memoryview, number: int, dtype: str) -> Array:
    """Numbers of fixed width, packed or one to a field: in both cases the contents of the fields, joined."""
    return np.frombuffer(b"".join(bytes(each) for each in protobuf.read_messages(message, number)), dtype)


def _decode_text(message: memoryview, number: int) -> str:
    return "".join(map(protobuf.decode_text, protobuf.read_messages(message, number)))
