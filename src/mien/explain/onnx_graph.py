"""The nodes and constants of an ONNX graph, read from the file itself: the onnx package is not asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.models import protobuf
from mien.models.onnx_file import GRAPH, ModelSource, damaged, name_of, read_model

Array = NDArray[Any]

#: Field numbers in onnx.proto.
_GRAPH_NODE, _GRAPH_CONSTANT = 1, 5
_IN, _OUT, _NAME, _OP, _ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME = 1
_DIMS, _KIND, _FLOAT_DATA, _INT32_DATA, _INT64_DATA, _TENSOR_NAME, _RAW, _DOUBLE_DATA = 1, 2, 4, 5, 7, 8, 9, 10

#: TensorProto.DataType of the kinds that weights come in.
_KINDS: Mapping[int, Any] = {
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
    """One operation: ``Conv`` or ``Relu``, the tensors it takes and makes, and how it is set."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class OnnxGraph:
    """A graph's nodes in order, and its constants by name, read when they are asked for."""

    def __init__(self, model: ModelSource) -> None:
        raw = read_model(model)
        try:
            graphs = list(protobuf.messages(raw, GRAPH))
            self.nodes = tuple(_node(each) for graph in graphs for each in protobuf.messages(graph, _GRAPH_NODE))
            stored = [each for graph in graphs for each in protobuf.messages(graph, _GRAPH_CONSTANT)]
            self._stored = {_word(each, _TENSOR_NAME): each for each in stored}
        except (protobuf.Torn, UnicodeDecodeError) as error:
            raise damaged(name_of(model), str(error)) from error

    @cached_property
    def makers(self) -> dict[str, OnnxNode]:
        """The node behind each tensor."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def takers(self) -> dict[str, list[OnnxNode]]:
        """The nodes that take each tensor."""
        taken: dict[str, list[OnnxNode]] = {}
        for node in self.nodes:
            for name in node.inputs:
                taken.setdefault(name, []).append(node)
        return taken

    @cached_property
    def varying(self) -> frozenset[str]:
        """The tensors that depend on the face: the input, which nobody makes or stores, and all that follows."""
        found: set[str] = set()
        for node in self.nodes:
            entries = {name for name in node.inputs if name and name not in self._stored and name not in self.makers}
            if entries or found.intersection(node.inputs):
                found |= entries | set(filter(None, node.outputs))
        return frozenset(found)

    def constant(self, name: str) -> Array | None:
        """The numbers behind a tensor that does not depend on the face (eight-bit ones as floats); None if it does."""
        if name in self._stored:
            return _array(self._stored[name])
        node = self.makers.get(name)
        if node is None or name in self.varying:
            return None
        if node.op == "Constant":
            told = (node.attributes.get(key) for key in ("value", "value_float", "value_int", "value_ints"))
            return next((np.asarray(each) for each in told if each is not None), None)
        found = [self.constant(each) for each in node.inputs if each]
        known = [each for each in found if each is not None]
        return _computed(node, known) if found and len(known) == len(found) else None


def _computed(node: OnnxNode, found: list[Array]) -> Array | None:
    match node.op:
        case "DequantizeLinear":
            return dequantize(found[0], found[1], found[2] if len(found) > 2 else None, node.attributes.get("axis", 1))
        case "Identity" | "Cast":
            return found[0]
        case "Transpose":
            return found[0].transpose(node.attributes.get("perm"))
    return None


def dequantize(values: Array, scale: Array, zero: Array | None, axis: int = 1) -> NDArray[np.float32]:
    """What ``DequantizeLinear`` makes: float32, with one scale, or one for each place along ``axis``."""
    shape = [1] * values.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    origin = 0 if zero is None else zero.astype(np.int32).reshape(shape if zero.size > 1 else ())
    scales = scale.astype(np.float32).reshape(shape if scale.size > 1 else ())
    return np.asarray((values.astype(np.int32) - origin) * scales, np.float32)


def _node(message: memoryview) -> OnnxNode:
    attributes = dict(_attribute(each) for each in protobuf.messages(message, _ATTRIBUTE))
    inputs, outputs = (tuple(map(protobuf.text, protobuf.messages(message, number))) for number in (_IN, _OUT))
    return OnnxNode(_word(message, _OP), _word(message, _NAME), inputs, outputs, attributes)


def _attribute(message: memoryview) -> tuple[str, Any]:
    """Its name and its value, in whichever of the fields for values there is something."""
    there = {field.number for field in protobuf.fields(message)}
    values = [read(message) for number, read in _VALUES.items() if number in there]
    return _word(message, _ATTRIBUTE_NAME), values[0] if values else None


#: How the value of an attribute is read, by the field it stands in: f, i, s, t, floats, ints.
_VALUES: Mapping[int, Callable[[memoryview], Any]] = {
    2: lambda message: float(_packed(message, 2, "<f4")[0]),
    3: lambda message: next(protobuf.numbers(message, 3)),
    4: lambda message: bytes(next(protobuf.messages(message, 4))).decode("utf-8", "replace"),
    5: lambda message: _array(next(protobuf.messages(message, 5))),
    7: lambda message: _packed(message, 7, "<f4").tolist(),
    8: lambda message: list(protobuf.numbers(message, 8)),
}


def _array(message: memoryview) -> Array | None:
    """A TensorProto's numbers; None for words, and where the numbers lie in another file."""
    kind = _KINDS.get(next(protobuf.numbers(message, _KIND), 0))
    shape = tuple(protobuf.numbers(message, _DIMS))
    if kind is None:
        return None
    if raw := next(protobuf.messages(message, _RAW), None):
        found = np.frombuffer(raw, np.dtype(kind).newbyteorder("<"))
    else:
        found = _typed(message, kind)
    return found.reshape(shape) if found.size == math.prod(shape) else None


def _typed(message: memoryview, kind: Any) -> Array:
    if kind in (np.float32, np.float64):
        return _packed(
            message, _FLOAT_DATA if kind is np.float32 else _DOUBLE_DATA, "<f4" if kind is np.float32 else "<f8"
        )
    numbers = np.array(list(protobuf.numbers(message, _INT64_DATA if kind is np.int64 else _INT32_DATA)), np.int64)
    return numbers.astype(np.uint16).view(np.float16) if kind is np.float16 else numbers.astype(kind)


def _packed(message: memoryview, number: int, kind: str) -> Array:
    """Fixed-width numbers, one to a field or packed: either way the contents, end to end, are the numbers."""
    return np.frombuffer(b"".join(bytes(each) for each in protobuf.messages(message, number)), kind)


def _word(message: memoryview, number: int) -> str:
    return "".join(map(protobuf.text, protobuf.messages(message, number)))
