"""``mien compare``: words that are models, words that are evaluations, and neither."""

import json

import pytest

from command import mien
from mien.lab import drawn
from tiny import tiny_card, tiny_model

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Faces, two models, a training run, and an evaluation of the first model."""
    folder = tmp_path_factory.mktemp("desk")
    drawn.write(folder / "faces", 350)
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
    assert {line.split()[0] for line in out.splitlines()[:3]} == {"model", "tiny", "second"}
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


def test_a_model_that_was_not_evaluated_needs_faces(desk, tmp_path, capsys):
    assert mien("compare", desk / "evaluation", desk / "run", "-o", tmp_path / "out") == 2
    assert "Add --data" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_mistyped_word_is_wrong_usage(desk, capsys):
    assert mien("compare", desk / "evaluation", "bas", "--data", desk / "faces") == 2
    assert "Did you mean 'base'?" in capsys.readouterr().err
