"""``scripts/models``: every step once, in order, and after a kill only what is missing. Programs are stood in for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("bash"), reason="needs a Unix bash")

# Writes down that it was asked, and leaves the file that the real one would leave. DIES names a word at which it fails.
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
case "$*" in *"$DIES"*) exit 9 ;; esac
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
    """A checkout in a folder with a space, its environment there already, with stand-ins in it."""
    home = tmp_path / "the checkout"
    shutil.copytree(ROOT / "scripts", home / "scripts")
    shutil.copy(ROOT / "pyproject.toml", home)
    (home / "benchmarks" / "results").mkdir(parents=True)
    (home / "src" / "mien" / "models" / "weights").mkdir(parents=True)
    (home / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "mien"):
        (home / ".venv" / "bin" / name).write_text(STAND_IN)
        (home / ".venv" / "bin" / name).chmod(0o755)
    (home / "fer2013.csv").touch()
    project = (home / "pyproject.toml").read_bytes()
    told = subprocess.run(["cksum"], input=project, capture_output=True, check=True).stdout.decode()
    (home / ".venv" / ".installed-models").write_text(f"[dev,train] {home} {told}")
    return home


def models(checkout: Path, *words: str, dies: str = "nothing") -> tuple[int, list[str]]:
    """The exit status, and what was asked of the programs."""
    log = checkout / "log"
    log.write_text("")
    environment = {**os.environ, "LOG": str(log), "DIES": dies}
    command = ["bash", checkout / "scripts" / "models", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=checkout, check=False)
    return done.returncode, log.read_text().splitlines()


def test_every_step_once_and_in_order(checkout):
    status, asked = models(checkout, "fer2013.csv", "--looks", "4")
    assert status == 0
    verbs = [line.split()[1] for line in asked if line.startswith("mien")]
    base = ["train"] * 4 + ["distill"] + ["train"] * 3 + ["export"]
    small, classic = base[5:], ["train"] * 2 + ["distill", "train", "export"]
    assert verbs == base + small + classic
    for place, before in {6: "teacher-b", 7: "small-first", 10: "teacher-b", 11: "small-first"}.items():
        assert f"distillation.targets=targets/teachers.npz --set net.weights=runs/models/{before}" in asked[place]
    assert "distill runs/models/teacher-b runs/models/vgg --one-pass --data " in asked[15]
    assert "net.weights" not in asked[16]
    assert "distillation.targets=targets/first.npz" in asked[16]
    exports = [line for line in asked if " export " in line]
    assert [line.split("--to ")[1].split()[0] for line in exports] == ["int8", "int8", "float16"]
    assert [line.split()[2] for line in exports] == [f"runs/models/{name}" for name in ("small", "small", "classic")]
    assert ["--views 4" in line for line in exports] == [True, False, False]
    assert all("--scores public --looks 4" in line for line in exports)
    python = [line.split()[1] for line in asked if line.startswith("python")]
    assert python == [
        "-m",
        "benchmarks/audit.py",
        *["benchmarks/accuracy.py"] * 3,
        "benchmarks/robustness.py",
        *["benchmarks/cards.py"] * 2,
        "benchmarks/models.py",
        "benchmarks/tables.py",
    ]


def test_what_is_done_is_not_done_again(checkout):
    assert models(checkout, "fer2013.csv")[0] == 0
    status, asked = models(checkout, "fer2013.csv")
    assert status == 0
    assert not [line for line in asked if " distill " in line or " export " in line or "accuracy.py" in line]
    assert sum(" train " in line for line in asked) == 7  # students and what they begin with, each at once


def test_targets_that_are_there_need_no_teachers(checkout):
    (checkout / "recipes" / "targets").mkdir(parents=True)
    for name in ("teachers", "first"):
        (checkout / "recipes" / "targets" / f"{name}.npz").touch()
    asked = models(checkout, "fer2013.csv")[1]
    assert not [line for line in asked if " distill " in line]
    assert [line.split("--name ")[1].split()[0] for line in asked if " train " in line] == [
        *("teacher-b", "small-first", "small") * 2,
        "classic",
    ]


@pytest.mark.parametrize("dies", ["teacher-b", "distill", "--name small", "--model small"])
def test_after_a_failure_the_same_call_goes_on(checkout, dies):
    status, before = models(checkout, "fer2013.csv", dies=dies)
    assert status == 9
    assert dies in before[-1]
    status, after = models(checkout, "fer2013.csv")
    assert status == 0
    assert "tables.py" in after[-1]
    assert sum(" distill " in line for line in [*before[:-1], *after]) == 2
    assert sum("--to float16" in line for line in [*before, *after]) == 1


def test_a_new_student_is_exported_and_measured_again(checkout):
    models(checkout, "fer2013.csv")
    metrics = checkout / "runs" / "models" / "small" / "metrics.json"
    later = (checkout / "src/mien/models/weights/base.onnx").stat().st_mtime + 5
    os.utime(metrics, (later, later))
    asked = models(checkout, "fer2013.csv")[1]
    assert [line.split("--name ")[1].split()[0] for line in asked if " export " in line] == ["base", "small"]


def test_wrong_words(checkout):
    assert models(checkout)[0] == 2
    assert models(checkout, "fer2013.csv", "--lookz", "4") == (2, [])


def test_a_rival_is_measured_in_the_same_run(checkout):
    asked = models(checkout, "fer2013.csv", "--rival", "fer=a.hdf5", "--scale", "-1-1")[1]
    assert any("robustness.py" in line and "--rival=fer=a.hdf5 --scale=-1-1" in line for line in asked)


CHAIN = ("teacher-a", "teacher-b", "vgg", "batchnorm", "small-first", "small", "base", "classic", "wide-first", "wide")


@pytest.mark.parametrize("name", CHAIN)
def test_every_recipe_of_the_chain_is_there(name):
    recipe = Recipe.read(ROOT / "recipes" / f"{name}.toml")
    assert recipe.name == name
    assert recipe.data.validation == 1500  # the same faces, whom no teacher may have learned from


def test_base_is_small_that_looks_in_several_ways():
    base, small = (Recipe.read(ROOT / "recipes" / f"{name}.toml") for name in ("base", "small"))
    assert set(base.difference(small)) == {"name", "net.views"}
