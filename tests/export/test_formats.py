"""File formats: each predicts the same as Keras, loads without mien, and has the card."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.errors import ExperimentError
from mien.export import keras_import
from mien.labels import EMOTIONS
from mien.models import ModelCard, load_classifier
from mien.training.recipe import NetworkSettings

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = pytest.mark.train

from exported_networks import CALIBRATION, RECIPE, finish_network, make_network  # noqa: E402
from mien.evaluation import calibration  # noqa: E402
from mien.export import formats, onnx  # noqa: E402


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(30, seed=8).pixels


@pytest.fixture(scope="module")
def model():
    return make_network(RECIPE.net)


@pytest.fixture(scope="module")
def card(model):
    return ModelCard.from_json(onnx.make_card(model, RECIPE, CALIBRATION, "tiny").to_json())


@pytest.fixture(scope="module")
def net(model):
    return formats.to_plain_keras(*finish_network(model)[:2])


def test_plain_network_has_stock_layers_and_calibrated_predictions(model, net, faces):
    assert {type(layer).__module__.partition(".")[0] for layer in net.layers} == {"keras"}
    assert net.output_names == ["scores", "votes", "label"]
    logits = onnx.predict_logits_by_head(model, faces)
    scores, votes, label_scores = formats.predict_with_keras(net)(faces[..., None].astype(np.float32))
    joined = calibration.join_logits(logits, EMOTIONS, CALIBRATION.decision)
    np.testing.assert_allclose(scores, calibration.softmax(joined), atol=1e-5)
    np.testing.assert_allclose(label_scores, calibration.softmax(logits["label"] / 1.3), atol=1e-5)
    np.testing.assert_allclose(votes, calibration.softmax(logits["votes"] / 0.8), atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        NetworkSettings(name="basic"),
        NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1), order="pool-norm", votes=False),
        NetworkSettings(name="vgg", width=4, depth=(2, 1)),
        NetworkSettings(width=4, depth=(1,), views=4),
        pytest.param(NetworkSettings(name="mobilenetv2", input_size=64), marks=pytest.mark.full),
        pytest.param(NetworkSettings(name="efficientnetb0"), marks=pytest.mark.full),
    ],
    ids=lambda net: f"{net.name}-{net.views}",
)
def test_every_family_becomes_plain(settings, faces):
    model = make_network(settings)
    temperatures = dict.fromkeys(model.output_names, 1.5)
    net = formats.to_plain_keras(model, temperatures)
    assert {type(layer).__module__.partition(".")[0] for layer in net.layers} == {"keras"}
    logits = onnx.predict_logits_by_head(model, faces[:4])["label"]
    scores = formats.predict_with_keras(net)(faces[:4, ..., None].astype(np.float32))[0]
    np.testing.assert_allclose(scores, calibration.softmax(logits / 1.5), atol=1e-4)


@pytest.fixture(scope="module")
def four_views():
    return formats.to_plain_keras(*finish_network(make_network(dataclasses.replace(RECIPE.net, views=4)))[:2])


@pytest.mark.full
@pytest.mark.parametrize("kind", [kind for kind in formats.FORMATS if kind != "h5"])
def test_file_with_several_views_predicts_the_same(kind, four_views, card, faces, tmp_path):
    target = tmp_path / f"net{formats.SUFFIXES[kind]}"
    assert formats.write_format(four_views, card, kind, target, faces[:6]) < formats.TOLERANCE


def test_h5_file_with_several_views_is_refused(four_views, card, tmp_path):
    with pytest.raises(ExperimentError, match=r"several views.*not support.*\.keras"):
        formats.save_keras(four_views, card, tmp_path / "net.h5")
    assert list(tmp_path.iterdir()) == []


SLOW_FORMATS = ("savedmodel", "tflite")
FORMATS = [pytest.param(kind, marks=[pytest.mark.full] if kind in SLOW_FORMATS else []) for kind in formats.FORMATS]


@pytest.mark.parametrize("kind", FORMATS)
def test_file_predicts_the_same_as_the_network(kind, net, card, faces, tmp_path):
    target = tmp_path / f"net{formats.SUFFIXES[kind]}"
    worst = formats.write_format(net, card, kind, target, faces[:6])
    assert worst < formats.TOLERANCE
    network, file = formats.predict_with_keras(net), formats.READERS[kind](target)
    for count in (1, 3):
        batch = faces[:count, ..., None].astype(np.float32)
        assert all(len(each) == count for each in file(batch))
    assert formats.max_difference(network, file, faces[6:12]) < formats.TOLERANCE
    assert not list(tmp_path.glob("*.part"))


def test_file_with_other_predictions_is_refused(net, card, faces, tmp_path, monkeypatch):
    other = {
        **formats.READERS,
        "keras": lambda path: lambda faces: [1 - each for each in formats.predict_with_keras(net)(faces)],
    }
    monkeypatch.setattr(formats, "READERS", other)
    with pytest.raises(ExperimentError, match="Keras and the keras file differ by"):
        formats.write_format(net, card, "keras", tmp_path / "net.keras", faces[:3])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_loads_the_file_without_mien(suffix, net, card, faces, tmp_path):
    formats.save_keras(net, card, tmp_path / f"net{suffix}")
    np.save(tmp_path / "faces.npy", faces[:3, ..., None].astype(np.float32))
    code = f"""
