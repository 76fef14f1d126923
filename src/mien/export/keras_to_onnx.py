"""How each kind of Keras layer is written as ONNX nodes: channels first, padding told outright, norms folded.

A writer takes the graph and the layer and gives the name of the tensor that the layer makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import keras
import numpy as np
import onnx
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ExperimentError

INPUT = "faces"


class OnnxGraph(Protocol):
    """What a writer needs of the graph: names of tensors that stand before, and a place for nodes and weights."""

    def tensor(self, keras_tensor: Any) -> str: ...
    def node(self, kind: str, inputs: list[str], name: str, **how: Any) -> str: ...
    def parts(self, kind: str, inputs: list[str], name: str, parts: list[str], **how: Any) -> list[str]: ...
    def weight(self, name: str, array: Any) -> str: ...


def tensor_name(layer: Any) -> str:
    """What the tensor a Keras layer makes is called in the graph; Keras allows no ``/`` in names."""
    return str(layer.name).replace("_", "/")


def one_input(layer: Any) -> Any:
    """The one Keras tensor a layer takes."""
    return layer.input[0] if isinstance(layer.input, list) else layer.input


def _before(graph: OnnxGraph, layer: Any) -> str:
    return graph.tensor(one_input(layer))


def _faces(graph: OnnxGraph, layer: Any) -> str:
    """From uint8, channels last, to float32, channels first."""
    height, width, channels = layer.output.shape[1:]
    name = graph.node("Cast", [INPUT], f"{INPUT}/float", to=TensorProto.FLOAT)
    if channels == 1:
        shape = graph.weight(f"{INPUT}/shape", np.array([-1, 1, height, width], np.int64))
        return graph.node("Reshape", [name, shape], f"{INPUT}/first")
    return graph.node("Transpose", [name], f"{INPUT}/first", perm=[0, 3, 1, 2])


def _scaled(graph: OnnxGraph, layer: Any, scale: Any, offset: Any) -> str:
    """Times ``scale`` plus ``offset``, each a number or one for each channel; what would change nothing is left out."""
    name, found = tensor_name(layer), _before(graph, layer)
    scale, offset = (_by_channel(part) for part in (scale, offset))
    if np.any(scale != 1):
        found = graph.node("Mul", [found, graph.weight(f"{name}/scale", scale)], f"{name}/scaled")
    if np.any(offset != 0):
        found = graph.node("Add", [found, graph.weight(f"{name}/offset", offset)], name)
    return found


def _by_channel(values: Any) -> np.ndarray:
    array = np.asarray(values, np.float32)
    return array if array.ndim == 0 else array.reshape(1, -1, 1, 1)


def _rescaling(graph: OnnxGraph, layer: Any) -> str:
    return _scaled(graph, layer, layer.scale, layer.offset)


def _normalization(graph: OnnxGraph, layer: Any) -> str:
    mean, variance = (np.asarray(part).reshape(-1) for part in (layer.mean, layer.variance))
    scale = 1 / np.maximum(np.sqrt(variance), 1e-7)
    return _scaled(graph, layer, scale, -mean * scale)


def _cropping(graph: OnnxGraph, layer: Any) -> str:
    name, ((top, bottom), (left, right)) = tensor_name(layer), layer.cropping
    _, height, width, _ = one_input(layer).shape
    bounds = {"starts": [top, left], "ends": [height - bottom, width - right], "axes": [2, 3]}
    inputs = [graph.weight(f"{name}/{key}", np.array(value, np.int64)) for key, value in bounds.items()]
    return graph.node("Slice", [_before(graph, layer), *inputs], name)


def _zero_padding(graph: OnnxGraph, layer: Any) -> str:
    name, ((top, bottom), (left, right)) = tensor_name(layer), layer.padding
    pads = graph.weight(f"{name}/pads", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    return graph.node("Pad", [_before(graph, layer), pads], name)


def _resizing(graph: OnnxGraph, layer: Any) -> str:
    name, (_, height, width, _) = tensor_name(layer), one_input(layer).shape
    if layer.interpolation != "bilinear":
        raise ExperimentError(f"The layer {layer.name} resizes by {layer.interpolation}", "bilinear was expected", "")
    scales = graph.weight(f"{name}/scales", np.array([1, 1, layer.height / height, layer.width / width], np.float32))
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return graph.node("Resize", [_before(graph, layer), "", scales], name, **how)


def _conv(graph: OnnxGraph, layer: Any, norm: Any = None) -> str:
    kernel, bias = _folded(np.asarray(layer.kernel), layer, norm)
    return _convolved(graph, layer, kernel.transpose(3, 2, 0, 1), bias)


def _depthwise(graph: OnnxGraph, layer: Any, norm: Any = None) -> str:
    """One filter for each channel: a convolution in as many groups."""
    height, width, channels, several = layer.kernel.shape
    flat = np.asarray(layer.kernel).reshape(height, width, 1, channels * several)
    kernel, bias = _folded(flat, layer, norm)
    return _convolved(graph, layer, kernel.transpose(3, 2, 0, 1), bias, group=channels)


def _convolved(graph: OnnxGraph, layer: Any, kernel: np.ndarray, bias: np.ndarray, group: int = 1) -> str:
    name = tensor_name(layer)
    weights = [graph.weight(f"{name}/kernel", kernel), graph.weight(f"{name}/bias", bias)]
    how = {"strides": list(layer.strides), "group": group, **_window(layer, layer.kernel_size)}
    graph.node("Conv", [_before(graph, layer), *weights], name, **how)
    return _activated(graph, name, layer)


def _norm(graph: OnnxGraph, layer: Any) -> str:
    before = one_input(layer)._keras_history.operation
    fold = {layers.Conv2D: _conv, layers.DepthwiseConv2D: _depthwise, layers.Dense: _dense}.get(type(before))
    # A layer that others also look at must stay as it is.
    if fold and before.activation.__name__ == "linear" and len(before._outbound_nodes) == 1:
        return fold(graph, before, layer)
    name = tensor_name(layer)
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    inputs = [graph.weight(f"{name}/{part}", np.asarray(getattr(layer, part))) for part in parts]
    return graph.node("BatchNormalization", [_before(graph, layer), *inputs], name, epsilon=layer.epsilon)


def _folded(kernel: np.ndarray, layer: Any, norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (..., in, out) and bias of a convolution or dense layer with the normalisation behind it taken in."""
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[-1], np.float32)
    if norm is None:
        return kernel, bias
    scale = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    return kernel * scale, (bias - np.asarray(norm.moving_mean)) * scale + np.asarray(norm.beta)


