"""A graph that does not end: its first run is ended after a time limit."""

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ModelError
from mien.models import ModelCard, classifier, load_classifier, write_card


def endless_model() -> bytes:
    """A loop whose condition stays true, around a graph that returns its input."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["condition"], ["next"]),
            helper.make_node("Mul", ["state", "one"], ["following"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("iteration", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["N", 7]),
        ],
        [
            helper.make_tensor_value_info("next", TensorProto.BOOL, []),
            helper.make_tensor_value_info("following", TensorProto.FLOAT, ["N", 7]),
        ],
    )
    weights = {
        "start": np.full((2304, 7), 1 / 2304 / 7, np.float32),
        "true": np.array(True),
        "one": np.array(1, np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["faces"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["floats"], ["flat"]),
            helper.make_node("MatMul", ["flat", "start"], ["sums"]),
            helper.make_node("Loop", ["", "true", "sums"], ["looped"], body=body),
            helper.make_node("Softmax", ["looped"], ["scores"]),
        ],
        "endless",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", 48, 48, 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 7])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return write_card(model.SerializeToString(), ModelCard("endless", tuple("abcdefg")))


def test_endless_graph_is_an_error(monkeypatch):
    monkeypatch.setattr(classifier, "FIRST_RUN_SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"failed while running: it was not finished after 0.5 seconds"):
        load_classifier(endless_model())
    assert time.monotonic() - start < 20
