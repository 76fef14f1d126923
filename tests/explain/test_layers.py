"""Layers of a network: graph, names, activations, receptive fields and costs, compared with onnx and with the image."""

import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fakes import FakeDetector
from mien import Engine
from mien.explain.layers import LayerTensor, NetworkStructure, build_layer_names
from mien.explain.onnx_graph import OnnxGraph
from mien.models import IntermediateOutputs, ModelCard, load_classifier, resolve_model, write_card
from patch_network import SIDE, build_patch_network, make_patch_faces
from tiny import tiny_model

AUTO_LAYERS = ("stem", "stage1.block2", "stage2.block2", "stage3.block2", "views", "pooled", "scores.logits")


@pytest.fixture(scope="module")
def base():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def crop():
    return np.random.default_rng(3).integers(0, 256, (48, 48)).astype(np.uint8)


def make_engine(model: bytes) -> Engine:
    return Engine(load_classifier(model), FakeDetector())


def test_graph_has_the_nodes_and_constants_that_onnx_reads():
    path = resolve_model("base")
    graph, expected = OnnxGraph(path), onnx.load(path).graph
    for node, other in zip(graph.nodes, expected.node, strict=True):
        assert (node.op, node.inputs, node.outputs) == (other.op_type, tuple(other.input), tuple(other.output))
        assert node.attributes == {each.name: helper.get_attribute_value(each) for each in other.attribute}
    for initializer in expected.initializer:
        values, constant = numpy_helper.to_array(initializer), graph.constant(initializer.name)
        assert constant.dtype == values.dtype
        np.testing.assert_array_equal(constant, values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64, np.bool_])
@pytest.mark.parametrize("raw", [True, False])
def test_constants_of_every_type_are_decoded(dtype, raw):
    expected = np.array([[0, 1, -2], [3, 100, 0]]).astype(dtype)
    code = helper.np_dtype_to_tensor_dtype(expected.dtype)
    values = expected.tobytes() if raw else expected.ravel().tolist()
    model = onnx.load_from_string(tiny_model())
    model.graph.initializer.append(helper.make_tensor("weights", code, expected.shape, values, raw=raw))
    constant = OnnxGraph(model.SerializeToString()).constant("weights")
    assert constant.dtype == expected.dtype
    np.testing.assert_array_equal(constant, expected)


def test_layers_have_short_unique_names(base):
    assert base.layers[:4] == ("stem.conv", "stem", "stage1.block1.conv1", "stage1.block1.relu1")
    assert {"stage2.block1.short.pool", "stage3.block2", "views", "pooled", "scores.logits"} <= set(base.layers)
    assert len(set(base.layers)) == len(base.layers)


def test_auto_selects_the_last_layer_of_each_stage(base, crop):
    assert tuple(layer.name for layer in base.explain(crop, methods=()).layers) == AUTO_LAYERS
    assert tuple(layer.name for layer in base.activations(crop).layers) == AUTO_LAYERS


def test_selected_layers_come_in_the_order_of_the_network(base, crop):
    for layers in ("stage2.block2, stem", ["stage2.block2", "stem"]):
        assert [layer.name for layer in base.explain(crop, (), layers).layers] == ["stem", "stage2.block2"]
    assert len(base.explain(crop, (), "all").layers) == len(base.layers)
    assert base.explain(crop, (), ()).layers == ()


def test_activations_are_the_tensors_of_the_graph(base, crop):
    layers = base.explain(crop, (), "all").layers
    session = IntermediateOutputs(resolve_model("base"), [layer.tensor for layer in layers])
    tensors = session.run(crop[None, :, :, None])
    for layer in layers:
        expected = tensors[layer.tensor][0].reshape(layer.shape)
        # Rounded to eight bits where the network itself continues with the rounded values.
        tolerance = max(np.abs(expected).max() / 50, 1e-5)
        assert np.abs(layer.activations - expected).max() <= tolerance, layer.name
        assert layer.activations.dtype == np.float32
        assert sorted(layer.order) == list(range(layer.shape[0]))
        with pytest.raises(ValueError, match="read-only"):
            layer.activations[0] = 0
    assert {layer.kind for layer in layers} == {"conv", "activation", "sum", "views", "pool", "dense", "softmax"}


def test_channels_with_zero_activation_are_counted(base):
    layer = base.explain(np.zeros((48, 48), np.uint8), (), "stage3.block2").layers[0]
    constant = [channel for channel in layer.order if not np.ptp(layer.activations[channel])]
    assert layer.zero_activation == len(constant) > 0
    strength = np.abs(layer.activations).mean(axis=(1, 2))
    assert strength[layer.order[0]] == strength.max()


