"""``mien evaluate``: the folder it leaves, and every way it can be wrong."""

import csv
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from command import mien
from mien.datasets import synthetic
from tiny import tiny_card, tiny_model

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.write_fer2013(tmp_path_factory.mktemp("faces"), 350)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.onnx"
    path.write_bytes(tiny_model())
    return path


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def done(data, model, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluated") / "deep" / "er"
    assert mien("evaluate", "--model", model.parent, "--data", data, "-o", out) == 0
    return out


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Faces in folders that are numbered as RAF-DB numbers its own: 1 is surprise, 4 happy, 7 neutral."""
    root, few = tmp_path_factory.mktemp("numbered"), synthetic.draw_faces(35)
    theirs = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "angry": 6, "neutral": 7}
    for number, (pixels, label) in enumerate(zip(few.pixels, few.labels, strict=True)):
        folder = root / "test" / str(theirs[few.classes[label]])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    words = [f"--map={number}={word}" for word, number in theirs.items()]
    return root, words


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text("utf-8"))


# What it leaves


def test_the_folder_holds_everything_and_nothing_else(done):
    figures = ("confusion", "confusion_shares", "roc", "precision_recall", "reliability", "coverage", "mistakes")
    files = {f"{name}.png" for name in figures} | {"metrics.json", "answers.csv", "report.txt", "evaluation.html"}
    assert {path.name for path in done.iterdir()} == files
    for name in figures:
        with Image.open(done / f"{name}.png") as drawing:
            assert min(drawing.size) > 400


def test_the_figures_are_those_of_the_answers(done):
    with (done / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = metrics(done)
    assert told["faces"] == len(rows) == 35
    assert told["accuracy"] == pytest.approx(sum(row["label"] == row["answer"] for row in rows) / len(rows))
    assert told["model"]["name"] == "tiny"
    assert told["model"]["milliseconds"] > 0
    assert all(abs(sum(float(row[name]) for name in told["labels"]) - 1) < 1e-4 for row in rows)


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action")]


def test_the_page_needs_nothing_but_itself(done):
    text = (done / "evaluation.html").read_text("utf-8")
    page = Links()
    page.feed(text)
    assert {"svg", "table", "img", "style"} <= set(page.tags)
    assert not {"script", "iframe"} & set(page.tags)
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert not re.search(r"url\((?!#)|@import", text)
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("img") == min(24, 35 - round(35 * metrics(done)["accuracy"]))


def test_the_report_fits_a_terminal(done):
    lines = (done / "report.txt").read_text("utf-8").splitlines()
    assert lines[0] == "tiny on the public split: 35 faces"
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("surprise ") for line in lines)


def test_json_is_one_line_on_stdout(data, model, tmp_path, capsys):
    words = ("--data", data, "--split", "validation", "--one-pass", "--json", "-o", tmp_path / "out")
    assert mien("evaluate", "--model", model, *words) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == metrics(tmp_path / "out")
    assert "evaluation.html" in err
    assert (json.loads(out)["split"], json.loads(out)["tta"]) == ("validation", {})


def test_names_in_a_card_cannot_write_into_the_page(data, tmp_path, capsys):
    path = tmp_path / "odd.onnx"
    path.write_bytes(tiny_model(tiny_card(name="<script>alert(1)</script>")))
    assert mien("evaluate", "--model", path, "--data", data, "--one-pass", "-o", tmp_path / "out") == 0
    assert "<script" not in (tmp_path / "out" / "evaluation.html").read_text("utf-8")


# What can be wrong


def refused(*words, out: Path) -> int:
    status = mien("evaluate", *words, "-o", out)
    assert not out.exists()
    return status


def test_a_missing_split_is_one_sentence(model, tmp_path, capsys):
    faces = synthetic.draw_faces(70)
    from mien.datasets.dataset import write_csv

    path = write_csv(faces.take(faces.usage != "PrivateTest"), tmp_path / "fer2013.csv")
    assert refused("--model", model, "--data", path, "--split", "private", out=tmp_path / "out") == 1
    err = capsys.readouterr().err
    assert "The data has no PrivateTest faces" in err
    assert err.count("\n") == 1


def test_other_labels_are_one_sentence(data, tmp_path, capsys):
    path = tmp_path / "other.onnx"
    path.write_bytes(tiny_model(tiny_card(labels=("bored", "awake"), vote_labels=())))
    assert refused("--model", path, "--data", data, out=tmp_path / "out") == 1
    err = capsys.readouterr().err
    assert "different labels" in err
    assert "bored" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "bas", "--data", "x"], "Did you mean 'base'?"),
        (["--model", "base"], "--data"),
        (["--model", "base", "--data", "x", "--split", "test"], "public"),
    ],
)
def test_wrong_usage(words, said, tmp_path, capsys):
    assert refused(*words, out=tmp_path / "out") == 2
    assert said in capsys.readouterr().err


def test_data_that_is_not_there(model, tmp_path, capsys):
    assert refused("--model", model, "--data", tmp_path / "nothing.csv", out=tmp_path / "out") == 1
    assert "nothing.csv" in capsys.readouterr().err


def test_a_folder_that_cannot_be(data, model, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert mien("evaluate", "--model", model, "--data", data, "-o", tmp_path / "file") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "in the way"


def test_without_matplotlib_the_sentence_has_the_command(data, model, tmp_path, capsys, monkeypatch):
    for name in [
        name
        for name in sys.modules
        if name.startswith(("mien.plots", "mien.evaluation.report", "mien.training.score_"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert refused("--model", model, "--data", data, out=tmp_path / "out") == 1
    assert 'pip install ".[lab]"' in capsys.readouterr().err


def test_a_keras_file_must_be_explained_and_an_onnx_file_must_not(data, model, tmp_path, capsys):
    (tmp_path / "net.h5").write_bytes(b"a net")
    assert refused("--model", tmp_path / "net.h5", "--data", data, out=tmp_path / "out") == 1
    assert "--labels" in capsys.readouterr().err
    assert refused("--model", model, "--data", data, "--scale", "0-1", out=tmp_path / "out") == 2
    assert "for Keras files" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "file"), [("evaluate", "report.txt"), ("compare", "comparison.txt")])
def test_folders_with_another_s_numbers(command, file, numbered, model, tmp_path, capsys):
    root, words = numbered
    named = ("--model", model) if command == "evaluate" else (model,)
    assert mien(command, *named, "--data", root, *words, "-o", tmp_path / "out") == 0
    assert "35 faces" in (tmp_path / "out" / file).read_text()
    assert mien(command, *named, "--data", root, "--map", "1=surprize", "-o", tmp_path / "no") == 2
    assert "Did you mean 'surprise'?" in capsys.readouterr().err
