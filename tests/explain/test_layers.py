"""What is inside a network: names, kinds, activations, reach and cost, held against onnx and against the picture."""

import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fakes import FakeDetector
from known import SIDE, faces, known_model
from mien import Engine
from mien.explain.layers import LayerTensor, NetworkStructure, build_layer_names
from mien.explain.onnx_graph import OnnxGraph
from mien.models import IntermediateOutputs, ModelCard, load_classifier, resolve_model, write_card
from tiny import tiny_model

AUTO = ("stem", "stage1.block2", "stage2.block2", "stage3.block2", "views", "pooled", "shares.logits")


@pytest.fixture(scope="module")
def base():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def crop():
    return np.random.default_rng(3).integers(0, 256, (48, 48)).astype(np.uint8)


def test_the_blueprint_reads_what_onnx_reads():
    path = resolve_model("base")
    ours, theirs = OnnxGraph(path), onnx.load(path).graph
    for node, other in zip(ours.nodes, theirs.node, strict=True):
        assert (node.op, node.inputs, node.outputs) == (other.op_type, tuple(other.input), tuple(other.output))
        assert node.attributes == {each.name: helper.get_attribute_value(each) for each in other.attribute}
    for stored in theirs.initializer:
        wanted, found = numpy_helper.to_array(stored), ours.constant(stored.name)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64, np.bool_])
@pytest.mark.parametrize("raw", [True, False])
def test_constants_of_every_kind_are_read(kind, raw):
    wanted = np.array([[0, 1, -2], [3, 100, 0]]).astype(kind)
    code = helper.np_dtype_to_tensor_dtype(wanted.dtype)
    values = wanted.tobytes() if raw else wanted.ravel().tolist()
    stored = helper.make_tensor("weights", code, wanted.shape, values, raw=raw)
    model = onnx.load_from_string(tiny_model())
    model.graph.initializer.append(stored)
    found = OnnxGraph(model.SerializeToString()).constant("weights")
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


def test_layers_have_names_that_people_understand(base):
    assert base.layers[:4] == ("stem.conv", "stem", "stage1.block1.conv1", "stage1.block1.relu1")
    assert {"stage2.block1.short.pool", "stage3.block2", "pooled", "shares.logits", "shares"} <= set(base.layers)
    assert len(set(base.layers)) == len(base.layers)


def test_auto_shows_the_end_of_each_stage(base, crop):
    assert tuple(layer.name for layer in base.explain(crop, methods=()).layers) == AUTO
    assert tuple(layer.name for layer in base.activations(crop).layers) == AUTO


def test_names_may_be_chosen_in_any_way_and_come_in_the_order_of_the_network(base, crop):
    for layers in ("stage2.block2, stem", ["stage2.block2", "stem"]):
        assert [layer.name for layer in base.explain(crop, (), layers).layers] == ["stem", "stage2.block2"]
    assert len(base.explain(crop, (), "all").layers) == len(base.layers)
    assert base.explain(crop, (), ()).layers == ()


def test_activations_are_the_tensors_of_the_graph(base, crop):
    told = base.explain(crop, (), "all")
    names = [layer.tensor for layer in told.layers]
    wanted = IntermediateOutputs(resolve_model("base"), names).run(crop[None, :, :, None])
    for layer in told.layers:
        other = wanted[layer.tensor][0].reshape(layer.shape)
        # Rounded to eight bits where the network itself goes on with the rounded ones.
        assert np.abs(layer.activations - other).max() <= max(np.abs(other).max() / 50, 1e-5), layer.name
        assert layer.activations.dtype == np.float32
        assert sorted(layer.order) == list(range(layer.shape[0]))
        with pytest.raises(ValueError, match="read-only"):
            layer.activations[0] = 0
    assert {layer.kind for layer in told.layers} == {"conv", "activation", "sum", "views", "pool", "dense", "softmax"}


def test_dead_channels_are_counted_and_come_last(base):
    layer = base.explain(np.zeros((48, 48), np.uint8), (), "stage3.block2").layers[0]
    silent = [channel for channel in layer.order if not np.ptp(layer.activations[channel])]
    assert layer.zero_activation == len(silent) > 0
    strength = np.abs(layer.activations).mean(axis=(1, 2))
    assert strength[layer.order[0]] == strength.max()


