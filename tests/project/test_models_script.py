"""``scripts/models``: its steps in order, and after a failure only the missing ones; with fake programs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
needs_bash = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("bash"), reason="needs a Unix bash")

# Logs its arguments, and writes the file that the real program would write. Fails where FAILS_AT is in the arguments.
FAKE_PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
case "$*" in *"$FAILS_AT"*) exit 9 ;; esac
target="" name=""
while [ $# -gt 0 ]; do
  case "$1" in
    -o) target="$2" ;;
    --name | --model) name="$2" ;;
    train) verb=train ;;
    benchmarks/accuracy.py) verb=accuracy ;;
    benchmarks/robustness.py) target=benchmarks/results/robustness.json ;;
  esac
  shift
done
[ "$verb" = train ] && mkdir -p "runs/models/$name" && target="runs/models/$name/metrics.json"
[ "$verb" = train ] && [ -e "$target" ] && exit 0
[ "$verb" = accuracy ] && target="benchmarks/results/accuracy-$name.json"
[ -z "$target" ] || { mkdir -p "$(dirname "$target")" && echo "$name" > "$target"; }
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout in a folder whose name has a space, with a finished environment of fake programs."""
    folder = tmp_path / "the checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "benchmarks" / "results").mkdir(parents=True)
    (folder / "src" / "mien" / "models" / "weights").mkdir(parents=True)
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "mien"):
        (folder / ".venv" / "bin" / name).write_text(FAKE_PROGRAM)
        (folder / ".venv" / "bin" / name).chmod(0o755)
    (folder / "fer2013.csv").touch()
    project = (folder / "pyproject.toml").read_bytes()
    checksum = subprocess.run(["cksum"], input=project, capture_output=True, check=True).stdout.decode()
    (folder / ".venv" / ".installed-models").write_text(f"[dev,train] {folder} {checksum}")
    return folder


def run_script(checkout: Path, *arguments: str, fails_at: str = "nothing") -> tuple[int, list[str]]:
    """The exit status, and the command lines of the programs."""
    log = checkout / "log"
    log.write_text("")
    environment = {**os.environ, "LOG": str(log), "FAILS_AT": fails_at}
    command = ["bash", checkout / "scripts" / "models", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=checkout, check=False)
    return process.returncode, log.read_text().splitlines()


@pytest.mark.full
@needs_bash
def test_steps_are_run_in_order(checkout):
    status, commands = run_script(checkout, "fer2013.csv", "--evaluations", "4")
    assert status == 0
    verbs = [line.split()[1] for line in commands if line.startswith("mien")]
    base = ["train"] * 4 + ["distill"] + ["train"] * 3 + ["export"]
    small, classic = base[5:], ["train"] * 2 + ["distill", "train", "export"]
    assert verbs == base + small + classic
    for index, start in {6: "teacher-b", 7: "small-first", 10: "teacher-b", 11: "small-first"}.items():
        assert f"distillation.targets=targets/teachers.npz --set net.weights=runs/models/{start}" in commands[index]
    assert "distill runs/models/teacher-b runs/models/vgg --no-tta --data " in commands[15]
    assert "net.weights" not in commands[16]
    assert "distillation.targets=targets/first.npz" in commands[16]
    exports = [line for line in commands if " export " in line]
    assert [line.split("--to ")[1].split()[0] for line in exports] == ["int8", "int8", "float16"]
    assert [line.split()[2] for line in exports] == [f"runs/models/{name}" for name in ("small", "small", "classic")]
    assert ["--views 4" in line for line in exports] == [True, False, False]
    assert all("--score-split public --evaluations 4" in line for line in exports)
    python = [line.split()[1] for line in commands if line.startswith("python")]
    assert python == [
        "-m",
        "benchmarks/audit.py",
        *["benchmarks/accuracy.py"] * 3,
        "benchmarks/robustness.py",
        *["benchmarks/cards.py"] * 2,
        "benchmarks/models.py",
        "benchmarks/tables.py",
    ]


@pytest.mark.full
@needs_bash
def test_finished_steps_are_not_repeated(checkout):
    assert run_script(checkout, "fer2013.csv")[0] == 0
    status, commands = run_script(checkout, "fer2013.csv")
    assert status == 0
    assert not [line for line in commands if " distill " in line or " export " in line or "accuracy.py" in line]
    assert sum(" train " in line for line in commands) == 7  # finished ones too


@pytest.mark.full
@needs_bash
def test_existing_soft_targets_need_no_teachers(checkout):
    (checkout / "recipes" / "targets").mkdir(parents=True)
    for name in ("teachers", "first"):
        (checkout / "recipes" / "targets" / f"{name}.npz").touch()
    commands = run_script(checkout, "fer2013.csv")[1]
    assert not [line for line in commands if " distill " in line]
    assert [line.split("--name ")[1].split()[0] for line in commands if " train " in line] == [
        *("teacher-b", "small-first", "small") * 2,
        "classic",
    ]


@pytest.mark.full
@needs_bash
@pytest.mark.parametrize("fails_at", ["teacher-b", "distill", "--name small", "--model small"])
def test_script_resumes_after_a_failure(checkout, fails_at):
    status, before = run_script(checkout, "fer2013.csv", fails_at=fails_at)
    assert status == 9
    assert fails_at in before[-1]
    status, after = run_script(checkout, "fer2013.csv")
    assert status == 0
    assert "tables.py" in after[-1]
    assert sum(" distill " in line for line in [*before[:-1], *after]) == 2
    assert sum("--to float16" in line for line in [*before, *after]) == 1


@pytest.mark.full
@needs_bash
def test_new_student_is_exported_and_evaluated_again(checkout):
    run_script(checkout, "fer2013.csv")
    metrics = checkout / "runs" / "models" / "small" / "metrics.json"
    later = (checkout / "src/mien/models/weights/base.onnx").stat().st_mtime + 5
    os.utime(metrics, (later, later))
    commands = run_script(checkout, "fer2013.csv")[1]
    assert [line.split("--name ")[1].split()[0] for line in commands if " export " in line] == ["base", "small"]


@pytest.mark.full
@needs_bash
def test_unknown_options_are_refused(checkout):
    assert run_script(checkout)[0] == 2
    assert run_script(checkout, "fer2013.csv", "--evaluation", "4") == (2, [])


@pytest.mark.full
@needs_bash
def test_other_model_is_passed_to_the_robustness_benchmark(checkout):
    commands = run_script(checkout, "fer2013.csv", "--other", "fer=a.hdf5", "--scale", "-1-1")[1]
    assert any("robustness.py" in line and "--other=fer=a.hdf5 --scale=-1-1" in line for line in commands)


RECIPES = (
    "teacher-a",
    "teacher-b",
    "vgg",
    "batchnorm",
    "small-first",
    "small",
    "base",
    "classic",
    "wide-first",
    "wide",
)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_of_the_script_have_the_same_validation_faces(name):
    recipe = Recipe.read(ROOT / "recipes" / f"{name}.toml")
    assert recipe.name == name
    assert recipe.data.validation == 1500  # no teacher was trained on the validation faces of a student


def test_base_is_small_with_several_views():
    base, small = (Recipe.read(ROOT / "recipes" / f"{name}.toml") for name in ("base", "small"))
    assert set(base.difference(small)) == {"name", "net.views"}
