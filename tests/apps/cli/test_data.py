"""``mien data``: what it prints, what it writes, and how it ends."""

import json
import subprocess
import sys

import numpy as np
import pytest

from command import mien, run_process
from mien.datasets import loading, synthetic
from mien.labels import EMOTIONS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    synthetic.write_synthetic(folder, 140, folders=True)
    return folder


# Check


def test_a_check_counts_classes_and_names_what_is_wrong(drawn, capsys):
    assert mien("data", "check", drawn / "fer2013.csv") == 0
    out = capsys.readouterr().out
    assert "140 faces (table)" in out
    assert out.splitlines()[2].split() == [*EMOTIONS, "all"]
    assert "FER+ votes were found for 140 faces." in out


def test_a_check_as_json_holds_every_finding(drawn, tmp_path, capsys):
    lines = (drawn / "fer2013.csv").read_text().splitlines()
    path = tmp_path / "short.csv"
    path.write_text("\n".join([*lines[:100], "8,1 2 3,Training", lines[1]]) + "\n")
    assert mien("data", "check", path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["label"] == told["counts"]["duplicate"] == 1
    assert {"kind": "label", "where": "row 100", "reason": "label '8' is none of 0 to 6"} in told["findings"]


def test_strict_leaves_with_one_when_anything_was_found(drawn, tmp_path, capsys):
    assert mien("data", "check", drawn, "--strict") == 0
    assert "Nothing wrong was found." in capsys.readouterr().out
    path = tmp_path / "short.csv"
    path.write_text("".join((drawn / "fer2013.csv").read_text().splitlines(keepends=True)[:50]))
    assert mien("data", "check", path) == 0
    assert mien("data", "check", path, "--strict") == 1


def test_many_findings_are_cut_short_until_all_are_asked_for(drawn, tmp_path, capsys):
    line = (drawn / "fer2013.csv").read_text().splitlines()[1]
    path = tmp_path / "bad.csv"
    path.write_text("emotion,pixels,Usage\n" + (line + "\n") + "7,1,Training\n" * 9)
    mien("data", "check", path)
    assert "and 6 more" in capsys.readouterr().out
    mien("data", "check", path, "--all")
    assert "row 10: label '7'" in capsys.readouterr().out


def test_folders_with_other_words(drawn, tmp_path, capsys):
    (drawn / "train" / "angry").rename(drawn / "train" / "cross")
    try:
        mien("data", "check", drawn / "train")
        assert "'cross' names none of our expressions" in capsys.readouterr().out
        mien("data", "check", drawn / "train", "--map", "cross=anger", "--json")
        told = json.loads(capsys.readouterr().out)
        assert told["splits"]["Training"] == dict.fromkeys(EMOTIONS, 16)
    finally:
        (drawn / "train" / "cross").rename(drawn / "train" / "angry")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["check", "nowhere"], 1, "no data at nowhere"),
        (["check"], 2, "SRC"),
        (["check", "x", "--map", "a"], 2, "1=surprise"),
        (["check", "x", "--map", "a=hapy"], 2, "Did you mean 'happy'?"),
        (["sample", "out", "--faces", "3"], 2, "--faces"),
        (["chek"], 2, "chek"),
    ],
)
def test_wrong_usage_and_missing_data(arguments, status, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mien("data", *arguments) == status
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# Sample


def test_a_sample_in_every_shape_is_the_same_sample(tmp_path, capsys):
    out = tmp_path / "out"
    assert mien("data", "sample", out, "--faces", 70, "--seed", 5, "--folders", "--npz") == 0
    assert "70 faces drawn" in capsys.readouterr().out
    table, arrays = loading.load_dataset(out).faces, loading.load_dataset(out / "fer2013.npz").faces
    for part in ("pixels", "labels", "usage", "votes"):
        assert np.array_equal(getattr(table, part), getattr(arrays, part)), part
    folders = loading.load_dataset(out / "train").faces
    trained = table.split("Training")
    assert sorted(f.tobytes() for f in folders.pixels) == sorted(f.tobytes() for f in trained.pixels)


def test_the_seed_decides_what_is_drawn(tmp_path):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        mien("data", "sample", tmp_path / name, "--faces", 14, "--seed", seed)
    a, b, c = ((tmp_path / name / "fer2013.csv").read_bytes() for name in "abc")
    assert a == b != c


def test_nothing_is_written_over_without_force(tmp_path, capsys):
    assert mien("data", "sample", tmp_path, "--faces", 7) == 0
    assert mien("data", "sample", tmp_path, "--faces", 7) == 1
    assert "--force" in capsys.readouterr().err
    assert mien("data", "sample", tmp_path, "--faces", 7, "--force") == 0


def test_a_place_that_cannot_be_written_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert mien("data", "sample", tmp_path / "file" / "out", "--faces", 7) == 1
    assert "could not be written" in capsys.readouterr().err


# Around


def test_help_loads_nothing_heavy():
    asked = "run(['data', 'check', '--help'])"
    code = f"import sys; from mien.apps.cli.command_line import run; {asked}; print('numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False"


def test_a_check_is_a_whole_process(drawn, tmp_path):
    done = run_process("data", "check", drawn, "--json", env={"MIEN_HOME": str(tmp_path), "PATH": ""})
    assert done.returncode == 0
    assert json.loads(done.stdout)["faces"] == 140


# Report


def test_a_report_is_a_page_and_its_place_is_told(drawn, tmp_path, capsys):
    out = tmp_path / "deep" / "report"
    assert mien("data", "report", drawn, "-o", out) == 0
    assert capsys.readouterr().out == f"{out / 'report.html'}\n"
    assert json.loads((out / "report.json").read_text())["faces"] == 140


def test_a_report_needs_a_place_that_can_be_written(drawn, tmp_path, capsys):
    assert mien("data", "report", drawn) == 2
    assert mien("data", "report", tmp_path / "nowhere", "-o", tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    assert mien("data", "report", drawn, "-o", tmp_path / "file" / "out") == 1
    assert "could not be written" in capsys.readouterr().err
