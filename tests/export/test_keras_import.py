"""Keras files: what of them becomes ONNX, what is refused, and that neither runs what it should not."""

import json
import subprocess
import sys

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.errors import ExperimentError, MissingExtra, ModelMissing
from mien.export import keras_import
from mien.labels import EMOTIONS, VOTES
from mien.models import load_classifier
from tiny import tiny_card, tiny_model

pytestmark = pytest.mark.train
pytest.importorskip("tensorflow")
pytest.importorskip("tf2onnx")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Files as people have them, written by a process of its own: a Keras that talks stays out of the tests."""
    folder = tmp_path_factory.mktemp("shelf")
    subprocess.run([sys.executable, "-c", _WRITE], cwd=folder, check=True, capture_output=True)
    (folder / "text.h5").write_text("hello")
    return folder


_WRITE = """
import json, h5py, keras
from keras import layers
keras.utils.set_random_seed(0)
def net(last, first=(), side=48, width=7):
    body = [layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(6), layers.Flatten()]
    return keras.Sequential([keras.Input((side, side, 1)), *first, *body, layers.Dense(width, activation=last)])
net("softmax").save("plain.h5")
net("softmax").save("plain.keras")
net(None).save("logits.keras")
net("sigmoid").save("sigmoid.keras")
net("softmax", [layers.Lambda(lambda x: x / 255)]).save("lambda.h5")
net("softmax", [layers.Lambda(lambda x: x / 255)]).save("lambda.keras")
net("softmax").save_weights("only.weights.h5")
entry = keras.Input((48, 48, 1))
flat = layers.Flatten()(layers.Rescaling(1 / 255)(entry))
keras.Model(entry, [layers.Dense(7)(flat), layers.Dense(8)(flat)]).save("ours.keras")
net("softmax").save("old.h5")
with h5py.File("old.h5", "r+") as file:
    config = json.loads(file.attrs["model_config"])
    config["config"]["layers"][1]["config"]["long_gone"] = 1
    file.attrs["model_config"] = json.dumps(config)
"""


def convert(path, labels=EMOTIONS, votes=(), scale="0-1"):
    from mien.export.keras_import_process import convert

    return load_classifier(convert(path, labels, votes, scale))


@pytest.mark.parametrize("name", ["plain.h5", "plain.keras"])
def test_a_file_answers_as_it_does_in_keras(shelf, name):
    import keras

    faces = synthetic.draw_faces(9).pixels[..., None]
    classifier = convert(shelf / name)
    theirs = np.asarray(keras.models.load_model(shelf / name, compile=False)(faces / np.float32(255)))
    np.testing.assert_allclose(classifier.run(faces).scores, theirs, atol=1e-5)
    assert (classifier.card.labels, classifier.card.side, classifier.card.name) == (EMOTIONS, 48, "plain")
    assert classifier.card.parameters > 0


def test_the_scale_of_the_pixels_matters(shelf):
    faces = synthetic.draw_faces(9).pixels[..., None]
    small, large = (convert(shelf / "plain.keras", scale=scale).run(faces).scores for scale in ("0-1", "0-255"))
    assert np.abs(small - large).max() > 0.1


def test_logits_become_shares(shelf):
    shares = convert(shelf / "logits.keras").run(synthetic.draw_faces(9).pixels[..., None]).scores
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)


def test_two_heads_stay_two(shelf):
    found = convert(shelf / "ours.keras", votes=VOTES, scale="0-255").run(synthetic.draw_faces(3).pixels[..., None])
    assert found.votes.shape == (3, 8)


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [
        ("lambda.h5", EMOTIONS, "Lambda layer"),
        ("lambda.keras", EMOTIONS, "Lambda layer"),
        ("only.weights.h5", EMOTIONS, "holds weights, and no network"),
        ("old.h5", EMOTIONS, "files of Keras 2 do not always load"),
        ("text.h5", EMOTIONS, "cannot load"),
        ("sigmoid.keras", EMOTIONS, "no probabilities"),
        ("plain.h5", ("sad", "happy"), "One number for each of 2 labels"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(shelf, name, labels, said):
    with pytest.raises(ExperimentError, match=said):
        convert(shelf / name, labels)


def test_a_process_of_its_own_turns_a_file_once(shelf, monkeypatch):
    made = keras_import.convert_to_onnx(shelf / "plain.h5", labels=EMOTIONS, scale="0-1")
    assert load_classifier(made).card.labels == EMOTIONS
    monkeypatch.setattr(sys, "executable", "no such program")
    assert keras_import.convert_to_onnx(shelf / "plain.h5", labels=EMOTIONS, scale="0-1") == made
    with pytest.raises(FileNotFoundError):
        keras_import.convert_to_onnx(shelf / "plain.h5", labels=EMOTIONS, scale="0-255")


def test_what_the_process_says_comes_back_as_an_error(shelf):
    with pytest.raises(ExperimentError, match="Lambda layer") as caught:
        keras_import.convert_to_onnx(shelf / "lambda.h5", labels=EMOTIONS, scale="0-1")
    assert caught.value.remedy
    assert not list(keras_import.cache_folder().rglob("*.onnx"))


def test_a_file_in_a_run_needs_no_words(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(tiny_model(tiny_card(labels=("sad", "happy"))))
    (tmp_path / "net.keras").write_bytes(b"a net")
    asked = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: asked.append(json.loads(words[-1])) or _Silent)
    with pytest.raises(ExperimentError, match="ended the process"):
        keras_import.convert_to_onnx(tmp_path / "net.keras")
    assert asked[0][2:] == [["sad", "happy"], list(VOTES), "0-255"]


class _Silent:
    stdout, returncode = b"", -11


def test_another_file_must_be_explained(tmp_path):
    (tmp_path / "net.h5").write_bytes(b"a net")
    with pytest.raises(ExperimentError, match="--labels"):
        keras_import.convert_to_onnx(tmp_path / "net.h5", scale="0-1")
    with pytest.raises(ExperimentError, match="--scale"):
        keras_import.convert_to_onnx(tmp_path / "net.h5", labels=EMOTIONS)
    with pytest.raises(ModelMissing):
        keras_import.convert_to_onnx(tmp_path / "other.h5", labels=EMOTIONS, scale="0-1")


def test_without_tensorflow_the_sentence_has_the_command(tmp_path, monkeypatch):
    (tmp_path / "net.h5").write_bytes(b"a net")
    monkeypatch.setattr(keras_import, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "\.\[train\]"'):
        keras_import.convert_to_onnx(tmp_path / "net.h5", labels=EMOTIONS, scale="0-1")


def test_without_h5py_a_file_that_may_have_a_card_is_told_what_reads_it(tmp_path, monkeypatch):
    import h5py

    with h5py.File(tmp_path / "emotion_model.h5", "w") as file:
        file.attrs[keras_import.CARD_INSIDE] = tiny_card().to_json()
    assert keras_import.read_embedded_card(tmp_path / "emotion_model.h5") == tiny_card()
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(keras_import, "find_spec", lambda name: None if name == "h5py" else sys)
    with pytest.raises(MissingExtra, match=r'h5py is not installed.*pip install "\.\[train\]"'):
        keras_import.convert_to_onnx(tmp_path / "emotion_model.h5")
