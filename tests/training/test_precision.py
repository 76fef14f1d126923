"""The precision is measured once, told, and kept by the run; faces of any size and colour inside the graph."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.training.recipe import NO_AUGMENTATION, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
fit = pytest.importorskip("mien.training.loop")
pytestmark = pytest.mark.train

from mien.export.onnx import check_equal  # noqa: E402
from mien.training import checkpoint, networks, precision  # noqa: E402
from mien.training.callbacks import EpochEvent, MessageEvent  # noqa: E402

AUTO = Recipe(
    data=DataSettings(validation=7), net=NetworkSettings(width=4, depth=(1,)), augment=NO_AUGMENTATION, training=TrainingSettings(epochs=1, batch_size=28, precision="auto")
)


@pytest.mark.parametrize(("mixed", "choice"), [(300, "mixed_bfloat16"), (105, "float32"), (40, "float32")])
def test_the_faster_is_taken_if_it_is_worth_it_and_that_is_told(monkeypatch, mixed, choice):
    speeds, told = {"float32": 100.0, "mixed_bfloat16": mixed}, []
    monkeypatch.setattr(precision, "speed", lambda recipe, name: speeds[name])
    assert precision.choose_precision(AUTO, told.append).training.precision == choice
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
    assert checkpoint.read_recipe(tmp_path).training.precision == "mixed_bfloat16"
    monkeypatch.setattr(precision, "speed", lambda recipe, name: {"float32": 9.0}.get(name, 1.0))
    longer = replace(AUTO, training=replace(AUTO.training, epochs=2))
    model = fit.fit(longer, faces, tmp_path)
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert checkpoint.read_recipe(tmp_path).training.precision == "mixed_bfloat16"


def test_a_measurement_is_a_number_of_images():
    assert 1 < precision.measure_speed(AUTO, "float32") < 1e6


def test_the_same_bits_each_time_are_float32(tmp_path):
    sure = replace(AUTO, training=replace(AUTO.training, deterministic=True))
    assert precision.choose_precision(sure, print).training.precision == "float32"
    with pytest.raises(ExperimentError, match=r"training.deterministic.*training.precision is mixed_bfloat16"):
        precision.resume_precision(replace(sure, training=replace(sure.training, precision="mixed_bfloat16")), tmp_path)


def test_an_unknown_precision_names_the_nearest(tmp_path):
    wrong = replace(AUTO, training=replace(AUTO.training, precision="bfloat16"))
    with pytest.raises(ExperimentError, match=r"training.precision is 'bfloat16'.*Did you mean 'mixed_bfloat16'"):
        precision.resume_precision(wrong, tmp_path)


def test_a_few_steps_with_faces_of_224_pixels_in_three_colours(tmp_path):
    recipe = replace(
        AUTO,
        net=NetworkSettings(name="vgg", width=2, depth=(1, 1, 1), input_size=224, color="rgb"),
        training=replace(AUTO.training, batch_size=8, precision="float32"),
    )
    told = []
    model = fit.fit(recipe, synthetic.draw_faces(35, seed=1), tmp_path, watch=told.append)
    assert model.get_layer("stage1_1_conv").input.shape == (None, 224, 224, 3)
    assert model.inputs[0].shape == (None, 48, 48, 1)
    assert [np.isfinite(event.row["loss"]) for event in told if isinstance(event, EpochEvent)] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "mobilenetv2", "resnet50v2", "efficientnetb0"])
def test_a_few_steps_of_a_well_known_network_at_224_pixels(name, tmp_path):
    settings = replace(AUTO.training, batch_size=4, precision="float32", learning_rate=1e-3)
    told = []
    recipe = Recipe(data=DataSettings(validation=7), net=NetworkSettings(name=name, input_size=224), training=settings)
    fit.fit(recipe, synthetic.draw_faces(35, seed=1), tmp_path, watch=told.append)
    assert [event.row["loss"] < 20 for event in told if isinstance(event, EpochEvent)] == [True]


def test_a_net_that_counts_in_whole_numbers_is_trained_too(monkeypatch, tmp_path):
    """As EfficientNet does, whose first layer normalises and keeps how many pictures it has seen."""

    def counting(net):
        faces = keras.Input((networks.SIDE, networks.SIDE, 1), name="faces")
        normal = keras.layers.Normalization(axis=-1)(keras.layers.Rescaling(1 / 255)(faces))
        return keras.Model(faces, keras.layers.GlobalAveragePooling2D()(normal), name="counting")

    monkeypatch.setitem(networks.NETWORKS, "counting", counting)
    recipe = replace(AUTO, net=NetworkSettings(name="counting"), training=replace(AUTO.training, precision="float32"))
    model = fit.fit(recipe, synthetic.draw_faces(35, seed=1), tmp_path)
    assert {each.dtype for each in model.weights} == {"float32", "int64"}


def test_size_and_colour_go_with_the_net_into_onnx():
    from mien.evaluation.calibration import Calibration
    from mien.export.keras_to_onnx import build_onnx_model
    from mien.models import ModelCard, OnnxClassifier, write_card

    model = networks.build_network(NetworkSettings(width=4, depth=(1,), input_size=64, color="rgb", votes=False))
    plain = Calibration({"shares": 1.0}, 0.0, 0.2)
    card = ModelCard(name="rgb", labels=Recipe().data.classes)
    content = write_card(build_onnx_model(model, plain.temperatures).SerializeToString(), card)
    faces = synthetic.draw_faces(21, seed=1).pixels
    assert check_equal(model, plain, OnnxClassifier(content), faces) < 1e-4


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (NetworkSettings(color="blue"), r"net.color is 'blue'.*gray, rgb, auto"),
        (NetworkSettings(name="vgg16", color="gray"), r"net.color is 'gray', and vgg16 sees three colours"),
    ],
)
def test_colours_that_there_are_not(net, said):
    with pytest.raises(ExperimentError, match=said):
        networks.build_network(net)
