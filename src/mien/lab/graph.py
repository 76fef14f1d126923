"""A Keras net written as an ONNX graph by our own hand, so that every tensor has a name worth reading.

The graph takes ``faces`` uint8 (N, 48, 48, 1), raw, and answers ``shares`` (N, 7) and ``votes`` (N, 8), probabilities.
Inside, tensors are channels-first and named after the layers, with ``/`` between the parts: ``stage1/block2/relu``.
Batch normalisation that follows a convolution is folded into it; dropout is gone; temperatures are folded into the
heads. Layers it does not know are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import onnx
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from mien.errors import LabError

OPSET, IR = 17, 9
INPUT = "faces"


def onnx_model(model: keras.Model, temperatures: Mapping[str, float]) -> onnx.ModelProto:
    """The graph of a two-headed (or one-headed) net; ``temperatures`` by head divide its logits."""
    graph = _Graph(temperatures)
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


def tensor_name(layer: str) -> str:
    """What the tensor a Keras layer makes is called in the graph; Keras allows no ``/`` in names."""
    return layer.replace("_", "/")


class _Graph:
    """Nodes and weights, gathered from the heads back to the input."""

    def __init__(self, temperatures: Mapping[str, float]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._made: dict[str, str] = {}
        self._temperatures = temperatures

    def head(self, output: Any) -> str:
        """Probabilities under the head's own name; its logits stand before them."""
        layer = output._keras_history.operation
        logits = self._dense(layer, self.tensor(_input(layer)), self._temperatures.get(layer.name, 1.0), "/logits")
        return self.node("Softmax", [logits], layer.name, axis=-1)

    def tensor(self, keras_tensor: Any) -> str:
        """The ONNX name of a Keras tensor, its nodes written first if they are not there yet."""
        layer = keras_tensor._keras_history.operation
        if layer.name not in self._made:
            self._made[layer.name] = self._written(layer)
        return self._made[layer.name]

    def node(self, kind: str, inputs: list[str], name: str, **how: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **how))
        return name

    def weight(self, name: str, array: Any) -> str:
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _written(self, layer: keras.Layer) -> str:
        for kind, write in _WRITERS.items():
            if isinstance(layer, kind):
                return write(self, layer)
        raise LabError(
            f"The layer {layer.name} of kind {type(layer).__name__} cannot be exported", "a layer of mien's nets", ""
        )

    def _activated(self, name: str, layer: Any) -> str:
        kinds = {"linear": None, "relu": "Relu"}
        kind = kinds[layer.activation.__name__]
        return self.node(kind, [name], f"{name}/relu") if kind else name

    def _faces(self, layer: Any) -> str:
        """From uint8, channels last, to float32, channels first."""
        height, width, channels = layer.output.shape[1:]
        name = self.node("Cast", [INPUT], f"{INPUT}/float", to=TensorProto.FLOAT)
        if channels == 1:
            shape = self.weight(f"{INPUT}/shape", np.array([-1, 1, height, width], np.int64))
            return self.node("Reshape", [name, shape], f"{INPUT}/first")
        return self.node("Transpose", [name], f"{INPUT}/first", perm=[0, 3, 1, 2])

    def _rescaling(self, layer: Any) -> str:
        name = tensor_name(layer.name)
        scale = self.weight(f"{name}/scale", np.float32(layer.scale))
        offset = self.weight(f"{name}/offset", np.float32(layer.offset))
        scaled = self.node("Mul", [self.tensor(_input(layer)), scale], f"{name}/scaled")
        return self.node("Add", [scaled, offset], name)

    def _cropping(self, layer: Any) -> str:
        name, ((top, bottom), (left, right)) = tensor_name(layer.name), layer.cropping
        _, height, width, _ = _input(layer).shape
        bounds = {"starts": [top, left], "ends": [height - bottom, width - right], "axes": [2, 3]}
        inputs = [self.weight(f"{name}/{key}", np.array(value, np.int64)) for key, value in bounds.items()]
        return self.node("Slice", [self.tensor(_input(layer)), *inputs], name)

    def _conv(self, layer: Any, norm: Any = None) -> str:
        name = tensor_name(layer.name)
        kernel, bias = _folded(layer, norm)
        inputs = [self.tensor(_input(layer)), self.weight(f"{name}/kernel", kernel.transpose(3, 2, 0, 1))]
        inputs += [self.weight(f"{name}/bias", bias)]
        self.node("Conv", inputs, name, strides=list(layer.strides), **_window(layer, layer.kernel_size))
        return self._activated(name, layer)

    def _norm(self, layer: Any) -> str:
        before = _input(layer)._keras_history.operation
        alone = len(before._outbound_nodes) == 1
        if type(before) is layers.Conv2D and before.activation.__name__ == "linear" and alone:
            return self._conv(before, norm=layer)
        name = tensor_name(layer.name)
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        inputs = [self.weight(f"{name}/{part}", np.asarray(getattr(layer, part))) for part in parts]
        return self.node("BatchNormalization", [self.tensor(_input(layer)), *inputs], name, epsilon=layer.epsilon)

    def _relu(self, layer: Any) -> str:
        return self.node("Relu", [self.tensor(_input(layer))], tensor_name(layer.name))

    def _add(self, layer: Any) -> str:
        return self.node("Add", [self.tensor(each) for each in layer.input], tensor_name(layer.name))

    def _max_pooling(self, layer: Any) -> str:
        how = {"strides": list(layer.strides), **_window(layer, layer.pool_size)}
        return self.node("MaxPool", [self.tensor(_input(layer))], tensor_name(layer.name), **how)

    def _average_pooling(self, layer: Any) -> str:
        how = {"strides": list(layer.strides), "count_include_pad": 0, **_window(layer, layer.pool_size)}
        return self.node("AveragePool", [self.tensor(_input(layer))], tensor_name(layer.name), **how)

    def _global_pooling(self, layer: Any) -> str:
        name = tensor_name(layer.name)
        maps = self.node("GlobalAveragePool", [self.tensor(_input(layer))], f"{name}/maps")
        return self.node("Flatten", [maps], name)

    def _flatten(self, layer: Any) -> str:
        """In Keras's order, channels last, which the dense layer behind it has learnt."""
        name, before = tensor_name(layer.name), self.tensor(_input(layer))
        if len(_input(layer).shape) == 4:
            before = self.node("Transpose", [before], f"{name}/last", perm=[0, 2, 3, 1])
        return self.node("Flatten", [before], name)

    def _dense(self, layer: Any, before: str, temperature: float = 1.0, suffix: str = "") -> str:
        name = tensor_name(layer.name)
        kernel = self.weight(f"{name}/kernel", np.asarray(layer.kernel) / np.float32(temperature))
        bias = self.weight(f"{name}/bias", np.asarray(layer.bias) / np.float32(temperature))
        return self.node("Gemm", [before, kernel, bias], name + suffix)

    def _inner_dense(self, layer: Any) -> str:
        return self._activated(self._dense(layer, self.tensor(_input(layer))), layer)

    def _dropout(self, layer: Any) -> str:
        return self.tensor(_input(layer))


