"""A Keras net written as an ONNX graph by our own hand, so that every tensor has a name worth reading.

The graph takes ``faces`` uint8 (N, 48, 48, 1), raw, and answers ``shares`` (N, 7) and ``votes`` (N, 8), probabilities.
Inside, tensors are channels-first and named after the layers, with ``/`` between the parts: ``stage1/block2/relu``.
Batch normalisation that follows a convolution or dense layer is folded into it; dropout is gone; temperatures are
folded into the heads. Layers it does not know are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.errors import LabError
from mien.lab.writers import INPUT, OPERATIONS, WRITERS, one_input, tensor_name, write_dense

OPSET, IR = 17, 9


def onnx_model(model: keras.Model, temperatures: Mapping[str, float]) -> onnx.ModelProto:
    """The graph of a two-headed (or one-headed) net; ``temperatures`` by head divide its logits."""
    graph = Graph(temperatures)
    answers = [graph.head(head) for head in model.outputs]
    inputs = [_value(INPUT, TensorProto.UINT8, ("batch", *model.inputs[0].shape[1:]))]
    outputs = [
        _value(name, TensorProto.FLOAT, ("batch", head.shape[-1]))
        for name, head in zip(answers, model.outputs, strict=True)
    ]
    whole = helper.make_graph(graph.nodes, model.name, inputs, outputs, graph.tensors)
    proto = helper.make_model(
        whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="mien"
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _value(name: str, kind: int, shape: tuple[Any, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


class Graph:
    """Nodes and weights, gathered from the heads back to the input."""

    def __init__(self, temperatures: Mapping[str, float]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._made: dict[str, str | list[str]] = {}
        self._temperatures = temperatures

    def head(self, output: Any) -> str:
        """Probabilities under the head's own name; its logits stand before them."""
        layer = output._keras_history.operation
        before = self.tensor(one_input(layer))
        logits = write_dense(
            self, layer, before, f"{tensor_name(layer)}/logits", self._temperatures.get(layer.name, 1.0)
        )
        return self.node("Softmax", [logits], layer.name, axis=-1)

    def tensor(self, keras_tensor: Any) -> str:
        """The ONNX name of a Keras tensor, its nodes written first if they are not there yet."""
        layer, _, place = keras_tensor._keras_history
        if layer.name not in self._made:
            self._made[layer.name] = self._written(layer)
        made = self._made[layer.name]
        return made if isinstance(made, str) else made[place]

    def node(self, kind: str, inputs: list[str], name: str, **how: Any) -> str:
        """A node whose one output has its name."""
        return self.parts(kind, inputs, name, [name], **how)[0]

    def parts(self, kind: str, inputs: list[str], name: str, parts: list[str], **how: Any) -> list[str]:
        """A node with several outputs, each with a name of its own."""
        self.nodes.append(helper.make_node(kind, inputs, parts, name=name, **how))
        return parts

    def weight(self, name: str, array: Any) -> str:
        """A constant of the graph."""
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _written(self, layer: Any) -> str | list[str]:
        if isinstance(layer, keras.Operation) and type(layer).__name__ in OPERATIONS:
            return OPERATIONS[type(layer).__name__](self, layer)
        for kind, write in WRITERS.items():
            if isinstance(layer, kind):
                return write(self, layer)
        odd = f"The layer {layer.name} of kind {type(layer).__name__} cannot be exported"
        raise LabError(odd, "a layer of mien's nets was expected", "")