@pytest.mark.parametrize("name", ["stem", "stage1.block1.conv1", "stage1.block2", "stage2.block1.conv1"])
def test_a_place_sees_what_its_reach_says_and_nothing_else(base, name):
    """Change the crop inside and outside of a place's reach, and see what happens to it."""
    crop = np.random.default_rng(0).integers(90, 160, (48, 48)).astype(np.uint8)
    layer = base.explain(crop, (), name).layers[0]
    place = layer.shape[1] // 2
    middle = layer.receptive_field.offset_y + place * layer.receptive_field.stride
    low, high = (round(middle + sign * (layer.receptive_field.size - 1) / 2) for sign in (-1, 1))
    outside = crop.copy()
    outside[: max(low, 0)], outside[high + 1 :] = 255, 255
    outside[:, : max(low, 0)], outside[:, high + 1 :] = 255, 255
    before, after = (base.explain(each, (), name).layers[0].activations[:, place, place] for each in (crop, outside))
    np.testing.assert_array_equal(before, after)
    rim = crop.copy()
    rim[max(low, 2)] = 255
    assert (base.explain(rim, (), name).layers[0].activations[:, place] != layer.activations[:, place]).any()


def test_costs_are_those_of_the_card(base, crop):
    costs = base.explain(crop, ()).costs
    assert sum(cost.multiply_adds for cost in costs) == base.card.multiply_adds
    # The card counts the normalisations that the graph has folded away.
    assert 0.98 * base.card.parameters < sum(cost.parameters for cost in costs) <= base.card.parameters


def test_the_kernels_are_those_of_the_first_convolution(base, crop):
    kernels = base.explain(crop, ()).kernels
    layer = base.explain(crop, (), "stem.conv").layers[0]
    assert (kernels.layer, kernels.weights.shape) == ("stem.conv", (len(layer.activations), 1, 3, 3))
    corner = 0 if base.card.recipe["net"]["views"] == 4 else 2  # the first of four views is that from a corner
    middle = (crop.astype(np.float32) / 63.75 - 2)[corner : corner + 44, corner : corner + 44]
    places = [(row, column) for row in range(2, 20, 3) for column in range(2, 20, 3)]
    seen = np.stack([middle[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] for row, column in places])
    wanted = np.einsum("pij,cij->cp", seen, kernels.weights[:, 0])
    got = np.stack([layer.activations[:, row, column] for row, column in places], axis=1)
    # Each channel has a bias, the same everywhere.
    wanted, got = (each - each.mean(axis=1, keepdims=True) for each in (wanted, got))
    assert np.corrcoef(wanted.ravel(), got.ravel())[0, 1] > 0.99


def test_a_foreign_graph_gets_names_too():
    model = load_classifier(tiny_model())
    engine = Engine(model, FakeDetector())
    assert engine.layers == ("conv", "relu", "pool", "shares.logits", "shares", "votes.logits", "votes")
    told = engine.explain(np.full((8, 8), 90, np.uint8), (), "all")
    assert told.layer("pool").kind == "pool"
    assert told.layer("pool").shape == (2, 4, 4)
    assert told.layer("pool").receptive_field == (4, 2.0, 0.5, 0.5)


def test_a_slice_that_depends_on_the_face_is_no_reason_to_stop():
    """Its end is computed from the shape, and so is not among the constants."""
    proto = onnx.load_from_string(tiny_model())
    nodes = list(proto.graph.node)
    place = next(i for i, node in enumerate(nodes) if node.op_type == "Conv")
    taken = nodes[place].input[0]
    bounds = {"from": [0], "along": [3], "steps": [1], "which": [3]}
    proto.graph.initializer.extend(numpy_helper.from_array(np.array(v, np.int64), k) for k, v in bounds.items())
    new = [
        helper.make_node("Shape", [taken], ["shape"]),
        helper.make_node("Gather", ["shape", "which"], ["end"]),
        helper.make_node("Slice", [taken, "from", "end", "along", "steps"], ["cut"]),
    ]
    nodes[place].input[0] = "cut"
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes[:place], *new, *nodes[place:]])
    engine = Engine(load_classifier(proto.SerializeToString()), FakeDetector())
    assert engine.explain(np.full((8, 8), 90, np.uint8), (), "all").layer("conv").receptive_field is not None


def numbered_model(layout: str) -> bytes:
    """As other exporters write them: numbers for names, a dense layer in two nodes, channels last at the end."""
    chance = np.random.default_rng(0)
    constants = {
        "w": chance.normal(size=(4, 1, 3, 3)),
        "dense": chance.normal(size=(4, 3)),
        "bias": chance.normal(size=3),
        "half": np.array(0.5),
    }
    maps, axes = ("3", [2, 3]) if layout == "first" else ("4", [1, 2])
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
        helper.make_node("Identity", ["9"], ["shares"]),
    ]
    entry = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", 12, 12, 1])
    answer = helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["N", 3])
    stored = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "numbered", [entry], [answer], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return write_card(model.SerializeToString(), ModelCard("numbered", ("a", "b", "c"), side=12))


