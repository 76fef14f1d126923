"""Conversion of Keras networks to ONNX graphs whose tensors have readable names.

The graph takes ``faces`` uint8 (N, 48, 48, 1), raw, and returns the probabilities ``scores`` (N, 7), ``votes`` (N, 8)
and ``label`` (N, 7), or ``scores`` alone. Inside, tensors have the channels first and are named after the layers, with
``/`` between the parts:
``stage1/block2/relu``. Batch normalisation after a convolution or dense layer is folded into it, temperatures are
folded into the heads, dropout is removed, and padding is explicit. Layers without a writer are refused.

A writer takes the graph and the layer, adds the nodes of the layer, and returns the name of its output tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import onnx
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ExperimentError

INPUT = "faces"


def tensor_name(layer: Any) -> str:
    """The name of the output tensor of a Keras layer; names in Keras cannot have a ``/``."""
    return str(layer.name).replace("_", "/")


def one_input(layer: Any) -> Any:
    """The single input tensor of a layer."""
    return layer.input[0] if isinstance(layer.input, list) else layer.input


def _input_name(graph: GraphWriter, layer: Any) -> str:
    return graph.tensor(one_input(layer))


def _input_layer(graph: GraphWriter, layer: Any) -> str:
    """Cast uint8, channels last, to float32, channels first."""
    height, width, channels = layer.output.shape[1:]
    name = graph.node("Cast", [INPUT], f"{INPUT}/float", to=TensorProto.FLOAT)
    if channels == 1:
        shape = graph.weight(f"{INPUT}/shape", np.array([-1, 1, height, width], np.int64))
        return graph.node("Reshape", [name, shape], f"{INPUT}/first")
    return graph.node("Transpose", [name], f"{INPUT}/first", perm=[0, 3, 1, 2])


def _scale(graph: GraphWriter, layer: Any, scale: Any, offset: Any) -> str:
    """Multiply by ``scale`` and add ``offset``, for all channels or for each; no-ops are omitted."""
    name, tensor = tensor_name(layer), _input_name(graph, layer)
    arrays = [np.asarray(part, np.float32) for part in (scale, offset)]
    scale, offset = (array if array.ndim == 0 else array.reshape(1, -1, 1, 1) for array in arrays)
    if np.any(scale != 1):
        tensor = graph.node("Mul", [tensor, graph.weight(f"{name}/scale", scale)], f"{name}/scaled")
    if np.any(offset != 0):
        tensor = graph.node("Add", [tensor, graph.weight(f"{name}/offset", offset)], name)
    return tensor


def _normalization(graph: GraphWriter, layer: Any) -> str:
    mean, variance = (np.asarray(part).reshape(-1) for part in (layer.mean, layer.variance))
    scale = 1 / np.maximum(np.sqrt(variance), 1e-7)
    return _scale(graph, layer, scale, -mean * scale)


def _cropping(graph: GraphWriter, layer: Any) -> str:
    name, ((top, bottom), (left, right)) = tensor_name(layer), layer.cropping
    _, height, width, _ = one_input(layer).shape
    bounds = {"starts": [top, left], "ends": [height - bottom, width - right], "axes": [2, 3]}
    inputs = [graph.weight(f"{name}/{key}", np.array(value, np.int64)) for key, value in bounds.items()]
    return graph.node("Slice", [_input_name(graph, layer), *inputs], name)


def _zero_padding(graph: GraphWriter, layer: Any) -> str:
    name, ((top, bottom), (left, right)) = tensor_name(layer), layer.padding
    pads = graph.weight(f"{name}/pads", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    return graph.node("Pad", [_input_name(graph, layer), pads], name)


def _resizing(graph: GraphWriter, layer: Any) -> str:
    name, (_, height, width, _) = tensor_name(layer), one_input(layer).shape
    if layer.interpolation != "bilinear":
        raise ExperimentError(f"The layer {layer.name} resizes by {layer.interpolation}", "bilinear was expected", "")
    scales = graph.weight(f"{name}/scales", np.array([1, 1, layer.height / height, layer.width / width], np.float32))
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return graph.node("Resize", [_input_name(graph, layer), "", scales], name, **attributes)


def _conv(graph: GraphWriter, layer: Any, norm: Any = None) -> str:
    kernel, bias = _fold_norm(np.asarray(layer.kernel), layer, norm)
    return _add_convolution(graph, layer, kernel.transpose(3, 2, 0, 1), bias)


def _depthwise(graph: GraphWriter, layer: Any, norm: Any = None) -> str:
    """One filter for each channel: a convolution with as many groups."""
    height, width, channels, multiplier = layer.kernel.shape
    flat = np.asarray(layer.kernel).reshape(height, width, 1, channels * multiplier)
    kernel, bias = _fold_norm(flat, layer, norm)
    return _add_convolution(graph, layer, kernel.transpose(3, 2, 0, 1), bias, group=channels)


def _add_convolution(graph: GraphWriter, layer: Any, kernel: np.ndarray, bias: np.ndarray, group: int = 1) -> str:
    name = tensor_name(layer)
    weights = [graph.weight(f"{name}/kernel", kernel), graph.weight(f"{name}/bias", bias)]
    attributes = {"strides": list(layer.strides), "group": group, **_window(layer, layer.kernel_size)}
    graph.node("Conv", [_input_name(graph, layer), *weights], name, **attributes)
    return _add_activation(graph, name, layer)


def _norm(graph: GraphWriter, layer: Any) -> str:
    previous = one_input(layer)._keras_history.operation
    write = {layers.Conv2D: _conv, layers.DepthwiseConv2D: _depthwise, layers.Dense: _dense}.get(type(previous))
    # A layer with other consumers must keep its own output.
    if write and previous.activation.__name__ == "linear" and len(previous._outbound_nodes) == 1:
        return write(graph, previous, layer)
    name = tensor_name(layer)
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    inputs = [graph.weight(f"{name}/{part}", np.asarray(getattr(layer, part))) for part in parts]
    return graph.node("BatchNormalization", [_input_name(graph, layer), *inputs], name, epsilon=layer.epsilon)


def _fold_norm(kernel: np.ndarray, layer: Any, norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (..., in, out) and bias of a convolution or dense layer, with the normalisation after it folded in."""
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[-1], np.float32)
    if norm is None:
        return kernel, bias
    scale = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    return kernel * scale, (bias - np.asarray(norm.moving_mean)) * scale + np.asarray(norm.beta)


