"""The precision is measured once, told, and kept by the run; faces of any size and colour inside the graph."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.errors import LabError
from mien.training.recipe import NO_AUGMENTATION, Data, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
fit = pytest.importorskip("mien.training.loop")
pytestmark = pytest.mark.train

from mien.export.onnx import refuse_unless_equal  # noqa: E402
from mien.training import checkpoint, networks, precision  # noqa: E402
from mien.training.events import EpochEvent, MessageEvent  # noqa: E402

AUTO = Recipe(
    data=Data(held_out=7), net=NetworkSettings(width=4, depth=(1,)), augment=NO_AUGMENTATION, fit=TrainingSettings(epochs=1, batch=28, precision="auto")
)


@pytest.mark.parametrize(("mixed", "choice"), [(300, "mixed_bfloat16"), (105, "float32"), (40, "float32")])
def test_the_faster_is_taken_if_it_is_worth_it_and_that_is_told(monkeypatch, mixed, choice):
    speeds, told = {"float32": 100.0, "mixed_bfloat16": mixed}, []
    monkeypatch.setattr(precision, "speed", lambda recipe, name: speeds[name])
    assert precision.chosen(AUTO, told.append).fit.precision == choice
    assert told == [
        MessageEvent(
            f"Training in {choice}: measured here, without augmentation, "
            f"100 in float32 and {mixed} in mixed_bfloat16 images a second"
        )
    ]


def test_a_run_keeps_to_what_was_chosen(monkeypatch, tmp_path):
    faces = synthetic.draw_faces(140, seed=1)
    monkeypatch.setattr(precision, "speed", lambda recipe, name: {"float32": 1.0}.get(name, 9.0))
    fit.fit(AUTO, faces, tmp_path)
    assert checkpoint.recipe_of(tmp_path).fit.precision == "mixed_bfloat16"
    monkeypatch.setattr(precision, "speed", lambda recipe, name: {"float32": 9.0}.get(name, 1.0))
    longer = replace(AUTO, fit=replace(AUTO.fit, epochs=2))
    model = fit.fit(longer, faces, tmp_path)
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert checkpoint.recipe_of(tmp_path).fit.precision == "mixed_bfloat16"


def test_a_measurement_is_a_number_of_images():
    assert 1 < precision.speed(AUTO, "float32") < 1e6


def test_the_same_bits_each_time_are_float32(tmp_path):
    sure = replace(AUTO, fit=replace(AUTO.fit, deterministic=True))
    assert precision.chosen(sure, print).fit.precision == "float32"
    with pytest.raises(LabError, match=r"fit.deterministic.*fit.precision is mixed_bfloat16"):
        precision.settled(replace(sure, fit=replace(sure.fit, precision="mixed_bfloat16")), tmp_path)


def test_an_unknown_precision_names_the_nearest(tmp_path):
    wrong = replace(AUTO, fit=replace(AUTO.fit, precision="bfloat16"))
    with pytest.raises(LabError, match=r"fit.precision is 'bfloat16'.*Did you mean 'mixed_bfloat16'"):
        precision.settled(wrong, tmp_path)


def test_a_few_steps_with_faces_of_224_pixels_in_three_colours(tmp_path):
    recipe = replace(
        AUTO,
        net=NetworkSettings(name="vgg", width=2, depth=(1, 1, 1), side=224, color="rgb"),
        fit=replace(AUTO.fit, batch=8, precision="float32"),
    )
    told = []
    model = fit.fit(recipe, synthetic.draw_faces(35, seed=1), tmp_path, watch=told.append)
    assert model.get_layer("stage1_1_conv").input.shape == (None, 224, 224, 3)
    assert model.inputs[0].shape == (None, 48, 48, 1)
    assert [np.isfinite(event.row["loss"]) for event in told if isinstance(event, EpochEvent)] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "mobilenetv2", "resnet50v2", "efficientnetb0"])
def test_a_few_steps_of_a_well_known_network_at_224_pixels(name, tmp_path):
    settings = replace(AUTO.fit, batch=4, precision="float32", rate=1e-3)
    told = []
    recipe = Recipe(data=Data(held_out=7), net=NetworkSettings(name=name, side=224), fit=settings)
    fit.fit(recipe, synthetic.draw_faces(35, seed=1), tmp_path, watch=told.append)
    assert [event.row["loss"] < 20 for event in told if isinstance(event, EpochEvent)] == [True]


def test_a_net_that_counts_in_whole_numbers_is_trained_too(monkeypatch, tmp_path):
    """As EfficientNet does, whose first layer normalises and keeps how many pictures it has seen."""

    def counting(net):
        faces = keras.Input((networks.SIDE, networks.SIDE, 1), name="faces")
        normal = keras.layers.Normalization(axis=-1)(keras.layers.Rescaling(1 / 255)(faces))
        return keras.Model(faces, keras.layers.GlobalAveragePooling2D()(normal), name="counting")

    monkeypatch.setitem(networks.NETWORKS, "counting", counting)
    recipe = replace(AUTO, net=NetworkSettings(name="counting"), fit=replace(AUTO.fit, precision="float32"))
    model = fit.fit(recipe, synthetic.draw_faces(35, seed=1), tmp_path)
    assert {each.dtype for each in model.weights} == {"float32", "int64"}


def test_size_and_colour_go_with_the_net_into_onnx():
    from mien.evaluation.calibration import Calibration
    from mien.export.keras_to_onnx import onnx_model
    from mien.models import ModelCard, OnnxClassifier, write_card

    model = networks.build_network(NetworkSettings(width=4, depth=(1,), side=64, color="rgb", votes=False))
    plain = Calibration({"shares": 1.0}, 0.0, 0.2)
    card = ModelCard(name="rgb", labels=Recipe().data.classes)
    content = write_card(onnx_model(model, plain.temperatures).SerializeToString(), card)
    faces = synthetic.draw_faces(21, seed=1).pixels
    assert refuse_unless_equal(model, plain, OnnxClassifier(content), faces) < 1e-4


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (NetworkSettings(color="blue"), r"net.color is 'blue'.*gray, rgb, auto"),
        (NetworkSettings(name="vgg16", color="gray"), r"net.color is 'gray', and vgg16 sees three colours"),
    ],
)
def test_colours_that_there_are_not(net, said):
    with pytest.raises(LabError, match=said):
        networks.build_network(net)