def _activated(graph: OnnxGraph, name: str, layer: Any) -> str:
    return _activation(graph, name, layer.activation.__name__, f"{name}/{layer.activation.__name__}")


def _activation(graph: OnnxGraph, before: str, kind: str, name: str) -> str:
    if kind == "linear":
        return before
    if kind == "silu":
        return graph.node("Mul", [before, graph.node("Sigmoid", [before], f"{name}/gate")], name)
    operators = {"relu": "Relu", "sigmoid": "Sigmoid"}
    if kind not in operators:
        raise ExperimentError(f"The activation {kind} cannot be exported", f"known are {', '.join(operators)}, silu", "")
    return graph.node(operators[kind], [before], name)


def _activation_layer(graph: OnnxGraph, layer: Any) -> str:
    return _activation(graph, _before(graph, layer), layer.activation.__name__, tensor_name(layer))


def _relu(graph: OnnxGraph, layer: Any) -> str:
    name = tensor_name(layer)
    if layer.max_value is None:
        return graph.node("Relu", [_before(graph, layer)], name)
    ends = [graph.weight(f"{name}/{key}", np.float32(end)) for key, end in (("low", 0), ("high", layer.max_value))]
    return graph.node("Clip", [_before(graph, layer), *ends], name)


def _joined(kind: str, **how: Any) -> Callable[[OnnxGraph, Any], str]:
    """A node of several tensors."""
    return lambda graph, layer: graph.node(
        kind, [graph.tensor(each) for each in layer.input], tensor_name(layer), **how
    )


def _concatenated(graph: OnnxGraph, layer: Any) -> str:
    """Channels behind channels, or faces behind faces."""
    return _joined("Concat", axis=0 if layer.axis == 0 else 1)(graph, layer)


def _flipped(graph: OnnxGraph, operation: Any) -> str:
    """Left becomes right."""
    name = tensor_name(operation)
    bounds = {"starts": -1, "ends": np.iinfo(np.int64).min, "axes": 3, "steps": -1}
    inputs = [graph.weight(f"{name}/{key}", np.array([value], np.int64)) for key, value in bounds.items()]
    return graph.node("Slice", [_of_operation(graph, operation), *inputs], name)


def _split(graph: OnnxGraph, operation: Any) -> list[str]:
    """A batch in equal parts."""
    name = tensor_name(operation)
    parts = [f"{name}/{number}" for number in range(1, operation.indices_or_sections + 1)]
    return graph.parts("Split", [_of_operation(graph, operation)], name, parts, axis=0)


def _of_operation(graph: OnnxGraph, operation: Any) -> str:
    """The tensor that an operation takes: unlike a layer, it keeps only where it stands."""
    return graph.tensor(operation._inbound_nodes[0].input_tensors[0])


def _max_pooling(graph: OnnxGraph, layer: Any) -> str:
    how = {"strides": list(layer.strides), **_window(layer, layer.pool_size)}
    return graph.node("MaxPool", [_before(graph, layer)], tensor_name(layer), **how)


def _average_pooling(graph: OnnxGraph, layer: Any) -> str:
    how = {"strides": list(layer.strides), "count_include_pad": 0, **_window(layer, layer.pool_size)}
    return graph.node("AveragePool", [_before(graph, layer)], tensor_name(layer), **how)


