"""Export: the ONNX graph computes what Keras does, under names worth reading, with its card; or it is refused."""

import dataclasses
import io
import json

import numpy as np
import onnx
import pytest

from exported_networks import FITTED, RECIPE, seasoned
from fakes import FakeDetector
from mien import Engine
from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, SourceSettings, sample_validation
from mien.errors import ExperimentError
from mien.models import ModelCard, list_tensors, load_classifier, write_card
from mien.training.recipe import DistillationSettings, NetworkSettings, Recipe

keras = pytest.importorskip("keras")
export = pytest.importorskip("mien.export.onnx")
pytestmark = pytest.mark.train

from mien.evaluation.calibration import softmax  # noqa: E402
from mien.export.keras_to_onnx import build_onnx_model  # noqa: E402
from mien.training import checkpoint, environment, networks  # noqa: E402


def packed(model, fitted=FITTED):
    card = export.card_of(model, RECIPE, fitted, "tiny")
    return write_card(build_onnx_model(model, fitted.temperatures).SerializeToString(), card)


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(560, seed=8)


NETS = [
    RECIPE.net,
    NetworkSettings(width=4, depth=(1,), votes=False, crop=False),
    NetworkSettings(width=4, depth=(1, 2), views=2),
    NetworkSettings(width=4, depth=(1, 2), views=4),
    NetworkSettings(name="basic"),
    NetworkSettings(name="basic", width=1, views=2),
    NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1)),
    NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1), order="pool-norm"),
    NetworkSettings(name="fiveclass"),
    NetworkSettings(name="vgg", width=4, depth=(2, 1)),
    NetworkSettings(name="vgg16"),
    NetworkSettings(name="mobilenetv2", input_size=64),
    NetworkSettings(name="mobilenetv2", input_size=64, views=2),
    NetworkSettings(name="efficientnetb0"),
    pytest.param(NetworkSettings(name="resnet50v2", input_size=56), marks=pytest.mark.slow, id="resnet50v2"),
]


@pytest.mark.parametrize("net", NETS, ids=lambda net: f"{net.name}-{net.order}-{net.width}-{net.views}")
def test_keras_and_onnx_agree(net, faces):
    model = seasoned(net)
    fitted = dataclasses.replace(FITTED, temperatures=dict.fromkeys(model.output_names, 1.3))
    classifier = load_classifier(packed(model, fitted))
    assert export.refuse_unless_equal(model, fitted, classifier, faces.pixels[:9]) < export.TOLERANCE
    # Faces that are told apart: else nothing but the heads would have been compared.
    assert classifier.run(faces.pixels[:20, ..., None]).scores.std(0).max() > 0.002


@pytest.fixture(scope="module", params=[2, 4])
def views(request):
    return request.param


@pytest.fixture(scope="module")
def looks_twice(views):
    """A file whose net looks at a face in several ways, and the same net that does not."""
    twice = seasoned(dataclasses.replace(RECIPE.net, views=views))
    once = networks.build_network(RECIPE.net)
    once.set_weights(twice.get_weights())
    return packed(twice), packed(once)


def test_a_face_and_its_mirror_image_get_the_same_answer(looks_twice, faces):
    twice, once = (load_classifier(each) for each in looks_twice)
    few = faces.pixels[:20, ..., None]
    turned = np.ascontiguousarray(few[:, :, ::-1])
    assert np.abs(once.run(few).scores - once.run(turned).scores).max() > 1e-3
    for answer, again in zip(twice.run(few), twice.run(turned), strict=True):
        np.testing.assert_allclose(answer, again, atol=1e-5)


