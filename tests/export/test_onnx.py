"""Export to ONNX: the graph computes what Keras does, has readable names and a card; otherwise it is refused."""

import dataclasses
import json

import numpy as np
import onnx
import pytest

from fakes import FakeDetector
from mien import Engine
from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, SourceSettings, sample_validation
from mien.errors import ExperimentError
from mien.labels import EMOTIONS
from mien.models import ModelCard, list_tensors, load_classifier, write_card
from mien.models.decision import build_emotions
from mien.training.plan import RunPlan
from mien.training.recipe import DistillationSettings, NetworkSettings, Recipe

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from exported_networks import CALIBRATION, RECIPE, finish_network, make_network, write_finished_run  # noqa: E402
from mien.evaluation.calibration import join_logits, softmax  # noqa: E402
from mien.export import onnx as onnx_export  # noqa: E402
from mien.export.keras_to_onnx import build_onnx_model  # noqa: E402
from mien.training import checkpoint, environment, networks  # noqa: E402


def export_network(model, calibration=CALIBRATION):
    """The content of an ONNX file with a card."""
    finished, temperatures, calibration = finish_network(model, calibration)
    card = onnx_export.make_card(model, RECIPE, calibration, "tiny")
    return write_card(build_onnx_model(finished, temperatures).SerializeToString(), card)


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(560, seed=8)


NETWORKS = [
    RECIPE.net,
    NetworkSettings(width=4, depth=(1,), votes=False, crop=False),
    NetworkSettings(width=4, depth=(1, 2), views=2),
    NetworkSettings(width=4, depth=(1, 2), views=4),
    NetworkSettings(name="basic"),
    NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1)),
    NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1), order="pool-norm"),
    NetworkSettings(name="fiveclass"),
    NetworkSettings(name="vgg", width=4, depth=(2, 1)),
    *(
        pytest.param(each, marks=pytest.mark.full)
        for each in (
            NetworkSettings(name="basic", width=1, views=2),
            NetworkSettings(name="vgg16"),
            NetworkSettings(name="mobilenetv2", input_size=64),
            NetworkSettings(name="mobilenetv2", input_size=64, views=2),
            NetworkSettings(name="efficientnetb0"),
            NetworkSettings(name="resnet50v2", input_size=56),
            NetworkSettings(name="face_resnet", input_size=96),
        )
    ),
]


@pytest.mark.parametrize("net", NETWORKS, ids=lambda net: f"{net.name}-{net.order}-{net.width}-{net.views}")
def test_keras_and_onnx_agree(net, faces):
    model = make_network(net)
    finished, temperatures, _ = finish_network(model)
    classifier = load_classifier(export_network(model))
    assert onnx_export.check_equal(finished, temperatures, classifier, faces.pixels[:9]) < onnx_export.TOLERANCE
    # The predictions differ between faces: otherwise only the heads would be compared.
    assert classifier.run(faces.pixels[:20, ..., None]).scores.std(0).max() > 0.002


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.full)])
def views(request):
    return request.param


@pytest.fixture(scope="module")
def view_files(views):
    """A file whose network has several views, and one of the same network with one view."""
    several = make_network(dataclasses.replace(RECIPE.net, views=views))
    single = networks.build_network(RECIPE.net)
    single.set_weights(several.get_weights())
    return export_network(several), export_network(single)


def test_face_and_mirror_image_get_the_same_scores(view_files, faces):
    several, single = (load_classifier(each) for each in view_files)
    batch = faces.pixels[:20, ..., None]
    mirrored = np.ascontiguousarray(batch[:, :, ::-1])
    assert np.abs(single.run(batch).scores - single.run(mirrored).scores).max() > 1e-3
    for scores, mirrored_scores in zip(several.run(batch), several.run(mirrored), strict=True):
        np.testing.assert_allclose(scores, mirrored_scores, atol=1e-5)