@pytest.mark.parametrize("name", ["stem", "stage1.block1.conv1", "stage1.block2", "stage2.block1.conv1"])
def test_value_depends_on_the_pixels_of_its_receptive_field_only(base, name):
    crop = np.random.default_rng(0).integers(90, 160, (48, 48)).astype(np.uint8)
    layer = base.explain(crop, (), name).layers[0]
    row = layer.shape[1] // 2
    centre = layer.receptive_field.offset_y + row * layer.receptive_field.stride
    low, high = (round(centre + sign * (layer.receptive_field.size - 1) / 2) for sign in (-1, 1))
    outside = crop.copy()
    outside[: max(low, 0)], outside[high + 1 :] = 255, 255
    outside[:, : max(low, 0)], outside[:, high + 1 :] = 255, 255
    changed = base.explain(outside, (), name).layers[0]
    np.testing.assert_array_equal(layer.activations[:, row, row], changed.activations[:, row, row])
    border = crop.copy()
    border[max(low, 2)] = 255
    changed = base.explain(border, (), name).layers[0]
    assert (changed.activations[:, row] != layer.activations[:, row]).any()


def test_costs_are_those_of_the_card(base, crop):
    costs = base.explain(crop, (), ()).costs
    assert sum(cost.multiply_adds for cost in costs) == base.card.multiply_adds
    # The card counts the normalizations that the export has folded into the convolutions.
    assert 0.98 * base.card.parameters < sum(cost.parameters for cost in costs) <= base.card.parameters


def test_kernels_explain_the_activations_of_the_first_convolution(base, crop):
    explanation = base.explain(crop, (), "stem.conv")
    kernels, layer = explanation.kernels, explanation.layers[0]
    assert (kernels.layer, kernels.weights.shape) == ("stem.conv", (len(layer.activations), 1, 3, 3))
    corner = 0 if base.card.recipe["net"]["views"] == 4 else 2  # the first of four views is the one from a corner
    pixels = (crop.astype(np.float32) / 63.75 - 2)[corner : corner + 44, corner : corner + 44]
    positions = [(row, column) for row in range(2, 20, 3) for column in range(2, 20, 3)]
    patches = np.stack([pixels[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] for row, column in positions])
    expected = np.einsum("pij,cij->cp", patches, kernels.weights[:, 0])
    actual = np.stack([layer.activations[:, row, column] for row, column in positions], axis=1)
    # The bias of each channel is the same at all positions.
    expected, actual = (each - each.mean(axis=1, keepdims=True) for each in (expected, actual))
    assert np.corrcoef(expected.ravel(), actual.ravel())[0, 1] > 0.99


def test_graph_of_another_exporter_gets_names():
    engine = make_engine(tiny_model())
    assert engine.layers == ("conv", "relu", "pool", "scores.logits", "scores", "votes.logits", "votes")
    layer = engine.explain(np.full((8, 8), 90, np.uint8), (), "all").layer("pool")
    assert (layer.kind, layer.shape, layer.receptive_field) == ("pool", (2, 4, 4), (4, 2.0, 0.5, 0.5))


def test_slice_with_computed_bounds_is_accepted():
    """The end of the slice is computed from the shape, so it is not a constant."""
    proto = onnx.load_from_string(tiny_model())
    nodes = list(proto.graph.node)
    index = next(i for i, node in enumerate(nodes) if node.op_type == "Conv")
    source = nodes[index].input[0]
    bounds = {"starts": [0], "axes": [3], "steps": [1], "index": [3]}
    proto.graph.initializer.extend(numpy_helper.from_array(np.array(v, np.int64), k) for k, v in bounds.items())
    added = [
        helper.make_node("Shape", [source], ["shape"]),
        helper.make_node("Gather", ["shape", "index"], ["ends"]),
        helper.make_node("Slice", [source, "starts", "ends", "axes", "steps"], ["sliced"]),
    ]
    nodes[index].input[0] = "sliced"
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes[:index], *added, *nodes[index:]])
    explanation = make_engine(proto.SerializeToString()).explain(np.full((8, 8), 90, np.uint8), (), "all")
    assert explanation.layer("conv").receptive_field is not None


def build_model(name, nodes, constants) -> bytes:
    """A model with an input of 12 x 12 pixels and three labels."""
    inputs = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", 12, 12, 1])
    outputs = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, name, [inputs], [outputs], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return write_card(model.SerializeToString(), ModelCard(name, ("a", "b", "c"), side=12))