@pytest.mark.parametrize("layout", ["first", "last"])
def test_class_maps_are_found_however_the_end_is_written(layout):
    engine = Engine(load_classifier(numbered_model(layout)), FakeDetector())
    crop = np.random.default_rng(1).integers(0, 256, (12, 12)).astype(np.uint8)
    told = engine.explain(crop, "cam", "all")
    assert told.maps[0].method == "cam"
    assert told.notes == ()
    total = sum(each.amount for each in told.contributions) + told.bias
    assert total == pytest.approx(dict(told.logits)[told.target], rel=1e-3)
    assert [layer.kind for layer in told.layers] == ["conv", "activation", "pool", "dense", "softmax"]
    assert engine.layers == ("conv", "activation", "pool", "dense", "softmax")


def test_the_known_network_is_whole():
    structure = NetworkStructure(known_model(), SIDE, 1)
    assert structure.head.pooled.maps == "patch"
    assert [layer.name for layer in structure.layers] == [
        "stripes.conv",
        "stripes",
        "pooled",
        "shares.logits",
        "shares",
    ]


def test_many_threads_may_look_at_once(base):
    """Different layers and faces from several threads: each gets its own answer."""
    crops = np.random.default_rng(5).integers(0, 256, (12, 48, 48)).astype(np.uint8)
    names = [("stem",), ("stage1.block1",), ("stage2.block2", "stem"), "auto", "all", ("pooled",)]
    wanted = {i: base.activations(crop, names[i % len(names)]) for i, crop in enumerate(crops)}
    wrong = []

    def look(i):
        for _ in range(3):
            found = base.activations(crops[i], names[i % len(names)])
            same = found.emotions == wanted[i].emotions and all(
                np.array_equal(one.activations, other.activations)
                for one, other in zip(found.layers, wanted[i].layers, strict=True)
            )
            if not same:
                wrong.append(i)

    threads = [threading.Thread(target=look, args=(i,)) for i in range(len(crops))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_looking_does_not_change_what_is_read(base):
    pictures = faces(3)
    before = base.score(pictures)
    base.activations(pictures[0], "all")
    base.explain(pictures[1], "occlusion")
    np.testing.assert_array_equal(base.score(pictures), before)


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
            [("conv", "stem/conv"), ("activation", "stem/relu"), ("pool", "stage1/pool")],
            ["stem.conv", "stem", "stage1.pool"],
        ),
    ],
)
def test_names_of_exporters_become_short_and_unique(tensors, names):
    assert build_layer_names([LayerTensor(kind, tensor) for kind, tensor in tensors]) == names


def shuffling_model() -> bytes:
    """Channels are shuffled on the way, which hides from a reader of the graph where the places are."""
    chance = np.random.default_rng(0)
    constants = {
        "w": chance.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "dense": chance.normal(size=(4, 3)).astype(np.float32),
        "apart": np.array([-1, 2, 2, 10, 10]),
        "whole": np.array([-1, 4, 10, 10]),
    }
    nodes = [
        helper.make_node("Transpose", ["faces"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w"], ["seen"]),
        helper.make_node("Reshape", ["seen", "apart"], ["groups"]),
        helper.make_node("Transpose", ["groups"], ["mixed"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["mixed", "whole"], ["shuffled"]),
        helper.make_node("Relu", ["shuffled"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["shares"]),
    ]
    entry = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", 12, 12, 1])
    answer = helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["N", 3])
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "shuffling", [entry], [answer], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return write_card(model.SerializeToString(), ModelCard("shuffling", ("a", "b", "c"), side=12))


def test_where_places_are_lost_layers_are_shown_and_class_maps_are_not_made_up():
    engine = Engine(load_classifier(shuffling_model()), FakeDetector())
    crop = np.random.default_rng(1).integers(0, 256, (12, 12)).astype(np.uint8)
    told = engine.explain(crop, "cam", "all")
    assert told.layer("relu").shape == (4, 10, 10)
    assert told.layer("relu").receptive_field is None
    assert [each.method for each in told.maps] == ["occlusion"]
    assert any("occlusion stands in" in note for note in told.notes)
    assert engine.activations(crop).map is None
