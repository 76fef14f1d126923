"""``mien evaluate``: the files it writes, and errors."""

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
def evaluated(data, model, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluated") / "deep" / "er"
    assert mien("evaluate", "--model", model.parent, "--data", data, "-o", out) == 0
    return out


@pytest.fixture(scope="module")
def numbered_folders(tmp_path_factory):
    """Faces in folders with the numbers of RAF-DB: 1 is surprise, 4 happy, 7 neutral; and the label map."""
    root, few = tmp_path_factory.mktemp("numbered"), synthetic.draw_faces(35)
    numbers = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "angry": 6, "neutral": 7}
    for number, (pixels, label) in enumerate(zip(few.pixels, few.labels, strict=True)):
        folder = root / "test" / str(numbers[few.classes[label]])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    words = [f"--label-map={number}={word}" for word, number in numbers.items()]
    return root, words


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text("utf-8"))


# Files


def test_folder_has_exactly_the_documented_files(evaluated):
    figures = ("confusion", "confusion_normalized", "roc", "precision_recall", "reliability", "coverage", "mistakes")
    figures += ("people_confusion", "people_coverage")
    files = {f"{name}.png" for name in figures} | {"metrics.json", "predictions.csv", "report.txt", "evaluation.html"}
    assert {path.name for path in evaluated.iterdir()} == files
    for name in figures:
        with Image.open(evaluated / f"{name}.png") as image:
            assert min(image.size) > 400


def test_metrics_match_the_predictions(evaluated):
    with (evaluated / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    values = metrics(evaluated)
    assert values["faces"] == len(rows) == 35
    assert values["accuracy"] == pytest.approx(sum(row["label"] == row["prediction"] for row in rows) / len(rows))
    assert values["model"]["name"] == "tiny"
    assert values["model"]["milliseconds"] > 0
    assert all(abs(sum(float(row[name]) for name in values["labels"]) - 1) < 1e-4 for row in rows)


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action")]


def test_page_needs_no_other_file_and_supports_dark_mode(evaluated):
    text = (evaluated / "evaluation.html").read_text("utf-8")
    page = Links()
    page.feed(text)
    assert {"svg", "table", "img", "style"} <= set(page.tags)
    assert not {"script", "iframe"} & set(page.tags)
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert not re.search(r"url\((?!#)|@import", text)
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("img") == min(24, 35 - round(35 * metrics(evaluated)["accuracy"]))


def test_text_report_fits_a_terminal(evaluated):
    lines = (evaluated / "report.txt").read_text("utf-8").splitlines()
    assert lines[0] == "tiny on the public split: 35 faces"
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("surprise ") for line in lines)


@pytest.mark.full
def test_json_is_one_line_on_stdout(data, model, tmp_path, capsys):
    words = ("--data", data, "--split", "validation", "--no-tta", "--json", "-o", tmp_path / "out")
    assert mien("evaluate", "--model", model, *words) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == metrics(tmp_path / "out")
    assert "evaluation.html" in err
    assert (json.loads(out)["split"], json.loads(out)["tta"]) == ("validation", {})


@pytest.mark.full
def test_name_in_a_card_is_escaped_on_the_page(data, tmp_path, capsys):
    path = tmp_path / "odd.onnx"
    path.write_bytes(tiny_model(tiny_card(name="<script>alert(1)</script>")))
    assert mien("evaluate", "--model", path, "--data", data, "--no-tta", "-o", tmp_path / "out") == 0
    assert "<script" not in (tmp_path / "out" / "evaluation.html").read_text("utf-8")


# Errors


def evaluate(*arguments, out: Path) -> int:
    """The exit status of a command that must not create its output folder."""
    status = mien("evaluate", *arguments, "-o", out)
    assert not out.exists()
    return status


def test_missing_split_is_one_line(model, tmp_path, capsys):
    faces = synthetic.draw_faces(70)
    from mien.datasets.dataset import write_csv

    path = write_csv(faces.take(faces.usage != "PrivateTest"), tmp_path / "fer2013.csv")
    assert evaluate("--model", model, "--data", path, "--split", "private", out=tmp_path / "out") == 1
    err = capsys.readouterr().err
    assert "The data has no PrivateTest faces" in err
    assert err.count("\n") == 1


def test_other_labels_are_one_line(data, tmp_path, capsys):
    path = tmp_path / "other.onnx"
    path.write_bytes(tiny_model(tiny_card(labels=("bored", "awake"), vote_labels=())))
    assert evaluate("--model", path, "--data", data, out=tmp_path / "out") == 1
    err = capsys.readouterr().err
    assert "different labels" in err
    assert "bored" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "bas", "--data", "x"], "Did you mean 'base'?"),
        (["--model", "base"], "--data"),
        (["--model", "base", "--data", "x", "--split", "test"], "public"),
    ],
)
def test_wrong_usage(arguments, message, tmp_path, capsys):
    assert evaluate(*arguments, out=tmp_path / "out") == 2
    assert message in capsys.readouterr().err


def test_missing_data_is_an_error(model, tmp_path, capsys):
    assert evaluate("--model", model, "--data", tmp_path / "nothing.csv", out=tmp_path / "out") == 1
    assert "nothing.csv" in capsys.readouterr().err


def test_file_as_output_folder_is_an_error(data, model, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert mien("evaluate", "--model", model, "--data", data, "-o", tmp_path / "file") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "in the way"


def test_missing_matplotlib_names_the_install_command(data, model, tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("mien.plots", "mien.evaluation.report"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert evaluate("--model", model, "--data", data, out=tmp_path / "out") == 1
    assert 'pip install ".[lab]"' in capsys.readouterr().err


def test_keras_file_needs_labels_and_onnx_file_rejects_scale(data, model, tmp_path, capsys):
    pytest.importorskip("h5py")
    (tmp_path / "net.h5").write_bytes(b"a net")
    assert evaluate("--model", tmp_path / "net.h5", "--data", data, out=tmp_path / "out") == 1
    assert "--labels" in capsys.readouterr().err
    assert evaluate("--model", model, "--data", data, "--scale", "0-1", out=tmp_path / "out") == 2
    assert "for Keras files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "file"),
    [pytest.param("evaluate", "report.txt", marks=pytest.mark.full), ("compare", "comparison.txt")],
)
def test_label_map_maps_numbered_folders(command, file, numbered_folders, model, tmp_path, capsys):
    root, words = numbered_folders
    arguments = ("--model", model) if command == "evaluate" else (model,)
    assert mien(command, *arguments, "--data", root, *words, "-o", tmp_path / "out") == 0
    assert "35 faces" in (tmp_path / "out" / file).read_text()
    assert mien(command, *arguments, "--data", root, "--label-map", "1=surprize", "-o", tmp_path / "no") == 2
    assert "Did you mean 'surprise'?" in capsys.readouterr().err


def test_private_test_is_evaluated_by_its_own_name(data, model, tmp_path, capsys):
    words = ("--model", model.parent, "--data", data, "--no-tta", "--json", "--split")
    assert mien("evaluate", *words, "PrivateTest", "-o", tmp_path / "a") == 0
    assert json.loads(capsys.readouterr().out)["split"] == "private"
