"""``mien data``: output, files and exit status."""

import json
import subprocess
import sys

import pytest

from command import mien, run_process
from mien.datasets import checks, fer2013, synthetic
from mien.datasets.synthetic import list_outputs
from mien.labels import EMOTIONS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    synthetic.write_synthetic(folder, 140, folders=True)
    return folder


# Check


def test_check_prints_counts_by_split_and_label(sample, capsys):
    assert mien("data", "check", sample / "synthetic.csv") == 0
    out = capsys.readouterr().out
    assert "140 synthetic faces (table)" in out
    assert out.splitlines()[2].split() == [*EMOTIONS, "all"]
    assert "FER+ votes are available for 140 faces." in out


def test_check_as_json_has_every_finding(sample, tmp_path, capsys):
    lines = (sample / "synthetic.csv").read_text().splitlines()
    path = tmp_path / "short.csv"
    path.write_text("\n".join([*lines[:100], "8,1 2 3,Training", lines[1]]) + "\n")
    assert mien("data", "check", path, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["counts"]["label"] == values["counts"]["duplicate"] == 1
    assert {"kind": "label", "where": "row 100", "reason": "label '8' is none of 0 to 6"} in values["findings"]


def test_strict_exits_with_one_when_there_are_findings(sample, tmp_path, capsys):
    assert mien("data", "check", sample, "--strict") == 0
    assert "No problem was found." in capsys.readouterr().out
    path = tmp_path / "short.csv"
    path.write_text("".join((sample / "synthetic.csv").read_text().splitlines(keepends=True)[:50]))
    assert mien("data", "check", path) == 0
    assert mien("data", "check", path, "--strict") == 1


def test_findings_are_limited_without_all(sample, tmp_path, capsys):
    line = (sample / "synthetic.csv").read_text().splitlines()[1]
    path = tmp_path / "bad.csv"
    path.write_text("emotion,pixels,Usage\n" + (line + "\n") + "7,1,Training\n" * 9)
    mien("data", "check", path)
    assert "and 6 more" in capsys.readouterr().out
    mien("data", "check", path, "--all")
    assert "row 10: label '7'" in capsys.readouterr().out


def test_label_map_renames_folders(sample, tmp_path, capsys):
    (sample / "train" / "angry").rename(sample / "train" / "cross")
    try:
        mien("data", "check", sample / "train")
        assert "'cross' names none of our expressions" in capsys.readouterr().out
        mien("data", "check", sample / "train", "--label-map", "cross=anger", "--json")
        values = json.loads(capsys.readouterr().out)
        assert values["splits"]["Training"] == dict.fromkeys(EMOTIONS, 16)
    finally:
        (sample / "train" / "cross").rename(sample / "train" / "angry")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["check", "nowhere"], 1, "no data at nowhere"),
        (["check"], 2, "SRC"),
        (["check", "x", "--label-map", "a"], 2, "1=surprise"),
        (["check", "x", "--label-map", "a=hapy"], 2, "Did you mean 'happy'?"),
        (["sample", "out", "--faces", "3"], 2, "--faces"),
        (["chek"], 2, "chek"),
    ],
)
def test_wrong_usage_and_missing_data(arguments, status, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mien("data", *arguments) == status
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# Sample


def test_sample_writes_every_format(tmp_path, capsys):
    out = tmp_path / "out"
    assert mien("data", "sample", out, "--faces", 70, "--seed", 5, "--folders", "--npz") == 0
    assert "70 synthetic faces" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {path.name for path in list_outputs(out, folders=True, npz=True)}


def test_sample_depends_only_on_the_seed(tmp_path):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        mien("data", "sample", tmp_path / name, "--faces", 14, "--seed", seed)
    a, b, c = ((tmp_path / name / "synthetic.csv").read_bytes() for name in "abc")
    assert a == b != c


def test_existing_files_are_not_overwritten_without_force(tmp_path, capsys):
    assert mien("data", "sample", tmp_path, "--faces", 7) == 0
    assert mien("data", "sample", tmp_path, "--faces", 7) == 1
    assert "--force" in capsys.readouterr().err
    assert mien("data", "sample", tmp_path, "--faces", 7, "--force") == 0


def test_unwritable_folder_is_an_error(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert mien("data", "sample", tmp_path / "file" / "out", "--faces", 7) == 1
    assert "could not be written" in capsys.readouterr().err


# Processes


def test_help_imports_no_numpy():
    call = "run(['data', 'check', '--help'])"
    code = f"import sys; from mien.apps.cli.command_line import run; {call}; print('numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False"


@pytest.mark.full
def test_check_runs_as_a_process(sample, tmp_path):
    done = run_process("data", "check", sample, "--json", env={"MIEN_HOME": str(tmp_path), "PATH": ""})
    assert done.returncode == 0
    assert json.loads(done.stdout)["faces"] == 140


# Report


@pytest.mark.full
def test_report_prints_the_path_of_its_page(sample, tmp_path, capsys):
    out = tmp_path / "deep" / "report"
    assert mien("data", "report", sample, "-o", out) == 0
    assert capsys.readouterr().out == f"{out / 'report.html'}\n"
    assert json.loads((out / "report.json").read_text())["faces"] == 140


def test_report_needs_a_writable_folder(sample, tmp_path, capsys):
    assert mien("data", "report", sample) == 2
    assert mien("data", "report", tmp_path / "nowhere", "-o", tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    assert mien("data", "report", sample, "-o", tmp_path / "file" / "out") == 1
    assert "could not be written" in capsys.readouterr().err


def test_check_compares_the_counts_with_the_complete_fer2013():
    assert checks.compare_with_fer2013({"Training": [0] * 7, "PublicTest": [467, 56, 496, 895, 653, 415, 607]}) == {
        "Training": False,
        "PublicTest": True,
    }
    totals = [sum(counts) for counts in fer2013.CLASS_COUNTS.values()]
    assert totals == [28709, 3589, 3589]