def test_inside_a_net_of_several_views_one_sees_the_first_and_then_the_mean(looks_twice, views, faces):
    twice, once = (Engine(load_classifier(each), FakeDetector()) for each in looks_twice)
    crop = faces.pixels[0]
    assert [name for name in twice.layers if name != "views"] == list(once.layers)
    deep, told = "stage2.block2", twice.explain(crop, "cam", "all")
    # What a corner shows, moved to where a net of one view looks.
    moves = {2: (0,), 4: (2, -2)}[views]
    seen = [np.roll(each, (by, by), (0, 1)) for by in moves for each in (crop, crop[:, ::-1])]
    alone = [once.explain(np.ascontiguousarray(each), (), "all") for each in seen]
    for name in ("stem.conv", deep):
        layer, there = told.layer(name), alone[0].layer(name)
        np.testing.assert_allclose(layer.activations, there.activations, atol=1e-4)
        moved = there.receptive_field._replace(
            offset=there.receptive_field.offset - moves[0], offset_x=there.receptive_field.offset_x - moves[0]
        )
        assert layer.receptive_field == moved
    maps = [each.layer(deep).activations for each in alone]
    mean = np.mean([each[..., ::-1] if place % 2 else each for place, each in enumerate(maps)], axis=0)
    np.testing.assert_allclose(told.layer("views").activations, mean, atol=1e-4)
    assert told.layer("views").kind == "views"
    # The evidence is that of the mean, and adds up to the answer.
    logit = sum(each.amount for each in told.contributions) + told.bias
    wanted = next(each.score for each in told.logits if each.label == told.target) / told.temperature
    assert logit == pytest.approx(wanted, abs=1e-3)
    assert told.maps[0].parameters["layer"] == "views"


def test_the_class_map_of_a_mirror_image_is_the_mirror_image_of_the_class_map(looks_twice, faces):
    """Padding at one end alone moves what a net finds; that of the mirror image moves it to the other side."""
    twice = Engine(load_classifier(looks_twice[0]), FakeDetector())
    crop = faces.pixels[1]
    drawn, turned = (
        twice.explain(each, "cam", "views", target="happy", versus="sad")
        for each in (crop, np.ascontiguousarray(crop[:, ::-1]))
    )
    assert np.ptp(drawn.maps[0].map) > 0
    np.testing.assert_allclose(
        drawn.maps[0].map, turned.maps[0].map[:, ::-1], atol=1e-3 * np.abs(drawn.maps[0].map).max()
    )
    receptive_field = drawn.layer("views").receptive_field
    places = drawn.layer("views").shape[2]
    assert receptive_field.offset_x + (places - 1) * receptive_field.stride / 2 == pytest.approx(
        47 / 2
    )  # in the middle
    assert receptive_field.offset != receptive_field.offset_x


@pytest.mark.parametrize(
    "net",
    [RECIPE.net, NetworkSettings(name="basic"), NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1))],
    ids=lambda net: net.name,
)
def test_the_costs_of_looking_twice_are_those_of_the_card(net):
    classifier = load_classifier(packed(seasoned(dataclasses.replace(net, views=2))))
    told = Engine(classifier, FakeDetector()).explain(np.full((48, 48), 90, np.uint8), ())
    assert sum(cost.multiply_adds for cost in told.costs) == classifier.card.multiply_adds


def test_a_graph_that_differs_is_refused(faces):
    model = seasoned(RECIPE.net)
    other = dataclasses.replace(FITTED, temperatures={"shares": 3.0, "votes": 0.8})
    with pytest.raises(ExperimentError, match="Keras and ONNX Runtime differ by"):
        export.refuse_unless_equal(model, FITTED, load_classifier(packed(model, other)), faces.pixels[:9])


def test_the_temperature_is_inside_the_graph(faces):
    model = seasoned(RECIPE.net)
    logits = export.logits_by_head(model, faces.pixels[:5])
    outputs = load_classifier(packed(model)).run(faces.pixels[:5, ..., None])
    assert np.allclose(outputs.scores, softmax(logits["shares"] / 1.3), atol=1e-5)
    assert np.allclose(outputs.votes, softmax(logits["votes"] / 0.8), atol=1e-5)


def test_inner_tensors_have_the_names_of_the_layers():
    names = {tensor.name for tensor in list_tensors(packed(seasoned(RECIPE.net)))}
    wanted = {"stem/relu", "stage1/block1/relu", "stage2/block1/short/pool", "stage2/block2/2/conv", "pooled"}
    assert wanted <= names
    assert not [name for name in names if "norm" in name]


def test_a_layer_that_is_not_ours_is_refused():
    inputs = keras.Input((48, 48, 1), name="faces")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Softmax(name="odd")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7, name="shares")(x))
    with pytest.raises(ExperimentError, match="odd of kind Softmax"):
        build_onnx_model(model, {})


