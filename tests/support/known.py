"""A network whose evidence is known: it looks at one patch of the face and at nothing else."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mien.models import ModelCard, write_card

SIDE = 24
#: The patch: top, left, and the side of its square, in pixels.
TOP, LEFT, LENGTH = 14, 4, 6

LABELS = ("striped", "plain", "other")


def known_card(**facts) -> ModelCard:
    return ModelCard(**{"name": "known", "labels": LABELS, "side": SIDE, **facts})


def known_model() -> bytes:
    """Stripes inside the patch make 'striped' lead; elsewhere they change nothing.

    A filter for upright stripes, a mask that is 1 on the patch, global average pooling, one dense layer.
    """
    mask = np.zeros((1, 1, SIDE, SIDE), np.float32)
    mask[:, :, TOP : TOP + LENGTH, LEFT : LEFT + LENGTH] = 1
    stripes = np.zeros((2, 1, 3, 3), np.float32)
    stripes[0, 0, 1], stripes[1, 0, 1] = (-1, 2, -1), (1, -2, 1)
    share = LENGTH**2 / SIDE**2
    dense = np.zeros((2, len(LABELS)), np.float32)
    dense[:, 0] = 1 / 255 / share * 16
    weights = {
        "stripes/kernel": stripes / 2,
        "mask": mask,
        "shares/kernel": dense,
        "shares/bias": np.array([-2, 0, -0.5], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["faces"], ["faces/float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["faces/float"], ["faces/first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["faces/first", "stripes/kernel"], ["stripes/conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["stripes/conv"], ["stripes/relu"]),
        helper.make_node("Mul", ["stripes/relu", "mask"], ["patch"]),
        helper.make_node("GlobalAveragePool", ["patch"], ["pooled/maps"]),
        helper.make_node("Flatten", ["pooled/maps"], ["pooled"]),
        helper.make_node("Gemm", ["pooled", "shares/kernel", "shares/bias"], ["shares/logits"]),
        helper.make_node("Softmax", ["shares/logits"], ["shares"]),
    ]
    entry = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", SIDE, SIDE, 1])
    answer = helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["N", len(LABELS)])
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "known", [entry], [answer], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return write_card(model.SerializeToString(), known_card())


def faces(count: int, seed: int = 0) -> np.ndarray:
    """Gray blots uint8 ``(N, SIDE, SIDE)`` with stripes in the patch, and a much stronger edge across another part."""
    chance = np.random.default_rng(seed)
    pictures = chance.integers(90, 130, (count, SIDE, SIDE)).astype(np.int64)
    pictures[:, 3:8, 10:22] += 110
    pictures[:, TOP : TOP + LENGTH, LEFT : LEFT + LENGTH] += np.where(np.arange(LENGTH) % 2, 45, -45)
    return pictures.clip(0, 255).astype(np.uint8)


def inside(saliency: np.ndarray, margin: int = 2) -> float:
    """The part of a map's evidence that lies on the patch and ``margin`` pixels around it."""
    weight = np.maximum(saliency, 0)
    seen = np.s_[TOP - margin : TOP + LENGTH + margin, max(LEFT - margin, 0) : LEFT + LENGTH + margin]
    return float(weight[seen].sum() / weight.sum())