def test_explanation_has_the_activations_of_the_first_view_and_of_the_mean(view_files, views, faces):
    several, single = (Engine(load_classifier(each), FakeDetector()) for each in view_files)
    crop = faces.pixels[0]
    assert [name for name in several.layers if name != "views"] == list(single.layers)
    deep, explanation = "stage2.block2", several.explain(crop, "cam", "all")
    # Each crop, shifted to the crop of a network with one view.
    shifts = {2: (0,), 4: (2, -2)}[views]
    views_of_face = [np.roll(each, (by, by), (0, 1)) for by in shifts for each in (crop, crop[:, ::-1])]
    explanations = [single.explain(np.ascontiguousarray(each), (), "all") for each in views_of_face]
    for name in ("stem.conv", deep):
        layer, single_layer = explanation.layer(name), explanations[0].layer(name)
        np.testing.assert_allclose(layer.activations, single_layer.activations, atol=1e-4)
        field = single_layer.receptive_field
        expected = field._replace(offset_y=field.offset_y - shifts[0], offset_x=field.offset_x - shifts[0])
        assert layer.receptive_field == expected
    maps = [each.layer(deep).activations for each in explanations]
    mean = np.mean([each[..., ::-1] if index % 2 else each for index, each in enumerate(maps)], axis=0)
    np.testing.assert_allclose(explanation.layer("views").activations, mean, atol=1e-4)
    assert explanation.layer("views").kind == "views"
    # The contributions are those of the mean, and sum to the logit.
    logit = sum(each.amount for each in explanation.contributions) + explanation.bias
    expected = (
        next(each.score for each in explanation.logits if each.label == explanation.target) / explanation.temperature
    )
    assert logit == pytest.approx(expected, abs=1e-3)
    assert explanation.maps[0].parameters["layer"] == "views"


def test_cam_of_the_mirror_image_is_the_mirrored_cam(view_files, faces):
    """Padding at one end alone shifts the feature maps; that of the mirror image shifts them to the other side."""
    several = Engine(load_classifier(view_files[0]), FakeDetector())
    crop = faces.pixels[1]
    original, mirrored = (
        several.explain(each, "cam", "views", target="happy", versus="sad")
        for each in (crop, np.ascontiguousarray(crop[:, ::-1]))
    )
    assert np.ptp(original.maps[0].map) > 0
    np.testing.assert_allclose(
        original.maps[0].map, mirrored.maps[0].map[:, ::-1], atol=1e-3 * np.abs(original.maps[0].map).max()
    )
    receptive_field = original.layer("views").receptive_field
    positions = original.layer("views").shape[2]
    assert receptive_field.offset_x + (positions - 1) * receptive_field.stride / 2 == pytest.approx(
        47 / 2
    )  # in the middle
    assert receptive_field.offset_y != receptive_field.offset_x


@pytest.mark.parametrize(
    "net",
    [RECIPE.net, NetworkSettings(name="basic"), NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1))],
    ids=lambda net: net.name,
)
def test_multiply_adds_of_the_layers_sum_to_those_of_the_card(net):
    classifier = load_classifier(export_network(make_network(dataclasses.replace(net, views=2))))
    explanation = Engine(classifier, FakeDetector()).explain(np.full((48, 48), 90, np.uint8), ())
    assert sum(cost.multiply_adds for cost in explanation.costs) == classifier.card.multiply_adds


def test_graph_with_other_predictions_is_refused(faces):
    model = make_network(RECIPE.net)
    finished, temperatures, _ = finish_network(model)
    other = dataclasses.replace(CALIBRATION, temperatures={"label": 3.0, "votes": 0.8})
    with pytest.raises(ExperimentError, match="Keras and ONNX Runtime differ by"):
        onnx_export.check_equal(finished, temperatures, load_classifier(export_network(model, other)), faces.pixels[:9])


def test_temperatures_are_inside_the_graph(faces):
    model = make_network(RECIPE.net)
    logits = onnx_export.predict_logits_by_head(model, faces.pixels[:5])
    outputs = load_classifier(export_network(model)).run(faces.pixels[:5, ..., None])
    assert np.allclose(outputs.label_scores, softmax(logits["label"] / 1.3), atol=1e-5)
    assert np.allclose(outputs.votes, softmax(logits["votes"] / 0.8), atol=1e-5)


def test_scores_join_the_logits_of_both_heads(faces):
    model = make_network(RECIPE.net)
    logits = onnx_export.predict_logits_by_head(model, faces.pixels[:5])
    outputs = load_classifier(export_network(model)).run(faces.pixels[:5, ..., None])
    assert np.allclose(outputs.scores, softmax(join_logits(logits, EMOTIONS, CALIBRATION.decision)), atol=1e-5)
    assert np.abs(outputs.scores - outputs.label_scores).max() > 0.01