_WRITERS: dict[type, Callable[[_Graph, Any], str]] = {
    layers.InputLayer: _Graph._faces,
    layers.Rescaling: _Graph._rescaling,
    layers.Cropping2D: _Graph._cropping,
    layers.BatchNormalization: _Graph._norm,
    layers.Conv2D: _Graph._conv,
    layers.ReLU: _Graph._relu,
    layers.Add: _Graph._add,
    layers.MaxPooling2D: _Graph._max_pooling,
    layers.AveragePooling2D: _Graph._average_pooling,
    layers.GlobalAveragePooling2D: _Graph._global_pooling,
    layers.Flatten: _Graph._flatten,
    layers.Dense: _Graph._inner_dense,
    layers.Dropout: _Graph._dropout,
}


def _input(layer: Any) -> Any:
    """The one Keras tensor a layer takes."""
    return layer.input[0] if isinstance(layer.input, list) else layer.input


def _folded(conv: Any, norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (height, width, in, out) and bias of a convolution with the normalisation behind it taken in."""
    kernel = np.asarray(conv.kernel)
    bias = np.asarray(conv.bias) if conv.use_bias else np.zeros(kernel.shape[-1], np.float32)
    if norm is None:
        return kernel, bias
    scale = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    return kernel * scale, (bias - np.asarray(norm.moving_mean)) * scale + np.asarray(norm.beta)


def _window(layer: Any, size: tuple[int, int]) -> dict[str, list[int]]:
    """Kernel shape and explicit padding; ``same`` pads the way TensorFlow does, more at the end."""
    height, width = _input(layer).shape[1:3]
    pads = [_same(length, step, side) for length, step, side in zip((height, width), layer.strides, size, strict=True)]
    if layer.padding == "valid":
        pads = [(0, 0), (0, 0)]
    return {"kernel_shape": list(size), "pads": [pads[0][0], pads[1][0], pads[0][1], pads[1][1]]}


def _same(length: int, step: int, side: int) -> tuple[int, int]:
    whole = max((-(-length // step) - 1) * step + side - length, 0)
    return whole // 2, whole - whole // 2
