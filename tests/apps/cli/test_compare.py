"""``mien compare``: words that are models, words that are evaluations, and neither."""

import json

import pytest

from command import mien
from mien.datasets import synthetic
from tiny import tiny_card, tiny_model

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Faces, two models, a training run, and an evaluation of the first model."""
    folder = tmp_path_factory.mktemp("desk")
    synthetic.write_fer2013(folder / "faces", 350)
    (folder / "first.onnx").write_bytes(tiny_model())
    (folder / "run").mkdir()
    (folder / "run" / "model.onnx").write_bytes(tiny_model(tiny_card(name="second", vote_labels=())))
    (folder / "run" / "history.csv").write_text("epoch,seconds\n1,3600\n")
    words = ("--data", folder / "faces", "--one-pass", "-o", folder / "evaluation")
    assert mien("evaluate", "--model", folder / "first.onnx", *words) == 0
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


def test_an_evaluation_and_a_run_on_the_same_faces(desk, tmp_path, capsys):
    words = ("--data", desk / "faces", "-o", tmp_path / "out")
    assert mien("compare", desk / "evaluation", desk / "run", *words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Models on the public split: 35 faces\n\nmodel ")
    assert {line.split()[0] for line in out.splitlines()[2:5]} == {"model", "tiny", "second"}
    assert "McNemar" in out
    assert "1 h 00" in out
    assert "comparison.html" in err
    assert (tmp_path / "out" / "accuracy_and_speed.png").stat().st_size > 1000


def test_the_comparison_as_json(desk, capsys):
    words = ("--data", desk / "faces", "--split", "private", "--json")
    assert mien("compare", desk / "first.onnx", desk / "run", *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["split"] for row in found["rows"]} == {"private"}
    assert found["mcnemar"]["models"] == [row["name"] for row in found["rows"]]


def test_an_evaluation_needs_no_data(desk, capsys):
    assert mien("compare", desk / "evaluation") == 0
    assert "nothing to compare" in capsys.readouterr().out


@pytest.fixture
def finished(desk, tmp_path):
    """A training run that was evaluated when it was finished, on PublicTest."""
    words = ("--data", desk / "faces", "--one-pass", "-o", tmp_path / "finished")
    (tmp_path / "finished").mkdir()
    model = tmp_path / "finished" / "model.onnx"
    model.write_bytes(tiny_model(tiny_card(name="third")))
    assert mien("evaluate", "--model", model, *words) == 0
    return tmp_path / "finished"


def test_what_was_evaluated_on_another_split_is_refused(desk, finished, capsys):
    for folder in (desk / "evaluation", finished):
        assert mien("compare", folder, "--split", "private") == 1
        assert f"'{folder}' was evaluated on the public split. Private was expected" in capsys.readouterr().err
        assert mien("compare", folder, "--split", "public") == 0
    assert mien("compare", desk / "evaluation", desk / "run", "--data", desk / "faces", "--split", "validation") == 1
    assert "Add --split public" in capsys.readouterr().err


def test_with_data_a_finished_run_is_evaluated_anew(desk, finished, capsys):
    words = ("--data", desk / "faces", "--split", "private", "--json")
    assert mien("compare", finished, desk / "first.onnx", *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["split"] for row in found["rows"]] == ["private", "private"]
    assert mien("compare", desk / "evaluation", "--data", desk / "faces") == 2
    assert "Leave --data out" in capsys.readouterr().err


def test_labels_and_scale_are_for_keras_files(desk, capsys):
    words = ("--data", desk / "faces", "--labels", "sad,happy", "--scale", "0-1")
    assert mien("compare", desk / "first.onnx", *words) == 2
    assert "are for Keras files" in capsys.readouterr().err
    (desk / "net.h5").write_bytes(b"a net")
    assert mien("compare", desk / "first.onnx", desk / "net.h5", "--data", desk / "faces") == 1
    assert "Add --labels angry,disgust" in capsys.readouterr().err
    assert mien("compare", desk / "first.onnx", desk / "net.h5", *words) == 1  # now it is read, and is none
    assert "--labels" not in capsys.readouterr().err


def test_a_model_that_was_not_evaluated_needs_faces(desk, tmp_path, capsys):
    assert mien("compare", desk / "evaluation", desk / "run", "-o", tmp_path / "out") == 2
    assert "Add --data" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_mistyped_word_is_wrong_usage(desk, capsys):
    assert mien("compare", desk / "evaluation", "bas", "--data", desk / "faces") == 2
    assert "Did you mean 'base'?" in capsys.readouterr().err