def _add_activation(graph: GraphWriter, name: str, layer: Any) -> str:
    return _activation(graph, name, layer.activation.__name__, f"{name}/{layer.activation.__name__}")


def _activation(graph: GraphWriter, tensor: str, kind: str, name: str) -> str:
    if kind == "linear":
        return tensor
    if kind == "silu":
        return graph.node("Mul", [tensor, graph.node("Sigmoid", [tensor], f"{name}/gate")], name)
    operators = {"relu": "Relu", "sigmoid": "Sigmoid"}
    if kind not in operators:
        raise ExperimentError(
            f"The activation {kind} cannot be exported", f"one of {', '.join(operators)}, silu was expected"
        )
    return graph.node(operators[kind], [tensor], name)


def _activation_layer(graph: GraphWriter, layer: Any) -> str:
    return _activation(graph, _input_name(graph, layer), layer.activation.__name__, tensor_name(layer))


def _relu(graph: GraphWriter, layer: Any) -> str:
    name = tensor_name(layer)
    if layer.max_value is None:
        return graph.node("Relu", [_input_name(graph, layer)], name)
    bounds = (("low", 0), ("high", layer.max_value))
    ends = [graph.weight(f"{name}/{key}", np.float32(value)) for key, value in bounds]
    return graph.node("Clip", [_input_name(graph, layer), *ends], name)


def _combine(kind: str, **attributes: Any) -> Callable[[GraphWriter, Any], str]:
    """A writer for a layer of several inputs."""
    return lambda graph, layer: graph.node(
        kind, [graph.tensor(each) for each in layer.input], tensor_name(layer), **attributes
    )


