"""Smaller files: eight bits for a third of the size and of the time, sixteen for half of the size alone.

What either costs in accuracy is measured, not hoped for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from mien.export.keras_to_onnx import INPUT

#: Kinds of nodes that become eight-bit. The end of the net stays in float32: it is small, and class maps read it.
_KINDS = ("Conv", "Add", "AveragePool", "MaxPool")
#: Weights of fewer numbers stay as they are.
_FEW = 64
#: What comes out of these is rounded only where the next node takes it, behind the ReLU: half of the range is not
#: wasted on values that are about to be cut off, and the runtime makes one step of the two.
_LATE = ("Conv", "Add")


def quantize_int8(model: onnx.ModelProto, pixels: np.ndarray, batch: int = 50) -> onnx.ModelProto:
    """The same graph with int8 weights per channel and ranges seen on these faces, uint8 (N, 48, 48).

    Weights use seven bits only: then processors without VNNI, whose 16-bit sums would overflow, compute the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, before)
        quantize_static(
            before,
            after,
            _Batches(pixels, batch),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_KINDS),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": list(_LATE)},
        )
        return onnx.load(after)


def convert_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with weights of sixteen bits, which the runtime makes into float32 when it opens the file."""
    small = onnx.ModelProto()
    small.CopyFrom(model)
    del small.graph.initializer[:]
    casts = []
    for each in model.graph.initializer:
        if each.data_type != onnx.TensorProto.FLOAT or np.prod(each.dims) < _FEW:
            small.graph.initializer.append(each)
            continue
        kept = f"{each.name}/half"
        weights = onnx.numpy_helper.to_array(each).astype(np.float16)
        small.graph.initializer.append(onnx.numpy_helper.from_array(weights, kept))
        casts.append(onnx.helper.make_node("Cast", [kept], [each.name], name=kept, to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del small.graph.node[:]
    small.graph.node.extend(nodes)
    return small


class _Batches(CalibrationDataReader):
    """The faces, as the quantiser asks for them: one batch after the other, then None."""

    def __init__(self, pixels: np.ndarray, batch: int) -> None:
        self._left: Iterator[np.ndarray] = (pixels[i : i + batch, ..., None] for i in range(0, len(pixels), batch))

    def get_next(self) -> dict[str, np.ndarray] | None:
        faces = next(self._left, None)
        return None if faces is None else {INPUT: faces}