def test_network_with_one_head_has_one_target(faces):
    model = make_network(dataclasses.replace(RECIPE.net, votes=False))
    classifier = load_classifier(export_network(model))
    outputs = classifier.run(faces.pixels[:5, ..., None])
    assert not classifier.card.decision
    assert outputs.votes is outputs.label_scores is None
    assert outputs.target_scores("label") is outputs.scores
    logits = onnx_export.predict_logits_by_head(model, faces.pixels[:5])
    assert np.allclose(outputs.scores, softmax(logits["label"] / 1.3), atol=1e-5)


def test_tensors_are_named_after_the_layers():
    names = {tensor.name for tensor in list_tensors(export_network(make_network(RECIPE.net)))}
    expected = {"stem/relu", "stage1/block1/relu", "stage2/block1/short/pool", "stage2/block2/2/conv", "pooled"}
    assert expected <= names
    assert not [name for name in names if "norm" in name]


def test_unsupported_layer_is_refused():
    inputs = keras.Input((48, 48, 1), name="faces")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Softmax(name="odd")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7, name="label")(x))
    with pytest.raises(ExperimentError, match="odd of kind Softmax"):
        build_onnx_model(model, {})


def with_network(**settings):
    return dataclasses.replace(RECIPE, net=NetworkSettings(**settings))


@pytest.mark.parametrize("classes", [None, ("happy", "sad", "neutral")])
def test_data_with_other_validation_faces_is_refused(tmp_path, faces, classes):
    recipe = RECIPE
    if classes:
        recipe = dataclasses.replace(RECIPE, data=DataSettings(validation=14, classes=classes))
    write_finished_run(tmp_path / "run", recipe)
    facts = {"data": environment.describe_data(RunPlan(recipe, faces))}
    (tmp_path / "run" / "environment.json").write_text(json.dumps(facts))
    finished = onnx_export.load_finished_run(tmp_path / "run", faces)
    assert len(finished.validation) == recipe.data.validation
    fewer = faces.take(np.arange(len(faces)) % 50 > 0)
    with pytest.raises(ExperimentError, match="had other validation faces than this data has"):
        onnx_export.load_finished_run(tmp_path / "run", fewer)


def test_exported_file_has_a_card(tmp_path, faces):
    model = write_finished_run(tmp_path / "run")
    onnx_export.export_onnx(tmp_path / "run", faces, tmp_path / "m.onnx", notes={"evaluations": 2})
    card = ModelCard.read(tmp_path / "m.onnx")
    assert (card.name, card.parameters) == ("tiny", model.count_params())
    assert card.multiply_adds == networks.count_multiply_adds(model)
    assert card.metrics["evaluations"] == 2
    assert card.metrics["faces"] == int((faces.usage == "PublicTest").sum())
    assert Recipe.from_table(card.recipe) == RECIPE
    validation = faces.take(sample_validation(faces, 35))
    outputs = load_classifier(tmp_path / "m.onnx").run(validation.pixels[..., None])
    emotions = [
        build_emotions(card, scores, votes) for scores, votes in zip(outputs.scores, outputs.votes, strict=True)
    ]
    certain = np.array([each.uncertain is None for each in emotions])
    # The heads of a network that was not trained often differ: their disagreement makes further faces uncertain.
    assert certain.mean() <= 0.85 + 0.09  # three of 35 faces: processors round differently


@pytest.fixture(scope="module")
def precisions(tmp_path_factory, faces):
    """A folder with the same run as a file of each precision."""
    folder = tmp_path_factory.mktemp("precisions")
    write_finished_run(folder / "run", with_network(width=16, depth=(1, 2)))
    for precision in ("float32", "int8", "float16"):
        onnx_export.export_onnx(folder / "run", faces, folder / f"{precision}.onnx", precision=precision)
    return folder


