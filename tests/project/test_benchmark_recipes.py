"""``benchmarks/recipes.py``: which run followed which recipe, and what it writes about it."""

import importlib.util
import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from run_folders import write_run
from mien.training import checkpoint, run_folder
from mien.training import recipe as shelf

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
METRICS = {
    "split": "public",
    "faces": 3589,
    "accuracy": 0.604,
    "ci95": [0.588, 0.62],
    "accuracy_no_twins": 0.59,
    "balanced_accuracy": 0.55,
    "ece": 0.04,
    "model": {"parameters": 355_847, "multiply_adds": 13_719_552},
}
MACHINE = {"processor": "A Processor", "cores": 2, "instructions": ["avx2"]}


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmark_recipes", BENCHMARKS / "recipes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("_machine", None)


@pytest.fixture
def home(tmp_path):
    """Two seeds of basic, a shortened vgg, one with another setting, one unfinished."""
    basic, vgg = shelf.load_recipe("basic"), shelf.load_recipe("vgg")
    followed(
        tmp_path / "a", replace(basic, training=replace(basic.training, seed=1, precision="float32")), 30, accuracy=0.61
    )
    followed(
        tmp_path / "b", replace(basic, name="other", training=replace(basic.training, precision="mixed_bfloat16")), 30
    )
    followed(tmp_path / "c", replace(vgg, training=replace(vgg.training, epochs=9)), 9)
    followed(tmp_path / "d", replace(basic, net=replace(basic.net, dropout=0.4)), 30)
    write_run(tmp_path / "e", finished=False)
    return tmp_path


def followed(folder, recipe, epochs, **metrics):
    write_run(folder, epochs)
    checkpoint.write_recipe(folder, recipe)
    (folder / run_folder.METRICS).write_text(json.dumps(METRICS | metrics))
    about = {"begun": "2026-02-03T04:05:06+00:00", "machine": MACHINE, "commit": "abc", "versions": {}}
    (folder / run_folder.ENVIRONMENT).write_text(json.dumps(about))


def test_runs_belong_to_the_recipe_they_followed(benchmark, home):
    found = benchmark.figures(home)
    assert set(found) == {"basic", "vgg"}
    assert [(run["seed"], run["accuracy"]) for run in found["basic"]["runs"]] == [(0, 0.604), (1, 0.61)]
    assert [run["shortened"] for run in found["basic"]["runs"]] == [False, False]
    assert found["vgg"]["runs"][0]["shortened"] is True
    assert (found["basic"]["parameters"], found["basic"]["classes"]) == (355_847, 7)


def test_the_header_tells_command_figure_time_and_machine(benchmark, home):
    lines = list(benchmark.block("basic", benchmark.figures(home)["basic"]))
    assert lines[0] == "#   mien train recipes/basic.toml --data fer2013.csv"
    assert "PublicTest 60.4 % (58.8 to 62.0), 59.0 % without twins, balanced 55.0 %; 3,589 faces" in lines[1]
    assert lines[2].startswith(
        "#     30 of 50 epochs, stopped by itself; 15 minutes undisturbed, 30 s an epoch, on 2 cores of A "
    )
    assert lines[3].endswith("--set training.seed=1 --name basic-1")
    assert lines[-1] == "#   2 seeds together: PublicTest 60.7 % ± 0.4"
    short = list(benchmark.block("vgg", benchmark.figures(home)["vgg"]))
    assert short[0].endswith("--data fer2013.csv --epochs 9")
    assert "9 of 40 epochs, shortened" in short[2]


def test_the_block_is_written_into_the_comments_and_replaced_there(benchmark, home):
    text = "# basic: a net.\n#\n#   mien train recipes/basic.toml\n\nname = 'basic'\n# a comment below\n"
    lines = list(benchmark.block("basic", benchmark.figures(home)["basic"]))
    once = benchmark.headed(text, lines)
    assert tomllib.loads(once) == {"name": "basic"}
    assert once.startswith("# basic: a net.\n#\n#   mien train recipes/basic.toml\n#\n# What came out")
    assert once.endswith("\n\nname = 'basic'\n# a comment below\n")
    assert benchmark.headed(once, lines) == once
    assert benchmark.headed(once, lines[:3]).count("What came out, ") == 1


def test_the_table_has_a_row_for_each_and_five_classes_last(benchmark, home):
    spec = importlib.util.spec_from_file_location("tables", BENCHMARKS / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    five = shelf.load_recipe("fiveclass")
    followed(home / "f", five, 40, accuracy=0.7)
    lines = tables.recipes(benchmark.figures(home)).splitlines()[2:]
    assert [line.split("]")[0][3:] for line in lines] == ["basic", "vgg", "fiveclass"]
    assert "| 60.7 % | 2 |" in lines[0]
    assert "9 of 40, shortened" in lines[1]
    assert ", five classes | 70.0 %" in lines[2]


def test_where_teachers_were_only_the_runs_with_them_count(benchmark, tmp_path):
    classic = shelf.load_recipe("classic")
    taught = replace(classic, distillation=replace(classic.distillation, targets="/far/away/targets/both.npz"))
    followed(tmp_path / "alone", classic, 100, accuracy=0.61)
    followed(tmp_path / "taught", taught, 100, accuracy=0.63)
    found = benchmark.figures(tmp_path)["classic"]
    assert [run["accuracy"] for run in found["runs"]] == [0.63]
    line = next(iter(benchmark.block("classic", found)))
    assert line == "#   mien train recipes/classic.toml --data fer2013.csv --set distillation.targets=targets/both.npz"


def test_what_a_run_began_with_is_told(benchmark, tmp_path):
    base = shelf.load_recipe("base")
    begun = replace(base, net=replace(base.net, weights="/far/away/runs/base-first"))
    followed(tmp_path / "a", begun, base.training.epochs)
    found = benchmark.figures(tmp_path)
    assert set(found) == {"base"}
    line = next(iter(benchmark.block("base", found["base"])))
    assert line == "#   mien train recipes/base.toml --data fer2013.csv --set net.weights=runs/base-first"


def test_epochs_of_the_heads_alone_are_no_measure_of_time(benchmark, tmp_path):
    base = shelf.load_recipe("base")
    followed(
        tmp_path / "a", replace(base, net=replace(base.net, weights="/far/away/runs/base-first")), base.training.epochs
    )
    rows = (tmp_path / "a" / "history.csv").read_text().splitlines()
    place = rows[0].split(",").index("seconds")
    first = rows[1].split(",")
    first[place] = "3"
    (tmp_path / "a" / "history.csv").write_text("\n".join([rows[0], ",".join(first), *rows[2:]]) + "\n")
    assert benchmark.figures(tmp_path)["base"]["runs"][0]["epoch_seconds"] == 30


def test_a_whole_run_is_no_shortened_one_of_a_longer_recipe(benchmark, tmp_path):
    """``residual`` and ``teacher-b`` are the same net, at 40 epochs and at 96."""
    residual = shelf.load_recipe("residual")
    followed(tmp_path / "a", residual, residual.training.epochs)
    assert set(benchmark.figures(tmp_path)) == {"residual"}
    followed(tmp_path / "b", replace(residual, training=replace(residual.training, epochs=3)), 3)
    found = benchmark.figures(tmp_path)
    assert [run["shortened"] for run in found["residual"]["runs"]] == [False, True]
    assert [run["shortened"] for run in found["teacher-b"]["runs"]] == [True]
