"""The table "the script you know" in the guide, line by line, and the notebook that goes the whole way."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.apps.cli.command_line import COMMANDS
from mien.datasets import synthetic
from mien.datasets.dataset import write_csv

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "train.ipynb"
ROW = re.compile(r"^\| `(\w+\.py)` \| `(mien [^`]+)` \|$", re.MULTILINE)
TABLE = dict(ROW.findall((ROOT / "docs" / "guide.md").read_text(encoding="utf-8")))
#: Those that go on until they are stopped: their own tests start them.
ENDLESS = ("live", "serve")


def mien(words, folder, **options):
    line = [sys.executable, "-m", "mien", *words]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False, **options)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def test_every_script_people_know_has_its_line():
    known = {"train.py", "evaluate.py", "visualize.py", "real_time.py", "predict_image.py", "app.py"}
    assert set(TABLE) == known
    assert {shlex.split(line)[1] for line in TABLE.values()} <= set(COMMANDS)


@pytest.mark.train
def test_the_lines_work_one_after_the_other(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    write_csv(synthetic.draw_faces(210), tmp_path / "fer2013.csv")
    shutil.copy(ROOT / "examples" / "astronaut.jpg", tmp_path / "photo.jpg")
    for line in TABLE.values():
        words = shlex.split(line)[1:]
        mien([words[0], "--help"] if words[0] in ENDLESS else words, tmp_path)
    there = {path.name for path in tmp_path.iterdir()}
    assert {"runs", "evaluation", "curves.png"} <= there
    assert (tmp_path / "runs" / "mine" / "emotion_model.h5").exists()


@pytest.mark.parametrize("name", [name for name, line in TABLE.items() if shlex.split(line)[1] in ENDLESS])
def test_what_goes_on_takes_the_words_of_its_line(name, tmp_path):
    *_, command, option, _ = shlex.split(TABLE[name])
    assert option in mien([command, "--help"], tmp_path)


# The notebook


def cells(kind):
    told = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in told["cells"] if cell["cell_type"] == kind]


def as_python(cell):
    """The cell without what only notebooks know: lines of shell become calls."""
    lines = [re.sub(r"^!(.*)$", lambda found: f"shell({found[1]!r})", line) for line in cell.splitlines()]
    return "\n".join(lines)


SHELL = """
import subprocess
def shell(line):
    subprocess.run(line, shell=True, check=True)
"""


def test_the_notebook_is_one_and_says_what_it_does():
    told = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (told["nbformat"], told["metadata"]["kernelspec"]["name"]) == (4, "python3")
    headings = re.findall(r"^#+ (.+)$", "\n".join(cells("markdown")), re.MULTILINE)
    for word in ("data", "train", "curve", "evaluat", "predict"):
        assert any(word in each.lower() for each in headings)
    assert all(ast.parse(as_python(cell)) for cell in cells("code"))
    assert len(NOTEBOOK.read_bytes()) < 1_500_000


@pytest.mark.train
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    script = tmp_path / "notebook.py"
    script.write_text(SHELL + "\n".join(map(as_python, cells("code"))), encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MIEN_HOME": str(tmp_path / "home")}
    line = [sys.executable, str(script)]
    done = subprocess.run(line, cwd=tmp_path / "examples", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "examples" / "runs" / "notebook" / "metrics.json").read_text("utf-8"))
    assert metrics["accuracy"] > 0.5
