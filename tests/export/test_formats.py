"""The kinds of file a run becomes: each answers as Keras does, loads without mien, and carries its card."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.export import keras_import
from mien.models import ModelCard, load_classifier
from mien.training.recipe import NetworkSettings, Recipe

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = pytest.mark.train

from exported_networks import FITTED, RECIPE, seasoned  # noqa: E402
from mien.evaluation import calibration  # noqa: E402
from mien.export import formats, onnx  # noqa: E402


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(30, seed=8).pixels


@pytest.fixture(scope="module")
def model():
    return seasoned(RECIPE.net)


@pytest.fixture(scope="module")
def card(model):
    return ModelCard.from_json(onnx.make_card(model, RECIPE, FITTED, "tiny").to_json())


@pytest.fixture(scope="module")
def net(model):
    return formats.to_plain_keras(model, FITTED.temperatures)


def test_a_plain_net_has_stock_layers_and_answers_calibrated(model, net, faces):
    assert {type(layer).__module__.partition(".")[0] for layer in net.layers} == {"keras"}
    assert net.output_names == ["shares", "votes"]
    logits = onnx.logits_by_head(model, faces)
    shares, votes = formats.predict_with_keras(net)(faces[..., None].astype(np.float32))
    np.testing.assert_allclose(shares, calibration.softmax(logits["shares"] / 1.3), atol=1e-5)
    np.testing.assert_allclose(votes, calibration.softmax(logits["votes"] / 0.8), atol=1e-5)


@pytest.mark.parametrize(
    "which",
    [
        NetworkSettings(name="basic"),
        NetworkSettings(name="batchnorm", width=4, depth=(1, 1, 1), order="pool-norm", votes=False),
        NetworkSettings(name="vgg", width=4, depth=(2, 1)),
        NetworkSettings(width=4, depth=(1,), views=4),
        NetworkSettings(name="mobilenetv2", input_size=64),
        pytest.param(NetworkSettings(name="efficientnetb0"), marks=pytest.mark.slow),
    ],
    ids=lambda net: f"{net.name}-{net.views}",
)
def test_every_family_is_plain(which, faces):
    model = seasoned(which)
    temperatures = dict.fromkeys(model.output_names, 1.5)
    net = formats.to_plain_keras(model, temperatures)
    assert {type(layer).__module__.partition(".")[0] for layer in net.layers} == {"keras"}
    wanted = onnx.logits_by_head(model, faces[:4])["shares"]
    shares = formats.predict_with_keras(net)(faces[:4, ..., None].astype(np.float32))[0]
    np.testing.assert_allclose(shares, calibration.softmax(wanted / 1.5), atol=1e-4)


@pytest.fixture(scope="module")
def mirrored():
    return formats.to_plain_keras(seasoned(dataclasses.replace(RECIPE.net, views=4)), FITTED.temperatures)


@pytest.mark.parametrize("kind", [kind for kind in formats.FORMATS if kind != "h5"])
def test_a_file_that_looks_into_the_mirror_answers_as_the_net_does(kind, mirrored, card, faces, tmp_path):
    target = tmp_path / f"net{formats.SUFFIXES[kind]}"
    assert formats.write_format(mirrored, card, kind, target, faces[:6]) < formats.TOLERANCE


def test_what_h5_has_no_place_for_is_refused(mirrored, card, tmp_path):
    with pytest.raises(ExperimentError, match=r"several ways.*no place.*\.keras"):
        formats.save_keras(mirrored, card, tmp_path / "net.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", formats.FORMATS)
def test_a_file_answers_as_the_net_does(kind, net, card, faces, tmp_path):
    target = tmp_path / f"net{formats.SUFFIXES[kind]}"
    worst = formats.write_format(net, card, kind, target, faces[:6])
    assert worst < formats.TOLERANCE
    ours, theirs = formats.predict_with_keras(net), formats.READERS[kind](target)
    for count in (1, 3):
        few = faces[:count, ..., None].astype(np.float32)
        assert all(len(each) == count for each in theirs(few))
    assert formats.max_difference(ours, theirs, faces[6:12]) < formats.TOLERANCE
    assert not list(tmp_path.glob("*.part"))


def test_a_file_that_answers_otherwise_is_refused_and_nothing_is_left(net, card, faces, tmp_path, monkeypatch):
    other = {**formats.READERS, "keras": lambda path: lambda faces: [1 - each for each in formats.predict_with_keras(net)(faces)]}
    monkeypatch.setattr(formats, "READERS", other)
    with pytest.raises(ExperimentError, match="Keras and the keras file differ by"):
        formats.write_format(net, card, "keras", tmp_path / "net.keras", faces[:3])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_plain_keras_loads_it_without_mien(suffix, net, card, faces, tmp_path):
    formats.save_keras(net, card, tmp_path / f"net{suffix}")
    np.save(tmp_path / "faces.npy", faces[:3, ..., None].astype(np.float32))
    code = f"""