def finished(folder, net=RECIPE.net):
    model = seasoned(net)
    checkpoint.save_state(folder, model.get_weights(), dataclasses.replace(RECIPE, net=net), [{"epoch": 1}])
    checkpoint.save_weights(folder, model)
    return model


def test_other_faces_than_the_run_learned_from_are_refused(tmp_path, faces):
    finished(tmp_path / "run")
    about = {"data": environment.describe_data(RECIPE, faces)}
    (tmp_path / "run" / "environment.json").write_text(json.dumps(about))
    export.export(tmp_path / "run", faces, tmp_path / "m.onnx")
    fewer = faces.take(np.arange(len(faces)) % 50 > 0)
    for told in (about, {"data": {"fingerprint": about["data"]["fingerprint"]}}):
        (tmp_path / "run" / "environment.json").write_text(json.dumps(told))
        with pytest.raises(ExperimentError, match="held other faces out than would be held out of these"):
            export.export(tmp_path / "run", fewer, tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def test_a_run_of_few_classes_knows_its_faces(tmp_path, faces):
    """By those held out, and where a run wrote less down once by all there were, of other classes too."""
    few = dataclasses.replace(RECIPE, data=DataSettings(validation=14, classes=("happy", "sad", "neutral")))
    model = networks.build_recipe_network(few, "float32")
    checkpoint.save_state(tmp_path / "run", model.get_weights(), few, [{"epoch": 1}])
    checkpoint.save_weights(tmp_path / "run", model)
    now = environment.describe_data(few, faces)
    for told in (now, {"fingerprint": now["fingerprint"]}):
        (tmp_path / "run" / "environment.json").write_text(json.dumps({"data": told}))
        assert len(export.finished(tmp_path / "run", faces).kept) == 14
        with pytest.raises(ExperimentError, match="held other faces out"):
            export.finished(tmp_path / "run", faces.take(np.arange(len(faces)) % 50 > 0))


def test_a_run_becomes_a_file_with_its_card(tmp_path, faces):
    model = finished(tmp_path / "run")
    export.export(tmp_path / "run", faces, tmp_path / "m.onnx", notes={"looks": 2})
    card = ModelCard.read(tmp_path / "m.onnx")
    assert (card.name, card.parameters, card.multiply_adds) == (
        "tiny",
        model.count_params(),
        networks.count_multiply_adds(model),
    )
    assert card.metrics["looks"] == 2
    assert card.metrics["faces"] == int((faces.usage == "PublicTest").sum())
    assert Recipe.from_table(card.recipe) == RECIPE
    kept = faces.take(sample_validation(faces, 35))
    certain = load_classifier(tmp_path / "m.onnx").run(kept.pixels[..., None]).scores.max(1) >= card.uncertain_below
    assert certain.mean() == pytest.approx(0.85, abs=0.06)  # two of 35 faces: processors round differently


def test_the_eight_bit_file_is_small_and_nearly_the_same(tmp_path, faces):
    finished(tmp_path / "run", NetworkSettings(width=16, depth=(1, 2)))
    for name, eight_bit in (("float.onnx", False), ("int8.onnx", True)):
        export.export(tmp_path / "run", faces, tmp_path / name, eight_bit=eight_bit)
    assert (tmp_path / "int8.onnx").stat().st_size < 0.6 * (tmp_path / "float.onnx").stat().st_size
    assert ModelCard.read(tmp_path / "int8.onnx").scores["precision"] == "int8"
    ours, theirs = (
        load_classifier(tmp_path / name).run(faces.pixels[:60, ..., None]).scores
        for name in ("int8.onnx", "float.onnx")
    )
    assert 0 < np.abs(ours - theirs).max() < 0.1


def test_without_held_out_faces_the_cost_is_told_on_those_learned_from(tmp_path, faces):
    model = seasoned(RECIPE.net)
    recipe = dataclasses.replace(RECIPE, data=DataSettings(validation=0))
    checkpoint.save_state(tmp_path / "run", model.get_weights(), recipe, [{"epoch": 1}])
    checkpoint.save_weights(tmp_path / "run", model)
    export.export(tmp_path / "run", faces, tmp_path / "half.onnx", sixteen_bit=True, split="")
    scores = ModelCard.read(tmp_path / "half.onnx").scores
    assert abs(scores["learned_accuracy_float16"] - scores["learned_accuracy"]) < 0.02


def test_a_smaller_file_that_costs_too_much_is_refused(tmp_path, faces, monkeypatch):
    finished(tmp_path / "run")
    told = iter([{"held_out_accuracy": 0.7}, {"held_out_accuracy": 0.55}])
    monkeypatch.setattr(export, "_right", lambda content, done: next(told))
    monkeypatch.setattr(export, "FACES", 20)
    with pytest.raises(ExperimentError, match=r"int8 costs 15.0 points of accuracy. At most 10 points"):
        export.export(tmp_path / "run", faces, tmp_path / "m.onnx", eight_bit=True)
    assert not (tmp_path / "m.onnx").exists()


def test_sixteen_bits_halve_the_file_and_hardly_change_it(tmp_path, faces):
    finished(tmp_path / "run", NetworkSettings(name="basic"))
    for name, sixteen_bit in (("float.onnx", False), ("half.onnx", True)):
        export.export(tmp_path / "run", faces, tmp_path / name, sixteen_bit=sixteen_bit)
    sizes = [(tmp_path / name).stat().st_size for name in ("half.onnx", "float.onnx")]
    assert sizes[0] < 0.55 * sizes[1]
    scores = ModelCard.read(tmp_path / "half.onnx").scores
    assert scores["precision"] == "float16"
    assert abs(scores["held_out_accuracy_float16"] - scores["held_out_accuracy"]) < 0.06
    ours, theirs = (
        load_classifier(tmp_path / name).run(faces.pixels[:60, ..., None]).scores
        for name in ("half.onnx", "float.onnx")
    )
    assert 0 < np.abs(ours - theirs).max() < 0.01


def test_a_card_tells_no_folder_of_the_machine():
    recipe = dataclasses.replace(
        RECIPE,
        data=DataSettings(sources=(SourceSettings("/data/secret/fer2013.csv"),)),
        net=NetworkSettings(weights="/data/secret/weights.npz"),
        distillation=DistillationSettings("/data/secret/t.npz", ("/data/secret/runs/a",)),
    )
    table = export.card_of(seasoned(RECIPE.net), recipe, FITTED, "tiny").recipe
    assert "secret" not in str(table)
    assert table["teach"]["runs"] == ("a",)


def test_weights_have_seven_bits_so_that_no_processor_overflows(tmp_path, faces):
    """Two products of uint8 and int8 are added in 16 bits where there is no VNNI."""
    finished(tmp_path / "run", NetworkSettings(width=16, depth=(1, 2)))
    export.export(tmp_path / "run", faces, tmp_path / "int8.onnx", eight_bit=True)
    tensors = onnx.load(tmp_path / "int8.onnx").graph.initializer
    weights = [onnx.numpy_helper.to_array(each) for each in tensors if each.data_type == onnx.TensorProto.INT8]
    weights = [each for each in weights if each.ndim == 4]
    assert len(weights) >= 5
    assert 32 < max(np.abs(each.astype(int)).max() for each in weights) <= 64
    assert 2 * 255 * 64 < 2**15


def test_a_card_claims_four_places_at_every_depth():
    assert export.rounded({"a": [0.123456, {"b": 1 / 3}], "n": 7, "none": None}) == {
        "a": [0.1235, {"b": 0.3333}],
        "n": 7,
        "none": None,
    }


def test_an_unfinished_run_is_named(tmp_path, faces):
    with pytest.raises(ExperimentError, match="is no training run"):
        export.export(tmp_path, faces, tmp_path / "m.onnx")
    checkpoint.save_state(tmp_path, [], RECIPE, [{"epoch": 1}])
    with pytest.raises(ExperimentError, match="holds no finished run"):
        export.export(tmp_path, faces, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_state_is_a_plain_npz(tmp_path):
    checkpoint.save_state(tmp_path, [np.arange(3)], RECIPE, [{"epoch": 1, "loss": 2.0}])
    with np.load(io.BytesIO((tmp_path / "state.npz").read_bytes()), allow_pickle=False) as file:
        assert file["0000"].tolist() == [0, 1, 2]
    assert (tmp_path / "history.csv").read_text() == "epoch,loss\n1,2.0\n"
