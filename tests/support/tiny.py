"""Valid ONNX models of a few hundred bytes, built in memory: they load, run and can be damaged."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard, write_card

SIDE = 8


def tiny_card(**facts) -> ModelCard:
    return ModelCard(**{"name": "tiny", "labels": EMOTIONS, "vote_labels": VOTES, "side": SIDE, **facts})


def tiny_model(card: ModelCard | None = None, **graph) -> bytes:
    """A valid model with its card."""
    card = card or tiny_card()
    sizes = {"scores": len(card.labels), "votes": len(card.vote_labels), "side": card.side, "channels": card.channels}
    return write_card(tiny_graph(**{**sizes, **graph}), card)


def tiny_graph(
    *, scores=7, votes=8, side=SIDE, channels=1, batch="N", kind="float32", softmax=True, input_name="faces"
) -> bytes:
    """A convolution, pooling and two dense heads, without a card; ``votes=0`` leaves the second head out."""
    types = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int64": TensorProto.INT64}
    graph_input = helper.make_tensor_value_info(input_name, types[kind], [batch, side, side, channels])
    nodes = [
        helper.make_node("Cast", [input_name], ["pixels"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], name="planes", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "conv.kernel"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"], name="relu"),
        helper.make_node("MaxPool", ["relu"], ["pool"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pool"], ["flat"], name="flatten"),
    ]
    flat = 2 * (side // 2) ** 2
    weights = [_make_weight("conv.kernel", (2, channels, 3, 3))]
    heads = [("scores", scores), ("votes", votes)] if votes else [("scores", scores)]
    for head, width in heads:
        weights.append(_make_weight(f"{head}.kernel", (flat, width)))
        nodes.append(helper.make_node("MatMul", ["flat", f"{head}.kernel"], [f"{head}.logits"], name=f"{head}.dense"))
        nodes.append(helper.make_node("Softmax" if softmax else "Identity", [f"{head}.logits"], [head], name=head))
    outputs = [helper.make_tensor_value_info(head, TensorProto.FLOAT, [batch, width]) for head, width in heads]
    graph = helper.make_graph(nodes, "tiny", [graph_input], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def tiny_weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The values of a weight, so small that pixels up to 255 do not saturate the softmax."""
    return (np.random.default_rng(len(name)).normal(size=shape) * 0.01).astype(np.float32)


def _make_weight(name: str, shape: tuple[int, ...]) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, shape, tiny_weight(name, shape).ravel())