import sys
class Nobody:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "mien": raise ImportError("no mien here")
sys.meta_path.insert(0, Nobody())
import keras, numpy as np
model = keras.models.load_model("net{suffix}")
np.save("answers.npy", np.asarray(model(np.load("faces.npy"))[0]))
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    wanted = formats.predict_with_keras(net)(faces[:3, ..., None].astype(np.float32))[0]
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), wanted, atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_our_own_file_becomes_onnx_without_a_word(suffix, net, card, faces, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    formats.save_keras(net, card, tmp_path / f"moved{suffix}")
    assert keras_import.read_embedded_card(tmp_path / f"moved{suffix}") == card
    made = load_classifier(keras_import.convert_to_onnx(tmp_path / f"moved{suffix}"))
    assert made.card == card
    wanted = formats.predict_with_keras(net)(faces[..., None].astype(np.float32))
    found = made.run(faces[..., None])
    np.testing.assert_allclose(found.shares, wanted[0], atol=1e-5)
    np.testing.assert_allclose(found.votes, wanted[1], atol=1e-5)


def test_the_card_goes_with_what_has_no_place_for_it(net, card, faces, tmp_path):
    formats.write_format(net, card, "tflite", tmp_path / "net.tflite", faces[:3])
    assert ModelCard.from_json((tmp_path / "net.tflite.json").read_text("utf-8")) == card
    formats.write_format(net, card, "savedmodel", tmp_path / "net", faces[:3])
    assert json.loads((tmp_path / "net" / "assets.extra" / "mien.card.json").read_text("utf-8"))["name"] == "tiny"
    formats.write_format(net, dataclasses.replace(card, name="again"), "savedmodel", tmp_path / "net", faces[:3])
    assert json.loads((tmp_path / "net" / "assets.extra" / "mien.card.json").read_text("utf-8"))["name"] == "again"


def test_without_held_out_faces_nothing_is_calibrated(model):
    nobody = synthetic.draw_faces(7).take(np.zeros(7, bool))
    fitted = onnx.calibrate_network(model, nobody)
    assert (fitted.temperatures, fitted.uncertain_below) == ({"shares": 1.0, "votes": 1.0}, 0.0)


def test_votes_that_nobody_gave_ask_for_no_temperature():
    assert calibration.fit_temperature(np.ones((4, 8)), np.zeros((4, 8))) == 1.0


def test_recipes_of_a_run_without_held_out_faces_export(tmp_path):
    from mien.training import checkpoint

    recipe = Recipe(name="all", data=DataSettings(validation=0), net=RECIPE.net)
    model, all_faces = seasoned(RECIPE.net), synthetic.draw_faces(70)
    checkpoint.save_state(tmp_path / "run", model.get_weights(), recipe, [{"epoch": 1}])
    checkpoint.save_weights(tmp_path / "run", model)
    card = onnx.export_onnx(tmp_path / "run", all_faces, tmp_path / "m.onnx", eight_bit=True, split="")
    assert card.metrics["precision"] == "int8"
    assert "accuracy" not in card.metrics
