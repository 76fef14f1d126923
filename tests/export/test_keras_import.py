"""Import of Keras files: conversion to ONNX, files that are refused, and the cache."""

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

pytestmark = [pytest.mark.train, pytest.mark.full]
pytest.importorskip("tensorflow")
pytest.importorskip("tf2onnx")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with Keras files of different kinds, written by another process because of its messages."""
    folder = tmp_path_factory.mktemp("files")
    subprocess.run([sys.executable, "-c", WRITE_FILES], cwd=folder, check=True, capture_output=True)
    (folder / "text.h5").write_text("hello")
    return folder


WRITE_FILES = """
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
def test_converted_file_predicts_the_same_as_in_keras(files, name):
    import keras

    faces = synthetic.draw_faces(9).pixels[..., None]
    classifier = convert(files / name)
    expected = np.asarray(keras.models.load_model(files / name, compile=False)(faces / np.float32(255)))
    np.testing.assert_allclose(classifier.run(faces).scores, expected, atol=1e-5)
    assert (classifier.card.labels, classifier.card.side, classifier.card.name) == (EMOTIONS, 48, "plain")
    assert classifier.card.parameters > 0


def test_scale_of_the_pixels_changes_the_scores(files):
    faces = synthetic.draw_faces(9).pixels[..., None]
    small, large = (convert(files / "plain.keras", scale=scale).run(faces).scores for scale in ("0-1", "0-255"))
    assert np.abs(small - large).max() > 0.1


def test_logits_become_probabilities(files):
    scores = convert(files / "logits.keras").run(synthetic.draw_faces(9).pixels[..., None]).scores
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)


def test_both_heads_are_converted(files):
    outputs = convert(files / "ours.keras", votes=VOTES, scale="0-255").run(synthetic.draw_faces(3).pixels[..., None])
    assert outputs.votes.shape == (3, 8)


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("lambda.h5", EMOTIONS, "Lambda layer"),
        ("lambda.keras", EMOTIONS, "Lambda layer"),
        ("only.weights.h5", EMOTIONS, "has weights, and no network"),
        ("old.h5", EMOTIONS, "cannot load all files of Keras 2"),
        ("text.h5", EMOTIONS, "cannot load"),
        ("sigmoid.keras", EMOTIONS, "do not sum to 1"),
        ("plain.h5", ("sad", "happy"), "One number for each of 2 labels"),
    ],
)
def test_unsuitable_file_is_refused(files, name, labels, message):
    with pytest.raises(ExperimentError, match=message):
        convert(files / name, labels)


def test_file_is_converted_once(files, monkeypatch):
    path = keras_import.convert_to_onnx(files / "plain.h5", labels=EMOTIONS, scale="0-1")
    assert load_classifier(path).card.labels == EMOTIONS
    monkeypatch.setattr(sys, "executable", "no such program")
    assert keras_import.convert_to_onnx(files / "plain.h5", labels=EMOTIONS, scale="0-1") == path
    with pytest.raises(FileNotFoundError):
        keras_import.convert_to_onnx(files / "plain.h5", labels=EMOTIONS, scale="0-255")


def test_error_of_the_process_is_raised(files):
    with pytest.raises(ExperimentError, match="Lambda layer") as error:
        keras_import.convert_to_onnx(files / "lambda.h5", labels=EMOTIONS, scale="0-1")
    assert error.value.remedy
    assert not list(keras_import.cache_folder().rglob("*.onnx"))


def test_file_in_a_run_folder_needs_no_options(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(tiny_model(tiny_card(labels=("sad", "happy"))))
    (tmp_path / "net.keras").write_bytes(b"a network")
    calls = []

    def run(command, **options):
        calls.append(json.loads(command[-1]))
        return CrashedProcess

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ExperimentError, match=r"The process that converts .* ended"):
        keras_import.convert_to_onnx(tmp_path / "net.keras")
    assert calls[0][2:] == [["sad", "happy"], list(VOTES), "0-255", {}]


class CrashedProcess:
    stdout, returncode = b"", -11


def test_other_files_need_labels_and_scale(tmp_path):
    (tmp_path / "net.h5").write_bytes(b"a network")
    with pytest.raises(ExperimentError, match="--labels"):
        keras_import.convert_to_onnx(tmp_path / "net.h5", scale="0-1")
    with pytest.raises(ExperimentError, match="--scale"):
        keras_import.convert_to_onnx(tmp_path / "net.h5", labels=EMOTIONS)
    with pytest.raises(ModelMissing):
        keras_import.convert_to_onnx(tmp_path / "other.h5", labels=EMOTIONS, scale="0-1")


def test_missing_tensorflow_is_reported_with_the_command_that_installs_it(tmp_path, monkeypatch):
    (tmp_path / "net.h5").write_bytes(b"a network")
    monkeypatch.setattr(keras_import, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "\.\[train\]"'):
        keras_import.convert_to_onnx(tmp_path / "net.h5", labels=EMOTIONS, scale="0-1")


def test_missing_h5py_is_reported_for_a_file_that_may_have_a_card(tmp_path, monkeypatch):
    import h5py

    with h5py.File(tmp_path / "emotion_model.h5", "w") as file:
        file.attrs[keras_import.CARD_INSIDE] = tiny_card().to_json()
    assert keras_import.read_embedded_card(tmp_path / "emotion_model.h5") == tiny_card()
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(keras_import, "find_spec", lambda name: None if name == "h5py" else sys)
    with pytest.raises(MissingExtra, match=r'h5py is not installed.*pip install "\.\[train\]"'):
        keras_import.convert_to_onnx(tmp_path / "emotion_model.h5")
