"""``benchmarks/recipes.py``: which runs belong to a recipe, and the results that are written into it."""

import importlib.util
import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from mien.training import checkpoint, run_folder
from mien.training.recipe import load_recipe
from run_folders import write_run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
METRICS = {
    "split": "public",
    "faces": 3589,
    "accuracy": 0.604,
    "ci95": [0.588, 0.62],
    "accuracy_no_duplicates": 0.59,
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
def folder(tmp_path):
    """Two seeds of basic, a shortened vgg, one with another setting, one unfinished."""
    basic, vgg = load_recipe("basic"), load_recipe("vgg")
    write_finished(
        tmp_path / "a", replace(basic, training=replace(basic.training, seed=1, precision="float32")), 30, accuracy=0.61
    )
    write_finished(
        tmp_path / "b", replace(basic, name="other", training=replace(basic.training, precision="mixed_bfloat16")), 30
    )
    write_finished(tmp_path / "c", replace(vgg, training=replace(vgg.training, epochs=9)), 9)
    write_finished(tmp_path / "d", replace(basic, net=replace(basic.net, dropout=0.4)), 30)
    write_run(tmp_path / "e", finished=False)
    return tmp_path


def write_finished(path, recipe, epochs, **metrics):
    write_run(path, epochs)
    checkpoint.write_recipe(path, recipe)
    (path / run_folder.METRICS).write_text(json.dumps(METRICS | metrics))
    facts = {"started": "2026-02-03T04:05:06+00:00", "machine": MACHINE, "commit": "abc", "versions": {}}
    (path / run_folder.ENVIRONMENT).write_text(json.dumps(facts))


def test_runs_belong_to_the_recipe_they_write_finished(benchmark, folder):
    results = benchmark.collect_results(folder)
    assert set(results) == {"basic", "vgg"}
    assert [(run["seed"], run["accuracy"]) for run in results["basic"]["runs"]] == [(0, 0.604), (1, 0.61)]
    assert [run["shortened"] for run in results["basic"]["runs"]] == [False, False]
    assert results["vgg"]["runs"][0]["shortened"] is True
    assert (results["basic"]["parameters"], results["basic"]["classes"]) == (355_847, 7)


def test_block_has_command_metrics_time_and_machine(benchmark, folder):
    lines = list(benchmark.format_block("basic", benchmark.collect_results(folder)["basic"]))
    assert lines[0] == "#   mien train recipes/basic.toml --data fer2013.csv"
    assert "PublicTest 60.4 % (58.8 to 62.0), 59.0 % without duplicates, balanced 55.0 %; 3,589 faces" in lines[1]
    assert lines[2].startswith("#     30 of 50 epochs, early stopping; 15 minutes, 30 s per epoch, on 2 cores of A ")
    assert lines[3].endswith("--set training.seed=1 --name basic-1")
    assert lines[-1] == "#   2 seeds: PublicTest 60.7 % ± 0.4"
    short = list(benchmark.format_block("vgg", benchmark.collect_results(folder)["vgg"]))
    assert short[0].endswith("--data fer2013.csv --epochs 9")
    assert "9 of 40 epochs, shortened" in short[2]


def test_block_is_written_after_the_first_comments_and_replaced_there(benchmark, folder):
    text = "# basic: a net.\n#\n#   mien train recipes/basic.toml\n\nname = 'basic'\n# a comment below\n"
    lines = list(benchmark.format_block("basic", benchmark.collect_results(folder)["basic"]))
    once = benchmark.replace_block(text, lines)
    assert tomllib.loads(once) == {"name": "basic"}
    assert once.startswith("# basic: a net.\n#\n#   mien train recipes/basic.toml\n#\n# Results")
    assert once.endswith("\n\nname = 'basic'\n# a comment below\n")
    assert benchmark.replace_block(once, lines) == once
    assert benchmark.replace_block(once, lines[:3]).count("Results, ") == 1


def test_table_has_a_row_for_each_recipe_and_fewer_classes_last(benchmark, folder):
    five = load_recipe("fiveclass")
    write_finished(folder / "f", five, 40, accuracy=0.7)
    lines = benchmark.format_recipes_table(benchmark.collect_results(folder)).splitlines()[2:]
    assert [line.split("]")[0][3:] for line in lines] == ["basic", "vgg", "fiveclass"]
    assert "| 60.7 % | 2 |" in lines[0]
    assert "9 of 40, shortened" in lines[1]
    assert ", five classes | 70.0 %" in lines[2]


def test_runs_with_soft_targets_replace_those_without(benchmark, tmp_path):
    classic = load_recipe("classic")
    with_targets = replace(classic, distillation=replace(classic.distillation, targets="/far/away/targets/both.npz"))
    write_finished(tmp_path / "alone", classic, 100, accuracy=0.61)
    write_finished(tmp_path / "targets", with_targets, 100, accuracy=0.63)
    results = benchmark.collect_results(tmp_path)["classic"]
    assert [run["accuracy"] for run in results["runs"]] == [0.63]
    line = next(iter(benchmark.format_block("classic", results)))
    assert line == "#   mien train recipes/classic.toml --data fer2013.csv --set distillation.targets=targets/both.npz"


def test_command_has_the_initial_weights(benchmark, tmp_path):
    base = load_recipe("base")
    pretrained = replace(base, net=replace(base.net, weights="/far/away/runs/base-first"))
    write_finished(tmp_path / "a", pretrained, base.training.epochs)
    results = benchmark.collect_results(tmp_path)
    assert set(results) == {"base"}
    line = next(iter(benchmark.format_block("base", results["base"])))
    assert line == "#   mien train recipes/base.toml --data fer2013.csv --set net.weights=runs/base-first"


def test_time_of_frozen_epochs_is_ignored(benchmark, tmp_path):
    base = load_recipe("base")
    write_finished(
        tmp_path / "a", replace(base, net=replace(base.net, weights="/far/away/runs/base-first")), base.training.epochs
    )
    rows = (tmp_path / "a" / "history.csv").read_text().splitlines()
    column = rows[0].split(",").index("seconds")
    first = rows[1].split(",")
    first[column] = "3"
    (tmp_path / "a" / "history.csv").write_text("\n".join([rows[0], ",".join(first), *rows[2:]]) + "\n")
    assert benchmark.collect_results(tmp_path)["base"]["runs"][0]["epoch_seconds"] == 30


def test_complete_run_is_not_a_shortened_one_of_a_longer_recipe(benchmark, tmp_path):
    """``residual`` and ``teacher-b`` have the same network, with 40 and with 96 epochs."""
    residual = load_recipe("residual")
    write_finished(tmp_path / "a", residual, residual.training.epochs)
    assert set(benchmark.collect_results(tmp_path)) == {"residual"}
    write_finished(tmp_path / "b", replace(residual, training=replace(residual.training, epochs=3)), 3)
    results = benchmark.collect_results(tmp_path)
    assert [run["shortened"] for run in results["residual"]["runs"]] == [False, True]
    assert [run["shortened"] for run in results["teacher-b"]["runs"]] == [True]
