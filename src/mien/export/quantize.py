"""Quantisation: int8 for a third of the size and of the time, float16 for half of the size.

The exporter measures the loss of accuracy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from mien.export.keras_to_onnx import INPUT

#: Operators that become int8. The end of the network stays in float32: it is small, and class activation maps need it.
_INT8_OPERATORS = ("Conv", "Add", "AveragePool", "MaxPool")
#: Tensors with fewer weights stay in float32.
_MIN_WEIGHTS = 64
#: The outputs of these operators are quantised after the ReLU: no half of the range is wasted on negative values, and
#: the runtime fuses both operators.
_QUANTIZED_AFTER_RELU = ("Conv", "Add")


def quantize_int8(model: onnx.ModelProto, pixels: np.ndarray, batch: int = 50) -> onnx.ModelProto:
    """The graph with int8 weights per channel, and ranges calibrated on these faces, uint8 (N, 48, 48).

    Weights have seven bits: on processors without VNNI the 16-bit sums of eight bits would overflow.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, before)
        quantize_static(
            before,
            after,
            _Batches(pixels, batch),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_INT8_OPERATORS),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": list(_QUANTIZED_AFTER_RELU)},
        )
        return onnx.load(after)


def convert_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with float16 weights, which the runtime casts to float32 when it loads the file."""
    small = onnx.ModelProto()
    small.CopyFrom(model)
    del small.graph.initializer[:]
    casts = []
    for each in model.graph.initializer:
        if each.data_type != onnx.TensorProto.FLOAT or np.prod(each.dims) < _MIN_WEIGHTS:
            small.graph.initializer.append(each)
            continue
        name = f"{each.name}/half"
        weights = onnx.numpy_helper.to_array(each).astype(np.float16)
        small.graph.initializer.append(onnx.numpy_helper.from_array(weights, name))
        casts.append(onnx.helper.make_node("Cast", [name], [each.name], name=name, to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del small.graph.node[:]
    small.graph.node.extend(nodes)
    return small


class _Batches(CalibrationDataReader):
    """Batches of the faces for the quantiser, None at the end."""

    def __init__(self, pixels: np.ndarray, batch: int) -> None:
        self._batches: Iterator[np.ndarray] = (pixels[i : i + batch, ..., None] for i in range(0, len(pixels), batch))

    def get_next(self) -> dict[str, np.ndarray] | None:
        faces = next(self._batches, None)
        return None if faces is None else {INPUT: faces}
