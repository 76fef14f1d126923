"""The guide's table of scripts of other projects, line by line, and the training notebook."""

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

from command import run_in_process
from mien.apps.cli.command_line import COMMANDS
from mien.datasets import synthetic
from mien.datasets.dataset import write_csv

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "train.ipynb"
ROW = re.compile(r"^\| `(\w+\.py)` \| `(mien [^`]+)` \|$", re.MULTILINE)
TABLE = dict(ROW.findall((ROOT / "docs" / "guide.md").read_text(encoding="utf-8")))
#: Commands that run until they are stopped; their own tests start them.
ENDLESS = ("live", "serve")


def test_every_common_script_has_a_command():
    scripts = {"train.py", "evaluate.py", "visualize.py", "real_time.py", "predict_image.py", "app.py"}
    assert set(TABLE) == scripts
    assert {shlex.split(line)[1] for line in TABLE.values()} <= set(COMMANDS)


@pytest.mark.full
@pytest.mark.train
def test_the_commands_work_one_after_the_other(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write_csv(synthetic.draw_faces(210), tmp_path / "fer2013.csv")
    shutil.copy(ROOT / "examples" / "astronaut.jpg", tmp_path / "photo.jpg")
    for line in TABLE.values():
        command, *arguments = shlex.split(line.replace("--epochs 30", "--epochs 2"))[1:]
        if command not in ENDLESS:
            assert run_in_process(command, *arguments).status == 0, line
    assert {"runs", "evaluation", "curves.png"} <= {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "runs" / "mine" / "emotion_model.h5").exists()


@pytest.mark.parametrize("name", [name for name, line in TABLE.items() if shlex.split(line)[1] in ENDLESS])
def test_an_endless_command_has_the_option_of_its_line(name):
    *_, command, option, _ = shlex.split(TABLE[name])
    assert option in run_in_process(command, "--help").stdout


# The notebook


def cells(kind: str) -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def convert_to_python(cell: str) -> str:
    """The cell with its shell lines as calls of ``shell``."""
    lines = [re.sub(r"^!(.*)$", lambda match: f"shell({match[1]!r})", line) for line in cell.splitlines()]
    return "\n".join(lines)


SHELL = """
import subprocess
def shell(line):
    subprocess.run(line, shell=True, check=True)
"""


def test_notebook_is_valid_and_covers_each_step():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "python3")
    headings = re.findall(r"^#+ (.+)$", "\n".join(cells("markdown")), re.MULTILINE)
    for word in ("data", "train", "curve", "evaluat", "predict"):
        assert any(word in heading.lower() for heading in headings)
    assert all(ast.parse(convert_to_python(cell)) for cell in cells("code"))
    assert len(NOTEBOOK.read_bytes()) < 1_500_000


@pytest.mark.full
@pytest.mark.train
def test_notebook_runs_from_top_to_bottom(tmp_path):
    pytest.importorskip("tensorflow")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    script = tmp_path / "notebook.py"
    script.write_text(SHELL + "\n".join(map(convert_to_python, cells("code"))), encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MIEN_HOME": str(tmp_path / "home")}
    line = [sys.executable, str(script)]
    done = subprocess.run(line, cwd=tmp_path / "examples", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "examples" / "runs" / "notebook" / "metrics.json").read_text("utf-8"))
    assert 0 <= metrics["accuracy"] <= 1
