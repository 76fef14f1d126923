"""A model with its weights shuffled, one layer after the other from the last on: what a map is worth that stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

#: More stages than this say nothing more; several layers then share one.
STAGES = 8

#: Constants smaller than this are scales and steps, not weights.
_LEAST = 6

#: Operations through which a stored weight passes before it is used.
_HANDS_ON = ("DequantizeLinear", "Identity", "Cast", "Transpose")


def shuffled(model: bytes, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """The tensor of the layer down to which weights are shuffled, and the whole model; each stage keeps the last's.

    Every layer keeps its own numbers in another order, so ranges and rounding stay what they were.
    """
    proto = onnx.load_from_string(model)
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    layers = list(reversed(_weighted(proto, stored)))
    chance = np.random.default_rng(seed)
    for group in np.array_split(np.arange(len(layers)), min(STAGES, len(layers))):
        for place in group:
            _shuffle(stored[layers[place][1]], chance)
        yield layers[group[-1]][0], proto.SerializeToString()


def _weighted(proto: ModelProto, stored: dict[str, TensorProto]) -> list[tuple[str, str]]:
    """The layers in order, each with its stored weights: biases and what is counted in whole numbers stay."""
    makers = {name: node for node in proto.graph.node for name in node.output}
    found: dict[str, str] = {}
    for node in proto.graph.node:
        if node.op_type in (*_HANDS_ON, "QuantizeLinear"):
            continue
        for name in (_source(each, makers) for each in node.input):
            if name in stored and name not in found and _is_weight(stored[name]):
                found[name] = node.output[0]
    return [(layer, name) for name, layer in found.items()]


def _source(name: str, makers: dict[str, NodeProto]) -> str:
    while name in makers and makers[name].op_type in _HANDS_ON:
        name = makers[name].input[0]
    return name


def _is_weight(tensor: TensorProto) -> bool:
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8)
    return tensor.data_type in kinds and len(tensor.dims) > 1 and int(np.prod(tensor.dims)) >= _LEAST


def _shuffle(tensor: TensorProto, chance: np.random.Generator) -> None:
    values = numpy_helper.to_array(tensor)
    mixed = chance.permutation(values.ravel()).reshape(values.shape)
    tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
