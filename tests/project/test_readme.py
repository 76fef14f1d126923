"""What README and guide show is run: every command, every block of Python, every table."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mien.errors import install_command
from mien.evaluation import metrics

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/guide.md", "docs/training.md", "CONTRIBUTING.md"]
#: Pages without commands.
OTHERS = ["docs/architecture.md", "docs/recipes.md", "benchmarks/README.md", "SECURITY.md"]
ROOMS = re.compile(r"^```\n(src/mien/.*?)^```$", re.DOTALL | re.MULTILINE)
#: Options that name what a command writes.
WRITING = ("--csv", "--annotate", "-o")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(language: str) -> list[pytest.param]:
    return [
        pytest.param(code, id=f"{page}-{number}", marks=pytest.mark.train if "mien train" in code else ())
        for page in PAGES
        for number, (word, code) in enumerate(FENCED.findall(text(page)))
        if word == language
    ]


def runs_here(code: str) -> bool:
    """mien's own commands, but not those that fetch."""
    return all(line.startswith("mien ") and " pull " not in line for line in code.splitlines())


def commands(first: str) -> list[str]:
    lines = [line for block in blocks("sh") for line in block.values[0].splitlines()]
    return sorted({line for line in lines if line.startswith(first)})


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A folder with the examples in it, where a reader would type."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    return tmp_path


def run(words: list[str], desk: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, cwd=desk, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("code", blocks("python"))
def test_a_block_of_python_runs(code, desk):
    run([sys.executable, "-W", "error", "-X", "utf8", "-c", code], desk)


@pytest.mark.parametrize("code", [block for block in blocks("sh") if runs_here(block.values[0])])
def test_a_block_of_commands_runs(code, desk):
    if "mien train" in code:
        pytest.importorskip("keras", reason="needs the extra train")
    for line in code.splitlines():
        words = shlex.split(line)
        run([sys.executable, "-m", *words], desk)
        written = [words[words.index(option) + 1] for option in WRITING if option in words]
        assert [name for name in written if not (desk / name).exists()] == []


@pytest.mark.parametrize("line", [line for line in commands("mien ") if " pull " in line])
def test_a_pull_fetches_what_it_says(line, desk, yunet_file):
    run([sys.executable, "-m", *shlex.split(line), "--from", str(yunet_file)], desk)
    done = run([sys.executable, "-m", "mien", "predict", "examples/hopper.jpg", "--json"], desk)
    assert json.loads(done.stdout)["detector"] == shlex.split(line)[-1]


@pytest.mark.parametrize("line", commands("scripts/"))
def test_a_script_is_there_and_can_be_run(line, desk):
    script = ROOT / shlex.split(line)[0]
    assert os.access(script, os.X_OK)
    if script.name == "mien":
        run([sys.executable, "-m", "mien", *shlex.split(line)[1:]], desk)
        assert (desk / "out.jpg").stat().st_size > 10_000


@pytest.mark.parametrize("line", commands("pip "))
def test_an_install_command_is_ours_and_its_extra_exists(line):
    extra = (re.search(r"\[(\w+)\]", line) or ["", ""])[1]
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert shlex.split(line) == shlex.split(install_command(extra))
    assert not extra or extra in project["optional-dependencies"]


def test_no_command_is_left_unchecked():
    known = [line for first in ("mien ", "scripts/", "pip ") for line in commands(first)]
    assert [line for line in commands("") if line and line not in known] == []


def test_the_json_shown_has_the_keys_that_are_printed(desk):
    shown = json.loads(re.search(r"```json\n(.*?)```", text("README.md"), re.DOTALL)[1])
    printed = json.loads(
        run([sys.executable, "-m", "mien", "predict", "examples/portraits.jpg", "--json"], desk).stdout
    )
    assert list(shown) == list(printed)
    assert list(shown["faces"][0]) == list(printed["faces"][0])
    assert list(shown["faces"][0]["scores"]) == list(printed["faces"][0]["scores"])


def test_every_figure_of_an_evaluation_is_explained(desk):
    pytest.importorskip("matplotlib")
    mien = [sys.executable, "-m", "mien"]
    run([*mien, "data", "sample", "faces", "--faces", "210"], desk)
    done = run([*mien, "evaluate", "--data", "faces", "--one-pass", "-o", "out", "--json"], desk)
    table = text("docs/training.md").partition("| key in `metrics.json` |")[2].partition("\n\n")[0]
    told = {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == {*json.loads(done.stdout), "training"}
    assert f"{metrics.DRAWS:,} bootstrap draws" in table
    assert f"in {metrics.BINS} bins" in table


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_every_link_within_the_project_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text(page))
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_every_room_in_the_picture_is_there():
    picture = ROOMS.search(text("docs/architecture.md"))[1]
    names = re.findall(r"^\s+([\w/]+(?:\.py|/))\s", picture, re.MULTILINE)
    source = ROOT / "src" / "mien"
    there = {path.name for path in source.rglob("*")}
    assert len(names) > 20
    assert [name for name in names if name.rstrip("/") not in there] == []
    rooms = {path.name for path in source.glob("*.py")} | {
        f"{path.parent.name}/" for path in source.glob("*/__init__.py")
    }
    assert rooms - set(names) == {"__main__.py"}


def test_the_tables_are_what_the_results_say():
    script = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    tables = importlib.util.module_from_spec(script)
    script.loader.exec_module(tables)
    assert [path.name for path in tables.pages() if tables.current(path) != path.read_text(encoding="utf-8")] == []
