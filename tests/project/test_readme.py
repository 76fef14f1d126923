"""What README and guides show is run: every command, every block of Python, every table."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

from command import run_in_process, start_process
from mien.errors import install_command
from mien.evaluation import metrics
from screen import start_screen, wait_for_window

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/guide.md", "docs/training.md", "CONTRIBUTING.md"]
PAGES_WITHOUT_COMMANDS = [
    "docs/architecture.md",
    "docs/glossary.md",
    "docs/recipes.md",
    "benchmarks/README.md",
    "SECURITY.md",
]
PACKAGE_TREE = re.compile(r"^```\n(src/mien/.*?)^```$", re.DOTALL | re.MULTILINE)
#: Options that name a file or folder that the command writes.
OUTPUT_OPTIONS = ("--csv", "--annotate", "-o")
APPLICATIONS = ("serve", "gradio", "streamlit", "desktop")
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


def is_offline_command(code: str) -> bool:
    return all(line.startswith("mien ") and " pull " not in line for line in code.splitlines()) and not applications(
        code
    )


def applications(code: str) -> list[str]:
    """The lines that start an application, which runs until it is stopped."""
    return [line for line in code.splitlines() if line.split()[:2] in [["mien", name] for name in APPLICATIONS]]


def commands(first: str) -> list[str]:
    lines = [line for block in blocks("sh") for line in block.values[0].splitlines()]
    return sorted({line for line in lines if line.startswith(first)})


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder of a reader: it has the examples in it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_process(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.full
@pytest.mark.parametrize("code", blocks("python"))
def test_block_of_python_runs(code, folder):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "<block>", "exec"), {"__name__": "__main__"})


@pytest.mark.full
@pytest.mark.parametrize("code", [block for block in blocks("sh") if is_offline_command(block.values[0])])
def test_block_of_commands_runs(code, folder):
    if "mien train" in code:
        pytest.importorskip("keras", reason="needs the extra train")
    for line in code.splitlines():
        words = shlex.split(line)
        assert run_in_process(*words[1:]).status == 0, line
        written = [words[words.index(option) + 1] for option in OUTPUT_OPTIONS if option in words]
        assert [name for name in written if not (folder / name).exists()] == []


@pytest.mark.full
@pytest.mark.parametrize("command", sorted({line.split()[1] for line in commands("mien ")}))
def test_each_command_starts_as_a_process(command, folder):
    assert "Usage: mien" in run_process([sys.executable, "-m", "mien", command, "--help"], folder).stdout


@pytest.mark.full
@pytest.mark.parametrize("line", [line for line in commands("mien ") if applications(line) and "desktop" not in line])
def test_application_of_the_pages_answers(line, folder):
    name = line.split()[1]
    pytest.importorskip({"serve": "flask"}.get(name, name))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with start_process(*shlex.split(line)[1:], "--port", port, stdout=subprocess.DEVNULL, cwd=folder):
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    assert answer.status == 200
                return
            except OSError:
                assert time.monotonic() < end, f"{line} does not answer"
                time.sleep(0.2)


@pytest.mark.full
def test_desktop_application_of_the_pages_opens(folder):
    [line] = commands("mien desktop")
    with (
        start_screen() as display,
        start_process(*shlex.split(line)[1:], env={**os.environ, "DISPLAY": display}, cwd=folder),
    ):
        assert wait_for_window(display, "mien")


@pytest.mark.full
@pytest.mark.parametrize("line", [line for line in commands("mien ") if " pull " in line])
def test_pull_installs_the_file(line, folder, yunet_file):
    run_process([sys.executable, "-m", *shlex.split(line), "--from", str(yunet_file)], folder)
    done = run_process([sys.executable, "-m", "mien", "predict", "examples/hopper.jpg", "--json"], folder)
    assert json.loads(done.stdout)["detector"] == shlex.split(line)[-1]


@pytest.mark.parametrize("line", commands("scripts/"))
def test_script_exists_and_is_executable(line, folder):
    script = ROOT / shlex.split(line)[0]
    assert os.access(script, os.X_OK)
    if script.name == "mien":
        assert run_in_process(*shlex.split(line)[1:]).status == 0
        assert (folder / "out.jpg").stat().st_size > 10_000


@pytest.mark.parametrize("line", commands("pip "))
def test_install_command_is_ours_and_its_extra_exists(line):
    extra = (re.search(r"\[(\w+)\]", line) or ["", ""])[1]
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert shlex.split(line) == shlex.split(install_command(extra))
    assert not extra or extra in project["optional-dependencies"]


def test_every_command_of_the_pages_is_tested():
    tested = [line for first in ("mien ", "scripts/", "pip ") for line in commands(first)]
    assert [line for line in commands("") if line and line not in tested] == []


def test_json_of_the_readme_has_the_keys_that_predict_prints(folder):
    documented = json.loads(re.search(r"```json\n(.*?)```", text("README.md"), re.DOTALL)[1])
    printed = json.loads(run_in_process("predict", "examples/portraits.jpg", "--json").stdout)
    assert list(documented) == list(printed)
    assert list(documented["faces"][0]) == list(printed["faces"][0])
    assert list(documented["faces"][0]["scores"]) == list(printed["faces"][0]["scores"])


@pytest.mark.full
def test_every_figure_of_an_evaluation_is_explained(folder):
    pytest.importorskip("matplotlib")
    assert run_in_process("data", "sample", "faces", "--faces", "210").status == 0
    done = run_in_process("evaluate", "--data", "faces", "--no-tta", "-o", "out", "--json")
    table = text("docs/training.md").partition("| key in `metrics.json` |")[2].partition("\n\n")[0]
    explained = {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert explained == {*json.loads(done.stdout), "training"}
    assert f"{metrics.DRAWS:,} bootstrap draws" in table
    assert f"in {metrics.BINS} bins" in table


@pytest.mark.parametrize("page", [*PAGES, *PAGES_WITHOUT_COMMANDS])
def test_links_within_the_project_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text(page))
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_package_tree_of_the_architecture_is_complete():
    tree = PACKAGE_TREE.search(text("docs/architecture.md"))[1]
    names = set(re.findall(r"^\s+(\w+(?:\.py|/))\s", tree, re.MULTILINE))
    source = ROOT / "src" / "mien"
    existing = {path.name for path in source.glob("*.py")} - {"__main__.py", "_version.py"}
    existing |= {f"{path.parent.name}/" for path in source.glob("*/__init__.py")}
    existing |= {f"{path.parent.name}/" for path in source.glob("apps/*/__init__.py")}
    assert names - {"apps/"} == existing - {"apps/"}


@pytest.mark.full
def test_tables_are_current():
    done = subprocess.run(
        [sys.executable, "benchmarks/tables.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0
