"""The tensors inside an ONNX graph: their names in order, and how one of them becomes an output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mien.errors import ModelError, nearest
from mien.models import wire
from mien.models.file import GRAPH, ModelSource, damaged, name_of, read_model

#: Field numbers of GraphProto, NodeProto and ValueInfoProto in onnx.proto.
_NODE, _OUTPUT = 1, 12
_NODE_OUTPUT, _NODE_NAME, _NODE_OP = 2, 3, 4
_VALUE_NAME = 1


class Tensor(NamedTuple):
    """A tensor inside a graph: its name, and the operation (``Conv``, ``MaxPool``, ...) and node that make it."""

    name: str
    op: str
    node: str


def inner_tensors(model: ModelSource) -> tuple[Tensor, ...]:
    """Every tensor the graph computes, outputs included, in the order of computation; constants are left out."""
    raw = read_model(model)
    try:
        return tuple(tensor for node in _in_graph(raw, _NODE) for tensor in _made_by(node) if tensor.op != "Constant")
    except (wire.Torn, UnicodeDecodeError) as error:
        raise damaged(name_of(model), str(error)) from error


def with_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """The same model with these inner tensors as further outputs.

    Protobuf merges a message that is written twice, so a second graph that holds nothing but outputs is appended.
    ONNX Runtime finds their shapes and types by itself.
    """
    outputs = _outputs(model)
    _check(names := tuple(names), [tensor.name for tensor in inner_tensors(model)])
    added = [wire.pack(_OUTPUT, wire.pack(_VALUE_NAME, name)) for name in dict.fromkeys(names) if name not in outputs]
    return model + wire.pack(GRAPH, b"".join(added)) if added else model


def _check(names: tuple[str, ...], known: list[str]) -> None:
    for name in names:
        if name not in known:
            hint = nearest(name, known) or "mien.models.inner_tensors(model) lists them"
            raise ModelError(f"The model has no tensor '{name}'", "Expected the name of a tensor in its graph", hint)


def _outputs(model: bytes) -> set[str]:
    return {wire.text(name) for output in _in_graph(model, _OUTPUT) for name in wire.messages(output, _VALUE_NAME)}


def _in_graph(model: bytes, number: int) -> Iterator[memoryview]:
    for graph in wire.messages(model, GRAPH):
        yield from wire.messages(graph, number)


def _made_by(node: memoryview) -> Iterator[Tensor]:
    name, op = ("".join(map(wire.text, wire.messages(node, number))) for number in (_NODE_NAME, _NODE_OP))
    outputs = map(wire.text, wire.messages(node, _NODE_OUTPUT))
    return (Tensor(output, op, name) for output in outputs if output)
