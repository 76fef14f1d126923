"""``mien compare``: arguments that are models, evaluations, and neither."""

import json

import pytest

from command import mien
from mien.datasets import synthetic
from mien.datasets.loading import load_faces
from mien.evaluation.evaluate import evaluate_file
from tiny import tiny_card, tiny_model

pytest.importorskip("matplotlib")

from mien.evaluation.report import METRICS, TABLE, format_predictions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Faces, two models, a training run, and an evaluation of the first model."""
    folder = tmp_path_factory.mktemp("compare")
    synthetic.write_fer2013(folder / "faces", 350)
    (folder / "first.onnx").write_bytes(tiny_model())
    (folder / "run").mkdir()
    (folder / "run" / "model.onnx").write_bytes(tiny_model(tiny_card(name="second", vote_labels=())))
    (folder / "run" / "history.csv").write_text("epoch,seconds\n1,3600\n")
    write_evaluation(folder / "first.onnx", folder / "faces", folder / "evaluation")
    return folder


def write_evaluation(model, data, out):
    """What 'mien evaluate' writes and 'mien compare' reads, without figures and page."""
    predictions, metrics = evaluate_file(model, load_faces(data), tta=False)
    out.mkdir(exist_ok=True)
    (out / METRICS).write_text(json.dumps(metrics))
    (out / TABLE).write_text(format_predictions(predictions))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


def test_evaluation_and_run_are_compared_on_the_same_faces(folder, tmp_path, capsys):
    words = ("--data", folder / "faces", "-o", tmp_path / "out")
    assert mien("compare", folder / "evaluation", folder / "run", *words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Models on the public split: 35 faces\n\nmodel ")
    assert {line.split()[0] for line in out.splitlines()[2:5]} == {"model", "tiny", "second"}
    assert "McNemar" in out
    assert "1 h 00" in out
    assert "comparison.html" in err
    assert (tmp_path / "out" / "accuracy_and_speed.png").stat().st_size > 1000


def test_comparison_as_json(folder, capsys):
    words = ("--data", folder / "faces", "--split", "private", "--json")
    assert mien("compare", folder / "first.onnx", folder / "run", *words) == 0
    values = json.loads(capsys.readouterr().out)
    assert {row["split"] for row in values["rows"]} == {"private"}
    assert values["mcnemar"]["models"] == [row["name"] for row in values["rows"]]


def test_evaluation_needs_no_data(folder, capsys):
    assert mien("compare", folder / "evaluation") == 0
    assert "nothing to compare" in capsys.readouterr().out


@pytest.fixture
def finished(folder, tmp_path):
    """A training run that was evaluated when it was finished, on PublicTest."""
    (tmp_path / "finished").mkdir()
    model = tmp_path / "finished" / "model.onnx"
    model.write_bytes(tiny_model(tiny_card(name="third")))
    write_evaluation(model, folder / "faces", tmp_path / "finished")
    return tmp_path / "finished"


def test_evaluation_on_another_split_is_an_error(folder, finished, capsys):
    for run in (folder / "evaluation", finished):
        assert mien("compare", run, "--split", "private") == 1
        assert f"'{run}' was evaluated on the public split. Private was expected" in capsys.readouterr().err
        assert mien("compare", run, "--split", "public") == 0
    assert (
        mien("compare", folder / "evaluation", folder / "run", "--data", folder / "faces", "--split", "validation") == 1
    )
    assert "Add --split public" in capsys.readouterr().err


def test_finished_run_is_evaluated_again_with_data(folder, finished, capsys):
    words = ("--data", folder / "faces", "--split", "private", "--json")
    assert mien("compare", finished, folder / "first.onnx", *words) == 0
    values = json.loads(capsys.readouterr().out)
    assert [row["split"] for row in values["rows"]] == ["private", "private"]
    assert mien("compare", folder / "evaluation", "--data", folder / "faces") == 2
    assert "Leave out --data" in capsys.readouterr().err


@pytest.mark.full
def test_labels_and_scale_are_for_keras_files(folder, capsys):
    words = ("--data", folder / "faces", "--labels", "sad,happy", "--scale", "0-1")
    assert mien("compare", folder / "first.onnx", *words) == 2
    assert "are for Keras files" in capsys.readouterr().err
    (folder / "net.h5").write_bytes(b"a net")
    assert mien("compare", folder / "first.onnx", folder / "net.h5", "--data", folder / "faces") == 1
    assert "Add --labels angry,disgust" in capsys.readouterr().err
    assert (
        mien("compare", folder / "first.onnx", folder / "net.h5", *words) == 1
    )  # now the file is read, which is no model
    assert "--labels" not in capsys.readouterr().err


def test_model_without_an_evaluation_needs_data(folder, tmp_path, capsys):
    assert mien("compare", folder / "evaluation", folder / "run", "-o", tmp_path / "out") == 2
    assert "Add --data" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unknown_model_is_wrong_usage(folder, capsys):
    assert mien("compare", folder / "evaluation", "bas", "--data", folder / "faces") == 2
    assert "Did you mean 'base'?" in capsys.readouterr().err