def _concatenate(graph: GraphWriter, layer: Any) -> str:
    """Along the channels, or along the batch."""
    return _combine("Concat", axis=0 if layer.axis == 0 else 1)(graph, layer)


def _flip(graph: GraphWriter, operation: Any) -> str:
    """Mirror the images."""
    name = tensor_name(operation)
    bounds = {"starts": -1, "ends": np.iinfo(np.int64).min, "axes": 3, "steps": -1}
    inputs = [graph.weight(f"{name}/{key}", np.array([value], np.int64)) for key, value in bounds.items()]
    return graph.node("Slice", [_operation_input(graph, operation), *inputs], name)


def _split(graph: GraphWriter, operation: Any) -> list[str]:
    """Split a batch into equal parts."""
    name = tensor_name(operation)
    parts = [f"{name}/{number}" for number in range(1, operation.indices_or_sections + 1)]
    return graph.parts("Split", [_operation_input(graph, operation)], name, parts, axis=0)


def _operation_input(graph: GraphWriter, operation: Any) -> str:
    """The name of the input tensor of an operation, which unlike a layer has no attribute for it."""
    return graph.tensor(operation._inbound_nodes[0].input_tensors[0])


def _pool(graph: GraphWriter, layer: Any, kind: str, **options: Any) -> str:
    attributes = {"strides": list(layer.strides), **options, **_window(layer, layer.pool_size)}
    return graph.node(kind, [_input_name(graph, layer)], tensor_name(layer), **attributes)


def _global_pooling(graph: GraphWriter, layer: Any) -> str:
    name = tensor_name(layer)
    return graph.node("Flatten", [graph.node("GlobalAveragePool", [_input_name(graph, layer)], f"{name}/maps")], name)


def _reshape(graph: GraphWriter, layer: Any) -> str:
    """From a vector to one pixel with these channels, as in squeeze-and-excite; nothing else."""
    name, shape = tensor_name(layer), layer.target_shape
    if len(one_input(layer).shape) != 2 or len(shape) != 3 or shape[:2] != (1, 1):
        raise ExperimentError(f"The layer {layer.name} reshapes to {shape}", "a vector to one pixel was expected")
    shape_weight = graph.weight(f"{name}/shape", np.array([-1, shape[2], 1, 1], np.int64))
    return graph.node("Reshape", [_input_name(graph, layer), shape_weight], name)


def _flatten(graph: GraphWriter, layer: Any) -> str:
    """In the order of Keras, channels last, which the next dense layer expects."""
    name, tensor = tensor_name(layer), _input_name(graph, layer)
    if len(one_input(layer).shape) == 4:
        tensor = graph.node("Transpose", [tensor], f"{name}/last", perm=[0, 2, 3, 1])
    return graph.node("Flatten", [tensor], name)


def write_dense(
    graph: GraphWriter, layer: Any, tensor: str, name: str, temperature: float = 1.0, norm: Any = None
) -> str:
    """A dense layer without its activation, its output divided by ``temperature``, as the tensor ``name``."""
    weights = dict(zip(("kernel", "bias"), _fold_norm(np.asarray(layer.kernel), layer, norm), strict=True))
    divided = {key: value / np.float32(temperature) for key, value in weights.items()}
    inputs = [graph.weight(f"{tensor_name(layer)}/{key}", value) for key, value in divided.items()]
    return graph.node("Gemm", [tensor, *inputs], name)


def _dense(graph: GraphWriter, layer: Any, norm: Any = None) -> str:
    name = tensor_name(layer)
    return _add_activation(graph, write_dense(graph, layer, _input_name(graph, layer), name, norm=norm), layer)