def build_numbered_model(layout: str) -> bytes:
    """As other exporters write it: numbers as names, the dense layer in two nodes, pooling in either layout."""
    random = np.random.default_rng(0)
    constants = {
        "w": random.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "dense": random.normal(size=(4, 3)).astype(np.float32),
        "bias": random.normal(size=3).astype(np.float32),
        "half": np.float32(0.5),
    }
    maps, axes = ("3", [2, 3]) if layout == "channels first" else ("4", [1, 2])
    nodes = [
        helper.make_node("Transpose", ["faces"], ["1"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["1", "w"], ["2"], auto_pad="SAME_UPPER", strides=[2, 2]),
        helper.make_node("Relu", ["2"], ["3"]),
        helper.make_node("Transpose", ["3"], ["4"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", [maps], ["5"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["5", "dense"], ["6"]),
        helper.make_node("Add", ["6", "bias"], ["7"]),
        helper.make_node("Mul", ["7", "half"], ["8"]),
        helper.make_node("Softmax", ["8"], ["9"]),
        helper.make_node("Identity", ["9"], ["scores"]),
    ]
    return build_model("numbered", nodes, constants)


@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_head_is_located_in_the_graph_of_another_exporter(layout):
    engine = make_engine(build_numbered_model(layout))
    crop = np.random.default_rng(1).integers(0, 256, (12, 12)).astype(np.uint8)
    explanation = engine.explain(crop, "cam", "all")
    assert explanation.maps[0].method == "cam"
    assert explanation.notes == ()
    total = sum(each.amount for each in explanation.contributions) + explanation.bias
    assert total == pytest.approx(dict(explanation.logits)[explanation.target], rel=1e-3)
    assert [layer.kind for layer in explanation.layers] == ["conv", "activation", "pool", "dense", "softmax"]
    assert engine.layers == ("conv", "activation", "pool", "dense", "softmax")


def build_shuffling_model() -> bytes:
    """Channels are shuffled with reshapes of five axes, so the positions cannot be traced through the graph."""
    random = np.random.default_rng(0)
    constants = {
        "w": random.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "dense": random.normal(size=(4, 3)).astype(np.float32),
        "grouped": np.array([-1, 2, 2, 10, 10]),
        "flat": np.array([-1, 4, 10, 10]),
    }
    nodes = [
        helper.make_node("Transpose", ["faces"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w"], ["conv"]),
        helper.make_node("Reshape", ["conv", "grouped"], ["groups"]),
        helper.make_node("Transpose", ["groups"], ["mixed"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["mixed", "flat"], ["shuffled"]),
        helper.make_node("Relu", ["shuffled"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
        helper.make_node("MatMul", ["vector", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    return build_model("shuffling", nodes, constants)


def test_layer_without_traced_positions_has_no_class_map():
    engine = make_engine(build_shuffling_model())
    crop = np.random.default_rng(1).integers(0, 256, (12, 12)).astype(np.uint8)
    explanation = engine.explain(crop, "cam", "all")
    assert explanation.layer("relu").shape == (4, 10, 10)
    assert explanation.layer("relu").receptive_field is None
    assert [each.method for each in explanation.maps] == ["occlusion"]
    assert any("occlusion replaces" in note for note in explanation.notes)
    assert engine.activations(crop).map is None


def test_patch_network_has_five_layers_and_a_pooled_head():
    structure = NetworkStructure(build_patch_network(), SIDE, 1)
    assert structure.head.pooled.maps == "patch"
    names = ["stripes.conv", "stripes", "pooled", "scores.logits", "scores"]
    assert [layer.name for layer in structure.layers] == names


def test_threads_with_different_layers_get_their_own_activations(base):
    crops = np.random.default_rng(5).integers(0, 256, (12, 48, 48)).astype(np.uint8)
    layers = [("stem",), ("stage1.block1",), ("stage2.block2", "stem"), "auto", "all", ("pooled",)]
    expected = [base.activations(crop, layers[i % len(layers)]) for i, crop in enumerate(crops)]
    wrong = []

    def compare(i):
        for _ in range(3):
            activations = base.activations(crops[i], layers[i % len(layers)])
            same = activations.emotions == expected[i].emotions and all(
                np.array_equal(one.activations, other.activations)
                for one, other in zip(activations.layers, expected[i].layers, strict=True)
            )
            if not same:
                wrong.append(i)

    threads = [threading.Thread(target=compare, args=(i,)) for i in range(len(crops))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_explanations_do_not_change_the_scores(base):
    faces = make_patch_faces(3)
    before = base.score(faces)
    base.activations(faces[0], "all")
    base.explain(faces[1], "occlusion")
    np.testing.assert_array_equal(base.score(faces), before)


@pytest.mark.parametrize(
    ("tensors", "names"),
    [
        (
            [
                ("conv", "f/f/first_1/convolution:0"),
                ("activation", "f/f/first_1/Relu:0"),
                ("conv", "Conv__138:0"),
                ("pool", "f/f/max_pooling2d_1/MaxPool2d:0"),
                ("dense", "f/f/dense_1/BiasAdd:0"),
                ("softmax", "Identity:0"),
            ],
            ["first_1", "first_1.Relu", "conv", "max_pooling2d_1", "dense_1", "softmax"],
        ),
        ([("conv", "12"), ("activation", "13"), ("conv", "onnx::Conv_14")], ["conv1", "activation", "conv2"]),
        ([("conv", "a/x"), ("pool", "a/x:0"), ("pool", "a/x:1")], ["x.conv", "x.pool1", "x.pool2"]),
        (
            [("conv", "stem/conv"), ("activation", "stem/relu"), ("views", "average/together")],
            ["stem.conv", "stem", "views"],
        ),
    ],
)
def test_tensor_names_become_short_and_unique(tensors, names):
    assert build_layer_names([LayerTensor(kind, tensor) for kind, tensor in tensors]) == names