@pytest.mark.parametrize(("precision", "size", "difference"), [("int8", 0.6, 0.1), ("float16", 0.62, 0.01)])
def test_smaller_precision_gives_a_smaller_file_with_similar_scores(precisions, faces, precision, size, difference):
    small, full = precisions / f"{precision}.onnx", precisions / "float32.onnx"
    assert small.stat().st_size < size * full.stat().st_size
    metrics = ModelCard.read(small).metrics
    assert metrics["precision"] == precision
    assert {"validation_accuracy", f"validation_accuracy_{precision}"} <= set(metrics)
    scores, others = (load_classifier(each).run(faces.pixels[:60, ..., None]).scores for each in (small, full))
    assert 0 < np.abs(scores - others).max() < difference


def test_int8_weights_have_seven_bits(precisions):
    """Without VNNI two products of uint8 and int8 are added in 16 bits, which eight bits would overflow."""
    tensors = onnx.load(precisions / "int8.onnx").graph.initializer
    weights = [onnx.numpy_helper.to_array(each) for each in tensors if each.data_type == onnx.TensorProto.INT8]
    weights = [each for each in weights if each.ndim == 4]
    assert len(weights) >= 5
    assert 32 < max(np.abs(each.astype(int)).max() for each in weights) <= 64
    assert 2 * 255 * 64 < 2**15


def test_without_validation_faces_the_loss_is_measured_on_training_faces(tmp_path, faces):
    recipe = dataclasses.replace(RECIPE, data=DataSettings(validation=0))
    write_finished_run(tmp_path / "run", recipe)
    card = onnx_export.export_onnx(tmp_path / "run", faces, tmp_path / "m.onnx", precision="float16", split="")
    assert {"training_accuracy", "training_accuracy_float16"} <= set(card.metrics)
    assert "accuracy" not in card.metrics


def test_smaller_file_that_loses_too_much_is_refused(tmp_path, faces, monkeypatch):
    """A quantisation that negates the logits: the most probable label becomes the least probable one."""

    def negate_logits(model, pixels):
        for tensor in model.graph.initializer:
            if tensor.name.startswith("label/"):
                array = onnx.numpy_helper.to_array(tensor)
                tensor.CopyFrom(onnx.numpy_helper.from_array(-array, tensor.name))
        return model

    recipe = dataclasses.replace(RECIPE, data=DataSettings(validation=70))
    model = write_finished_run(tmp_path / "run", recipe)
    predicted = onnx_export.predict_logits_by_head(model, faces.pixels)["label"].argmax(1)
    relabelled = dataclasses.replace(faces, labels=predicted)  # an accuracy of 100 % before the quantisation
    monkeypatch.setattr(onnx_export, "quantize_int8", negate_logits)
    monkeypatch.setattr(onnx_export, "MIN_FACES", 20)
    with pytest.raises(ExperimentError, match=r"int8 loses 100.0 points of accuracy. At most 10 points"):
        onnx_export.export_onnx(tmp_path / "run", relabelled, tmp_path / "m.onnx", precision="int8")
    assert not (tmp_path / "m.onnx").exists()


def test_card_has_no_folders():
    recipe = dataclasses.replace(
        RECIPE,
        data=DataSettings(sources=(SourceSettings("/data/secret/fer2013.csv"),)),
        net=NetworkSettings(weights="/data/secret/weights.npz"),
        distillation=DistillationSettings("/data/secret/t.npz", ("/data/secret/runs/a",)),
    )
    table = onnx_export.make_card(make_network(RECIPE.net), recipe, CALIBRATION, "tiny").recipe
    assert "secret" not in str(table)
    assert table["distillation"]["runs"] == ("a",)


def test_scores_are_rounded_at_every_depth():
    rounded = onnx_export.round_scores({"a": [0.123456, {"b": 1 / 3}], "n": 7, "none": None})
    assert rounded == {"a": [0.1235, {"b": 0.3333}], "n": 7, "none": None}


def test_unfinished_run_is_refused(tmp_path, faces):
    with pytest.raises(ExperimentError, match="is no training run"):
        onnx_export.export_onnx(tmp_path, faces, tmp_path / "m.onnx")
    checkpoint.save_state(tmp_path, [], RECIPE, [{"epoch": 1}])
    with pytest.raises(ExperimentError, match="has no finished run"):
        onnx_export.export_onnx(tmp_path, faces, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