#: Tried in this order: a class is before its base classes.
WRITERS: dict[type, Callable[[GraphWriter, Any], str]] = {
    layers.InputLayer: _input_layer,
    layers.Rescaling: lambda graph, layer: _scale(graph, layer, layer.scale, layer.offset),
    layers.Normalization: _normalization,
    layers.Cropping2D: _cropping,
    layers.ZeroPadding2D: _zero_padding,
    layers.Resizing: _resizing,
    layers.BatchNormalization: _norm,
    layers.DepthwiseConv2D: _depthwise,
    layers.Conv2D: _conv,
    layers.ReLU: _relu,
    layers.Activation: _activation_layer,
    layers.Add: _combine("Add"),
    layers.Multiply: _combine("Mul"),
    layers.Average: _combine("Mean"),
    layers.Concatenate: _concatenate,
    layers.MaxPooling2D: partial(_pool, kind="MaxPool"),
    layers.AveragePooling2D: partial(_pool, kind="AveragePool", count_include_pad=0),
    layers.GlobalAveragePooling2D: _global_pooling,
    layers.Reshape: _reshape,
    layers.Flatten: _flatten,
    layers.Dense: _dense,
    layers.Dropout: _input_name,
}

#: Operations of :mod:`mien.training.networks` that are not layers, by the names of their Keras classes.
OPERATIONS: dict[str, Callable[[GraphWriter, Any], str | list[str]]] = {"Flip": _flip, "Split": _split}


def _window(layer: Any, size: tuple[int, int]) -> dict[str, list[int]]:
    """Kernel shape and explicit padding; ``same`` pads as TensorFlow does, more at the end."""
    height, width = one_input(layer).shape[1:3]
    totals = [0, 0]
    if layer.padding == "same":
        lengths = zip((height, width), layer.strides, size, strict=True)
        totals = [max((-(-length // stride) - 1) * stride + side - length, 0) for length, stride, side in lengths]
    pads = [total // 2 for total in totals] + [total - total // 2 for total in totals]
    return {"kernel_shape": list(size), "pads": pads}


OPSET, IR = 17, 9


def build_onnx_model(model: keras.Model, temperatures: Mapping[str, float]) -> onnx.ModelProto:
    """The graph of a network with its heads, whose logits are divided by ``temperatures`` by head."""
    graph = GraphWriter(temperatures)
    names = [graph.add_head(head) for head in model.outputs]
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ("batch", *model.inputs[0].shape[1:]))]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", head.shape[-1]))
        for name, head in zip(names, model.outputs, strict=True)
    ]
    graph_proto = helper.make_graph(graph.nodes, model.name, inputs, outputs, graph.tensors)
    proto = helper.make_model(
        graph_proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="mien"
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


class GraphWriter:
    """Collects nodes and weights, from the heads back to the input."""

    def __init__(self, temperatures: Mapping[str, float]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._names: dict[str, str | list[str]] = {}
        self._temperatures = temperatures

    def add_head(self, output: Any) -> str:
        """Add the head; its logits have the name ``.../logits``, its probabilities that of the head."""
        layer = output._keras_history.operation
        tensor = self.tensor(one_input(layer))
        logits = write_dense(
            self, layer, tensor, f"{tensor_name(layer)}/logits", self._temperatures.get(layer.name, 1.0)
        )
        return self.node("Softmax", [logits], layer.name, axis=-1)

    def tensor(self, keras_tensor: Any) -> str:
        """The ONNX name of a Keras tensor; its nodes are added where they are missing."""
        layer, _, index = keras_tensor._keras_history
        if layer.name not in self._names:
            self._names[layer.name] = self._write(layer)
        names = self._names[layer.name]
        return names if isinstance(names, str) else names[index]

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node whose single output has its name."""
        return self.parts(kind, inputs, name, [name], **attributes)[0]

    def parts(self, kind: str, inputs: list[str], name: str, parts: list[str], **attributes: Any) -> list[str]:
        """Add a node with several outputs, each with its own name."""
        self.nodes.append(helper.make_node(kind, inputs, parts, name=name, **attributes))
        return parts

    def weight(self, name: str, array: Any) -> str:
        """Add a constant."""
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _write(self, layer: Any) -> str | list[str]:
        if isinstance(layer, keras.Operation) and type(layer).__name__ in OPERATIONS:
            return OPERATIONS[type(layer).__name__](self, layer)
        for kind, write in WRITERS.items():
            if isinstance(layer, kind):
                return write(self, layer)
        happened = f"The layer {layer.name} of kind {type(layer).__name__} cannot be exported"
        raise ExperimentError(happened, "a layer of the networks of mien was expected")
