"""Real ONNX models of a few hundred bytes, built on the spot: they load, run and can be damaged."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard, write_card

SIDE = 8


def tiny_card(**facts) -> ModelCard:
    return ModelCard(**{"name": "tiny", "labels": EMOTIONS, "vote_labels": VOTES, "side": SIDE, **facts})


def tiny_model(card: ModelCard | None = None, **graph) -> bytes:
    """A model as ``mien`` wants it, with its card."""
    card = card or tiny_card()
    known = {"shares": len(card.labels), "votes": len(card.vote_labels), "side": card.side, "channels": card.channels}
    return write_card(tiny_graph(**{**known, **graph}), card)


def tiny_graph(
    *, shares=7, votes=8, side=SIDE, channels=1, batch="N", kind="float32", softmax=True, first="faces"
) -> bytes:
    """A convolution, pooling and two dense heads, without a card. ``votes=0`` leaves the second head out."""
    types = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int64": TensorProto.INT64}
    entry = helper.make_tensor_value_info(first, types[kind], [batch, side, side, channels])
    nodes = [
        helper.make_node("Cast", [first], ["pixels"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], name="planes", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "conv.kernel"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"], name="relu"),
        helper.make_node("MaxPool", ["relu"], ["pool"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pool"], ["flat"], name="flatten"),
    ]
    flat = 2 * (side // 2) ** 2
    weights = [_weights("conv.kernel", (2, channels, 3, 3))]
    heads = [("shares", shares), ("votes", votes)] if votes else [("shares", shares)]
    for head, width in heads:
        weights.append(_weights(f"{head}.kernel", (flat, width)))
        nodes.append(helper.make_node("MatMul", ["flat", f"{head}.kernel"], [f"{head}.logits"], name=f"{head}.dense"))
        nodes.append(helper.make_node("Softmax" if softmax else "Identity", [f"{head}.logits"], [head], name=head))
    outputs = [helper.make_tensor_value_info(head, TensorProto.FLOAT, [batch, width]) for head, width in heads]
    return _model(helper.make_graph(nodes, "tiny", [entry], outputs, weights)).SerializeToString()


def kernel(head: str, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers in a weight of a tiny model, small enough that 255 does not drown the softmax."""
    return (np.random.default_rng(len(head)).normal(size=shape) * 0.01).astype(np.float32)


def _weights(name: str, shape: tuple[int, ...]) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, shape, kernel(name, shape).ravel())


def _model(graph) -> ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