import sys
class BlockMien:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "mien": raise ImportError("mien is blocked")
sys.meta_path.insert(0, BlockMien())
import keras, numpy as np
model = keras.models.load_model("net{suffix}")
np.save("scores.npy", np.asarray(model(np.load("faces.npy"))[0]))
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    expected = formats.predict_with_keras(net)(faces[:3, ..., None].astype(np.float32))[0]
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_file_of_mien_is_converted_without_options(suffix, net, card, faces, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    formats.save_keras(net, card, tmp_path / f"moved{suffix}")
    assert keras_import.read_embedded_card(tmp_path / f"moved{suffix}") == card
    classifier = load_classifier(keras_import.convert_to_onnx(tmp_path / f"moved{suffix}"))
    assert classifier.card == card
    expected = formats.predict_with_keras(net)(faces[..., None].astype(np.float32))
    outputs = classifier.run(faces[..., None])
    np.testing.assert_allclose(outputs.scores, expected[0], atol=1e-5)
    np.testing.assert_allclose(outputs.votes, expected[1], atol=1e-5)
    np.testing.assert_allclose(outputs.label_scores, expected[2], atol=1e-5)


@pytest.mark.full
def test_card_is_beside_a_tflite_file_and_inside_a_saved_model(net, card, faces, tmp_path):
    formats.write_format(net, card, "tflite", tmp_path / "net.tflite", faces[:3])
    assert ModelCard.from_json((tmp_path / "net.tflite.json").read_text("utf-8")) == card
    formats.write_format(net, card, "savedmodel", tmp_path / "net", faces[:3])
    assert json.loads((tmp_path / "net" / "assets.extra" / "mien.card.json").read_text("utf-8"))["name"] == "tiny"
    formats.write_format(net, dataclasses.replace(card, name="again"), "savedmodel", tmp_path / "net", faces[:3])
    assert json.loads((tmp_path / "net" / "assets.extra" / "mien.card.json").read_text("utf-8"))["name"] == "again"


def test_without_validation_faces_nothing_is_calibrated(model):
    no_faces = synthetic.draw_faces(7).take(np.zeros(7, bool))
    result = onnx.calibrate_network(model, no_faces, EMOTIONS)
    assert (result.temperatures, result.uncertain_below) == ({"label": 1.0, "votes": 1.0}, 0.0)


def test_temperature_without_votes_is_one():
    assert calibration.fit_temperature(np.ones((4, 8)), np.zeros((4, 8))) == 1.0
