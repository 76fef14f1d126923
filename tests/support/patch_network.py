"""A network whose evidence is known by construction: its prediction depends on one patch of the face only."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mien.models import ModelCard, write_card

SIDE = 24
#: Top, left and side of the patch, in pixels.
TOP, LEFT, LENGTH = 14, 4, 6

LABELS = ("striped", "plain", "other")


def patch_card(**fields) -> ModelCard:
    return ModelCard(**{"name": "known", "labels": LABELS, "side": SIDE, **fields})


def build_patch_network() -> bytes:
    """The ONNX file: stripes inside the patch lead to the label 'striped', stripes elsewhere change nothing.

    A kernel for vertical stripes, a mask with 1 on the patch, global average pooling, one dense layer.
    """
    mask = np.zeros((1, 1, SIDE, SIDE), np.float32)
    mask[:, :, TOP : TOP + LENGTH, LEFT : LEFT + LENGTH] = 1
    stripes = np.zeros((2, 1, 3, 3), np.float32)
    stripes[0, 0, 1], stripes[1, 0, 1] = (-1, 2, -1), (1, -2, 1)
    area = LENGTH**2 / SIDE**2
    dense = np.zeros((2, len(LABELS)), np.float32)
    dense[:, 0] = 1 / 255 / area * 16
    weights = {
        "stripes/kernel": stripes / 2,
        "mask": mask,
        "scores/kernel": dense,
        "scores/bias": np.array([-2, 0, -0.5], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["faces"], ["faces/float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["faces/float"], ["faces/first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["faces/first", "stripes/kernel"], ["stripes/conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["stripes/conv"], ["stripes/relu"]),
        helper.make_node("Mul", ["stripes/relu", "mask"], ["patch"]),
        helper.make_node("GlobalAveragePool", ["patch"], ["pooled/maps"]),
        helper.make_node("Flatten", ["pooled/maps"], ["pooled"]),
        helper.make_node("Gemm", ["pooled", "scores/kernel", "scores/bias"], ["scores/logits"]),
        helper.make_node("Softmax", ["scores/logits"], ["scores"]),
    ]
    inputs = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", SIDE, SIDE, 1])
    outputs = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(LABELS)])
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "known", [inputs], [outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return write_card(model.SerializeToString(), patch_card())


def make_patch_faces(count: int, seed: int = 0) -> np.ndarray:
    """Noise uint8 ``(N, SIDE, SIDE)`` with stripes in the patch, and a much stronger edge elsewhere."""
    random = np.random.default_rng(seed)
    faces = random.integers(90, 130, (count, SIDE, SIDE)).astype(np.int64)
    faces[:, 3:8, 10:22] += 110
    faces[:, TOP : TOP + LENGTH, LEFT : LEFT + LENGTH] += np.where(np.arange(LENGTH) % 2, 45, -45)
    return faces.clip(0, 255).astype(np.uint8)


def evidence_on_patch(saliency: np.ndarray, margin: int = 2) -> float:
    """The part of a map's evidence on the patch and ``margin`` pixels around it."""
    weights = np.maximum(saliency, 0)
    patch = np.s_[TOP - margin : TOP + LENGTH + margin, max(LEFT - margin, 0) : LEFT + LENGTH + margin]
    return float(weights[patch].sum() / weights.sum())
