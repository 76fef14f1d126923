"""``mien export``, and Keras files wherever a model is named."""

import json

import numpy as np
import pytest

from command import mien, write_image, with_fakes
from mien.datasets import synthetic
from mien.labels import EMOTIONS
from mien.models import ModelCard, load_classifier

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = pytest.mark.train

from exported_networks import FITTED, seasoned  # noqa: E402
from mien.apps.cli.command_line import run as mien_itself  # noqa: E402
from mien.apps.cli.export import SUFFIXES  # noqa: E402
from mien.export import formats, onnx  # noqa: E402
from mien.training import checkpoint  # noqa: E402
from mien.training.recipe import NetworkSettings, Recipe  # noqa: E402
from mien.datasets.splits import DataSettings  # noqa: E402

RECIPE = Recipe(name="first", data=DataSettings(validation=21), net=NetworkSettings(width=4, depth=(1, 1)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A finished run, and the faces it learned from."""
    folder = tmp_path_factory.mktemp("desk")
    synthetic.write_fer2013(folder / "faces", 210)
    model = seasoned(RECIPE.net)
    checkpoint.save_state(folder / "run", model.get_weights(), RECIPE, [{"epoch": 1}])
    checkpoint.save_weights(folder / "run", model)
    card = ModelCard.from_json(onnx.make_card(model, RECIPE, FITTED, "first").to_json())
    formats.save_keras(formats.to_plain_keras(model, FITTED.temperatures), card, folder / "emotion_model.h5")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("kind", ["onnx", "keras", "h5", "savedmodel", "tflite", "int8", "float16"])
def test_every_kind_says_how_far_it_is_from_keras(kind, desk, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert mien("export", desk / "run", "--to", kind, "--data", desk / "faces") == 0
    out = capsys.readouterr().out
    assert "Keras and the file differ by" in out
    assert "allowed: 1e-04" in out
    made = [path.name for path in tmp_path.iterdir() if path.name.startswith("first")]
    assert any(name == f"first{SUFFIXES[kind]}" for name in made)


def test_what_eight_bits_cost_is_in_the_card(desk, tmp_path, capsys):
    words = ("--to", "int8", "--data", desk / "faces", "-o", tmp_path / "deep" / "m.onnx", "--json", "--name", "mine")
    assert mien("export", desk / "run", *words) == 0
    told = json.loads(capsys.readouterr().out)
    card = ModelCard.read(tmp_path / "deep" / "m.onnx")
    assert card.name == "mine"
    assert card.metrics["precision"] == "int8"
    for key in ("held_out_accuracy", "held_out_accuracy_int8"):
        assert card.metrics[key] == told["scores"][key]
    assert (card.metrics["split"], card.metrics["faces"]) == ("validation", 21)
    few = synthetic.draw_faces(3).pixels[..., None]
    assert load_classifier(tmp_path / "deep" / "m.onnx").run(few).scores.shape == (3, 7)


def test_any_run_may_look_into_the_mirror(desk, tmp_path, capsys):
    words = ("--to", "int8", "--data", desk / "faces")
    for way, target in (("2", "twice"), ("1", "once")):
        assert mien("export", desk / "run", *words, "--views", way, "-o", tmp_path / f"{target}.onnx") == 0
    twice, once = (load_classifier(tmp_path / f"{name}.onnx") for name in ("twice", "once"))
    assert twice.card.recipe["net"]["views"] == 2
    assert once.card.recipe["net"]["views"] == 1
    assert 1.9 * once.card.multiply_adds < twice.card.multiply_adds < 2 * once.card.multiply_adds
    few = synthetic.draw_faces(6).pixels[..., None]
    turned = np.ascontiguousarray(few[:, :, ::-1])
    assert np.abs(once.run(few).scores - once.run(turned).scores).max() > 0.01
    assert np.abs(twice.run(few).scores - twice.run(turned).scores).max() < 1e-3
    capsys.readouterr()
    words = ("--to", "h5", "--views", "2", "--data", desk / "faces", "-o", tmp_path / "m.h5")
    assert mien("export", desk / "run", *words) == 1
    assert "no place" in capsys.readouterr().err


def test_a_look_at_public_test_is_counted(desk, tmp_path, capsys):
    words = ("--to", "onnx", "--data", desk / "faces", "-o", tmp_path / "m.onnx")
    assert mien("export", desk / "run", *words, "--scores", "public", "--looks", "4") == 0
    assert ModelCard.read(tmp_path / "m.onnx").scores["looks"] == 4
    assert ModelCard.read(tmp_path / "m.onnx").scores["split"] == "PublicTest"
    assert mien("export", desk / "run", *words, "--looks", "4") == 2
    assert "--scores public" in capsys.readouterr().err


def test_a_run_whose_recipe_names_its_faces_needs_no_data(desk, tmp_path, capsys):
    assert mien("export", desk / "run", "--to", "onnx", "-o", tmp_path / "m.onnx") == 1
    assert "--data" in capsys.readouterr().err
    recipe = (desk / "run" / "recipe.toml").read_text("utf-8")
    for name in ("weights.npz", "history.csv"):
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / name).write_bytes((desk / "run" / name).read_bytes())
    place = (desk / "faces" / "fer2013.csv").as_posix()
    lines = [line for line in recipe.splitlines() if not line.startswith("sources")]
    (tmp_path / "own" / "recipe.toml").write_text("\n".join(lines) + f'\n[[data.sources]]\npath = "{place}"\n', "utf-8")
    assert mien("export", tmp_path / "own", "--to", "onnx", "-o", tmp_path / "m.onnx") == 0


def test_nothing_is_written_over_unasked(desk, tmp_path, capsys):
    (tmp_path / "m.onnx").write_text("mine")
    words = ("--to", "onnx", "--data", desk / "faces", "-o", tmp_path / "m.onnx")
    assert mien("export", desk / "run", *words) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "m.onnx").read_text() == "mine"
    assert mien("export", desk / "run", *words, "--force") == 0
    assert ModelCard.read(tmp_path / "m.onnx").name == "first"


def test_no_run_no_data_no_place(desk, tmp_path, capsys):
    words = ("--to", "onnx", "-o", tmp_path / "m.onnx")
    assert mien("export", tmp_path, *words, "--data", desk / "faces") == 1
    assert "is no training run" in capsys.readouterr().err
    assert mien("export", desk / "run", *words, "--data", tmp_path / "nothing.csv") == 1
    assert "nothing.csv" in capsys.readouterr().err
    (tmp_path / "file").write_text("in the way")
    into = ("--to", "onnx", "-o", tmp_path / "file" / "m.onnx")
    assert mien("export", desk / "run", *into, "--data", desk / "faces") == 1
    assert "could not be written" in capsys.readouterr().err


def test_predict_reads_with_a_keras_file_and_keeps_what_it_made(desk, tmp_path, capsys, monkeypatch):
    photo = write_image(tmp_path / "photo.png", 90, 64)
    words = ["predict", str(photo), "--model", str(desk / "emotion_model.h5"), "--detector", "none", "--json"]
    assert mien_itself(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["model"] == "first"
    monkeypatch.setattr("sys.executable", "no such program")
    assert mien_itself(words) == 0
    assert json.loads(capsys.readouterr().out) == first
    gray = np.full((1, 48, 48, 1), 90, np.float32)
    net = keras.models.load_model(desk / "emotion_model.h5", compile=False)
    wanted = np.asarray(net(gray)[0])[0]
    [face] = first["faces"]
    np.testing.assert_allclose([face["scores"][label] for label in EMOTIONS], wanted, atol=1e-3)


def test_another_s_file_asks_for_its_words(tmp_path, capsys):
    (tmp_path / "net.h5").write_bytes(b"a net")
    photo = write_image(tmp_path / "photo.png")
    assert mien("predict", photo, "--model", tmp_path / "net.h5", load=with_fakes()) == 1
    assert "--labels" in capsys.readouterr().err
    assert mien("predict", photo, "--model", tmp_path / "other.h5", load=with_fakes()) == 2
    assert "There is no model file" in capsys.readouterr().err
    assert mien("predict", photo, "--scale", "0-1", load=with_fakes()) == 2
    assert "for Keras files" in capsys.readouterr().err
