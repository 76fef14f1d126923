"""``mien export``, and Keras files wherever a model is named."""

import json

import numpy as np
import pytest

from command import mien, with_fakes, write_image
from mien.datasets import synthetic
from mien.labels import EMOTIONS
from mien.models import ModelCard, load_classifier

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = pytest.mark.train

from exported_networks import CALIBRATION, finish_network, write_finished_run  # noqa: E402
from mien.apps.cli.command_line import run as run_mien  # noqa: E402
from mien.apps.cli.export import SUFFIXES  # noqa: E402
from mien.datasets.splits import DataSettings  # noqa: E402
from mien.export import formats, onnx  # noqa: E402
from mien.training.recipe import NetworkSettings, Recipe  # noqa: E402

OTHER_FORMATS = ("keras", "h5", "savedmodel", "tflite", "int8", "float16")
RECIPE = Recipe(name="first", data=DataSettings(validation=21), net=NetworkSettings(width=4, depth=(1, 1)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished run, its training data, and its network as a Keras file."""
    folder = tmp_path_factory.mktemp("folder")
    synthetic.write_fer2013(folder / "faces", 210)
    model = write_finished_run(folder / "run", RECIPE)
    card = ModelCard.from_json(onnx.make_card(model, RECIPE, CALIBRATION, "first").to_json())
    formats.save_keras(formats.to_plain_keras(*finish_network(model)[:2]), card, folder / "emotion_model.h5")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("kind", ["onnx", *(pytest.param(kind, marks=pytest.mark.full) for kind in OTHER_FORMATS)])
def test_export_reports_the_difference_from_keras(kind, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert mien("export", folder / "run", "--to", kind, "--data", folder / "faces") == 0
    out = capsys.readouterr().out
    assert "Keras and the file differ by" in out
    assert "allowed: 1e-04" in out
    names = [path.name for path in tmp_path.iterdir() if path.name.startswith("first")]
    assert any(name == f"first{SUFFIXES[kind]}" for name in names)


def test_card_of_an_int8_file_has_the_accuracy_before_and_after(folder, tmp_path, capsys):
    arguments = (
        "--to",
        "int8",
        "--data",
        folder / "faces",
        "-o",
        tmp_path / "deep" / "m.onnx",
        "--json",
        "--name",
        "mine",
    )
    assert mien("export", folder / "run", *arguments) == 0
    facts = json.loads(capsys.readouterr().out)
    card = ModelCard.read(tmp_path / "deep" / "m.onnx")
    assert card.name == "mine"
    assert card.metrics["precision"] == "int8"
    for key in ("validation_accuracy", "validation_accuracy_int8"):
        assert card.metrics[key] == facts["scores"][key]
    assert (card.metrics["split"], card.metrics["faces"]) == ("validation", 21)
    batch = synthetic.draw_faces(3).pixels[..., None]
    assert load_classifier(tmp_path / "deep" / "m.onnx").run(batch).scores.shape == (3, 7)


@pytest.mark.full
def test_views_option_exports_a_network_with_several_views(folder, tmp_path, capsys):
    arguments = ("--to", "int8", "--data", folder / "faces")
    for views, target in (("2", "double"), ("1", "single")):
        assert mien("export", folder / "run", *arguments, "--views", views, "-o", tmp_path / f"{target}.onnx") == 0
    double, single = (load_classifier(tmp_path / f"{name}.onnx") for name in ("double", "single"))
    assert double.card.recipe["net"]["views"] == 2
    assert single.card.recipe["net"]["views"] == 1
    assert 1.9 * single.card.multiply_adds < double.card.multiply_adds < 2 * single.card.multiply_adds
    batch = synthetic.draw_faces(6).pixels[..., None]
    mirrored = np.ascontiguousarray(batch[:, :, ::-1])
    assert np.abs(single.run(batch).scores - single.run(mirrored).scores).max() > 0.01
    assert np.abs(double.run(batch).scores - double.run(mirrored).scores).max() < 1e-3
    capsys.readouterr()
    arguments = ("--to", "h5", "--views", "2", "--data", folder / "faces", "-o", tmp_path / "m.h5")
    assert mien("export", folder / "run", *arguments) == 1
    assert "several views" in capsys.readouterr().err


def test_evaluation_on_public_test_is_counted(folder, tmp_path, capsys):
    arguments = ("--to", "onnx", "--data", folder / "faces", "-o", tmp_path / "m.onnx")
    assert mien("export", folder / "run", *arguments, "--score-split", "public", "--evaluations", "4") == 0
    assert ModelCard.read(tmp_path / "m.onnx").metrics["evaluations"] == 4
    assert ModelCard.read(tmp_path / "m.onnx").metrics["split"] == "PublicTest"
    assert mien("export", folder / "run", *arguments, "--evaluations", "4") == 2
    assert "--score-split public" in capsys.readouterr().err


def test_sources_of_the_recipe_are_used_without_data(folder, tmp_path, capsys):
    assert mien("export", folder / "run", "--to", "onnx", "-o", tmp_path / "m.onnx") == 1
    assert "--data" in capsys.readouterr().err
    recipe = (folder / "run" / "recipe.toml").read_text("utf-8")
    for name in ("weights.npz", "history.csv"):
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / name).write_bytes((folder / "run" / name).read_bytes())
    path = (folder / "faces" / "fer2013.csv").as_posix()
    own = recipe.replace("sources = []", f'sources = [{{ path = "{path}" }}]')
    (tmp_path / "own" / "recipe.toml").write_text(own, "utf-8")
    assert mien("export", tmp_path / "own", "--to", "onnx", "-o", tmp_path / "m.onnx") == 0


def test_existing_file_is_only_overwritten_with_force(folder, tmp_path, capsys):
    (tmp_path / "m.onnx").write_text("mine")
    arguments = ("--to", "onnx", "--data", folder / "faces", "-o", tmp_path / "m.onnx")
    assert mien("export", folder / "run", *arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "m.onnx").read_text() == "mine"
    assert mien("export", folder / "run", *arguments, "--force") == 0
    assert ModelCard.read(tmp_path / "m.onnx").name == "first"


def test_missing_run_data_or_folder_is_refused(folder, tmp_path, capsys):
    arguments = ("--to", "onnx", "-o", tmp_path / "m.onnx")
    assert mien("export", tmp_path, *arguments, "--data", folder / "faces") == 1
    assert "is no training run" in capsys.readouterr().err
    assert mien("export", folder / "run", *arguments, "--data", tmp_path / "nothing.csv") == 1
    assert "nothing.csv" in capsys.readouterr().err
    (tmp_path / "file").write_text("a file")
    inside_file = ("--to", "onnx", "-o", tmp_path / "file" / "m.onnx")
    assert mien("export", folder / "run", *inside_file, "--data", folder / "faces") == 1
    assert "could not be written" in capsys.readouterr().err


@pytest.mark.full
def test_predict_converts_a_keras_file_once(folder, tmp_path, capsys, monkeypatch):
    photo = write_image(tmp_path / "photo.png", 90, 64)
    arguments = ["predict", str(photo), "--model", str(folder / "emotion_model.h5"), "--detector", "none", "--json"]
    assert run_mien(arguments) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["model"] == "first"
    monkeypatch.setattr("sys.executable", "no such program")
    assert run_mien(arguments) == 0
    assert json.loads(capsys.readouterr().out) == first
    gray = np.full((1, 48, 48, 1), 90, np.float32)
    net = keras.models.load_model(folder / "emotion_model.h5", compile=False)
    expected = np.asarray(net(gray)[0])[0]
    [face] = first["faces"]
    np.testing.assert_allclose([face["scores"][label] for label in EMOTIONS], expected, atol=1e-3)


def test_keras_file_without_a_card_needs_labels_and_scale(tmp_path, capsys):
    (tmp_path / "net.h5").write_bytes(b"a network")
    photo = write_image(tmp_path / "photo.png")
    assert mien("predict", photo, "--model", tmp_path / "net.h5", load=with_fakes()) == 1
    assert "--labels" in capsys.readouterr().err
    assert mien("predict", photo, "--model", tmp_path / "other.h5", load=with_fakes()) == 2
    assert "There is no model file" in capsys.readouterr().err
    assert mien("predict", photo, "--scale", "0-1", load=with_fakes()) == 2
    assert "for Keras files" in capsys.readouterr().err
