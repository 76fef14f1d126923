"""The precision of a run: measured once and kept; input size and colour of the networks."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.training.plan import RunPlan
from mien.training.recipe import NO_AUGMENTATION, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.evaluation.calibration import Calibration  # noqa: E402
from mien.export.keras_to_onnx import build_onnx_model  # noqa: E402
from mien.export.onnx import add_decision_head, check_equal  # noqa: E402
from mien.models import ModelCard, OnnxClassifier, write_card  # noqa: E402
from mien.training import checkpoint, loop, networks, precision  # noqa: E402
from mien.training.callbacks import EpochEvent, MessageEvent  # noqa: E402

AUTO = Recipe(
    data=DataSettings(validation=7),
    net=NetworkSettings(width=4, depth=(1,)),
    augment=NO_AUGMENTATION,
    training=TrainingSettings(epochs=1, batch_size=28, precision="auto"),
)


@pytest.mark.parametrize(("mixed", "choice"), [(300, "mixed_bfloat16"), (105, "float32"), (40, "float32")])
def test_clearly_faster_precision_is_chosen_and_reported(monkeypatch, mixed, choice):
    speeds, events = {"float32": 100.0, "mixed_bfloat16": mixed}, []
    monkeypatch.setattr(precision, "measure_speed", lambda recipe, name: speeds[name])
    assert precision.choose_precision(AUTO, "", events.append).training.precision == choice
    numbers = f"100 in float32 and {mixed} in mixed_bfloat16 images a second"
    assert events == [MessageEvent(f"Training in {choice}: measured without augmentation, {numbers}")]


def test_deterministic_run_is_float32_without_a_measurement():
    recipe = replace(AUTO, training=replace(AUTO.training, deterministic=True))
    assert precision.choose_precision(recipe, "", print).training.precision == "float32"


def test_resumed_run_keeps_its_precision(tmp_path):
    mixed = replace(AUTO, training=replace(AUTO.training, precision="mixed_bfloat16"))
    checkpoint.save_state(tmp_path, [np.zeros(1)], mixed, [{"epoch": 1}])
    before = checkpoint.load_state(tmp_path, AUTO).precision
    assert precision.choose_precision(AUTO, before, print) == mixed
    float32 = replace(AUTO, training=replace(AUTO.training, precision="float32"))
    assert precision.choose_precision(float32, before, print) == float32


@pytest.mark.full
def test_mixed_precision_is_trained_and_resumed(tmp_path):
    faces = synthetic.draw_faces(140, seed=1)
    mixed = replace(AUTO, training=replace(AUTO.training, precision="mixed_bfloat16"))
    loop.train(RunPlan(mixed, faces), tmp_path)
    model = loop.train(RunPlan(replace(AUTO, training=replace(AUTO.training, epochs=2)), faces), tmp_path)
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert checkpoint.read_recipe(tmp_path).training.precision == "mixed_bfloat16"


@pytest.mark.full
def test_speed_is_positive():
    assert precision.measure_speed(AUTO, "float32") > 0


def train_one_epoch(recipe, folder):
    events = []
    model = loop.train(RunPlan(recipe, synthetic.draw_faces(35, seed=1)), folder, callback=events.append)
    assert [np.isfinite(event.row["loss"]) for event in events if isinstance(event, EpochEvent)] == [True]
    return model


@pytest.mark.full
def test_network_for_large_images_in_three_colours_is_trained(tmp_path):
    net = NetworkSettings(name="vgg", width=2, depth=(1, 1, 1), input_size=224, color="rgb")
    recipe = replace(AUTO, net=net, training=replace(AUTO.training, batch_size=8, precision="float32"))
    model = train_one_epoch(recipe, tmp_path)
    assert model.get_layer("stage1_1_conv").input.shape == (None, 224, 224, 3)
    assert model.inputs[0].shape == (None, 48, 48, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "mobilenetv2", "resnet50v2", "efficientnetb0"])
def test_keras_application_is_trained_at_224_pixels(name, tmp_path):
    settings = replace(AUTO.training, batch_size=4, precision="float32", learning_rate=1e-3)
    data, net = DataSettings(validation=7), NetworkSettings(name=name, input_size=224)
    train_one_epoch(Recipe(data=data, net=net, training=settings), tmp_path)


@pytest.mark.full
def test_network_with_an_integer_weight_is_trained(monkeypatch, tmp_path):
    """EfficientNet begins with a Normalization layer, whose counter is an integer."""

    def counting(net):
        faces = keras.Input((networks.SIDE, networks.SIDE, 1), name="faces")
        normal = keras.layers.Normalization(axis=-1)(keras.layers.Rescaling(1 / 255)(faces))
        return keras.Model(faces, keras.layers.GlobalAveragePooling2D()(normal), name="counting")

    monkeypatch.setitem(networks.NETWORKS, "counting", counting)
    recipe = replace(AUTO, net=NetworkSettings(name="counting"), training=replace(AUTO.training, precision="float32"))
    assert {each.dtype for each in train_one_epoch(recipe, tmp_path).weights} == {"float32", "int64"}


def test_input_size_and_colour_are_exported():
    model = networks.build_network(NetworkSettings(width=4, depth=(1,), input_size=64, color="rgb", votes=False))
    finished, temperatures = add_decision_head(model, Calibration({"label": 1.0}, 0.0, 0.2), Recipe().data.classes)
    card = ModelCard(name="rgb", labels=Recipe().data.classes)
    content = write_card(build_onnx_model(finished, temperatures).SerializeToString(), card)
    faces = synthetic.draw_faces(21, seed=1).pixels
    assert check_equal(finished, temperatures, OnnxClassifier(content), faces) < 1e-4


def test_gray_keras_application_is_refused():
    with pytest.raises(ExperimentError, match=r"net.color is 'gray', and vgg16 needs three channels"):
        networks.build_network(NetworkSettings(name="vgg16", color="gray"))