def _global_pooling(graph: OnnxGraph, layer: Any) -> str:
    name = tensor_name(layer)
    return graph.node("Flatten", [graph.node("GlobalAveragePool", [_before(graph, layer)], f"{name}/maps")], name)


def _reshape(graph: OnnxGraph, layer: Any) -> str:
    """From a row of channels to one pixel of them, as squeeze-and-excite asks; nothing else."""
    name, shape = tensor_name(layer), layer.target_shape
    if len(one_input(layer).shape) != 2 or len(shape) != 3 or shape[:2] != (1, 1):
        raise ExperimentError(f"The layer {layer.name} reshapes to {shape}", "a row to one pixel was expected", "")
    wanted = graph.weight(f"{name}/shape", np.array([-1, shape[2], 1, 1], np.int64))
    return graph.node("Reshape", [_before(graph, layer), wanted], name)


def _flatten(graph: OnnxGraph, layer: Any) -> str:
    """In Keras's order, channels last, which the dense layer behind it has learnt."""
    name, before = tensor_name(layer), _before(graph, layer)
    if len(one_input(layer).shape) == 4:
        before = graph.node("Transpose", [before], f"{name}/last", perm=[0, 2, 3, 1])
    return graph.node("Flatten", [before], name)


def write_dense(graph: OnnxGraph, layer: Any, before: str, name: str, temperature: float = 1.0, norm: Any = None) -> str:
    """A dense layer without its activation, its answer divided by ``temperature``, as the tensor ``name``."""
    weights = dict(zip(("kernel", "bias"), _folded(np.asarray(layer.kernel), layer, norm), strict=True))
    divided = {key: value / np.float32(temperature) for key, value in weights.items()}
    inputs = [graph.weight(f"{tensor_name(layer)}/{key}", value) for key, value in divided.items()]
    return graph.node("Gemm", [before, *inputs], name)


def _dense(graph: OnnxGraph, layer: Any, norm: Any = None) -> str:
    name = tensor_name(layer)
    return _activated(graph, write_dense(graph, layer, _before(graph, layer), name, norm=norm), layer)


#: Looked through in this order: a kind stands before the kinds it is made from.
WRITERS: dict[type, Callable[[OnnxGraph, Any], str]] = {
    layers.InputLayer: _faces,
    layers.Rescaling: _rescaling,
    layers.Normalization: _normalization,
    layers.Cropping2D: _cropping,
    layers.ZeroPadding2D: _zero_padding,
    layers.Resizing: _resizing,
    layers.BatchNormalization: _norm,
    layers.DepthwiseConv2D: _depthwise,
    layers.Conv2D: _conv,
    layers.ReLU: _relu,
    layers.Activation: _activation_layer,
    layers.Add: _joined("Add"),
    layers.Multiply: _joined("Mul"),
    layers.Average: _joined("Mean"),
    layers.Concatenate: _concatenated,
    layers.MaxPooling2D: _max_pooling,
    layers.AveragePooling2D: _average_pooling,
    layers.GlobalAveragePooling2D: _global_pooling,
    layers.Reshape: _reshape,
    layers.Flatten: _flatten,
    layers.Dense: _dense,
    layers.Dropout: _before,
}

#: Operations of :mod:`mien.training.networks` that are no layers, by the names of Keras's classes.
OPERATIONS: dict[str, Callable[[OnnxGraph, Any], str | list[str]]] = {"Flip": _flipped, "Split": _split}


def _window(layer: Any, size: tuple[int, int]) -> dict[str, list[int]]:
    """Kernel shape and explicit padding; ``same`` pads the way TensorFlow does, more at the end."""
    height, width = one_input(layer).shape[1:3]
    pads = [_same(length, step, side) for length, step, side in zip((height, width), layer.strides, size, strict=True)]
    if layer.padding == "valid":
        pads = [(0, 0), (0, 0)]
    return {"kernel_shape": list(size), "pads": [pads[0][0], pads[1][0], pads[0][1], pads[1][1]]}


def _same(length: int, step: int, side: int) -> tuple[int, int]:
    whole = max((-(-length // step) - 1) * step + side - length, 0)
    return whole // 2, whole - whole // 2


# ==== mien.lab.graph
# A Keras net written as an ONNX graph by our own hand, so that every tensor has a name worth reading.
#
# The graph takes ``faces`` uint8 (N, 48, 48, 1), raw, and answers ``shares`` (N, 7) and ``votes`` (N, 8),
# probabilities. Inside, tensors are channels-first and named after the layers, with ``/`` between the parts:
# ``stage1/block2/relu``. Batch normalisation that follows a convolution or dense layer is folded into it; dropout is
# gone; temperatures are folded into the heads. Layers it does not know are refused.

OPSET, IR = 17, 9


def build_onnx_model(model: keras.Model, temperatures: Mapping[str, float]) -> onnx.ModelProto:
    """The graph of a two-headed (or one-headed) net; ``temperatures`` by head divide its logits."""
    graph = GraphWriter(temperatures)
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


class GraphWriter:
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
        raise ExperimentError(odd, "a layer of mien's nets was expected", "")
