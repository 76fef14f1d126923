"""What a training cost is read from the run's folder, and from that of the run it began with."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("keras")

from mien.training import checkpoint, cost
from mien.training.recipe import NetworkSettings, Recipe


def run(folder: Path, seconds: tuple[float, ...], begins_with: object = "none") -> Path:
    folder.mkdir()
    checkpoint.write_recipe(folder, replace(Recipe(), net=NetworkSettings(weights=str(begins_with))))
    checkpoint.write_history(folder, [{"epoch": number, "seconds": each} for number, each in enumerate(seconds, 1)])
    return folder


def test_the_runs_before_are_told_apart_from_the_run(tmp_path):
    first = run(tmp_path / "first", (100, 20))
    second = run(tmp_path / "second", (30.4,), first)
    third = run(tmp_path / "third", (5, 5), second)
    assert cost.training_cost(first) == {"training_seconds": 120}
    assert cost.training_cost(second) == {"training_seconds": 30, "training_seconds_before": 120}
    assert cost.training_cost(third) == {"training_seconds": 10, "training_seconds_before": 150}


@pytest.mark.parametrize("begins_with", ["imagenet", "none", "a file that is gone.npz"])
def test_what_is_no_run_costs_nothing_that_is_known(tmp_path, begins_with):
    assert cost.training_cost(run(tmp_path / "run", (7,), begins_with)) == {"training_seconds": 7}


def test_runs_in_a_circle_end(tmp_path):
    one = run(tmp_path / "one", (7,), tmp_path / "other")
    other = run(tmp_path / "other", (8,), one)
    assert cost.training_cost(other) == {"training_seconds": 8, "training_seconds_before": 7}


def test_the_machine_is_told_where_the_folder_has_it(tmp_path):
    folder = run(tmp_path / "run", (7,))
    (folder / "environment.json").write_text('{"machine": {"processor": "Z80", "cores": 1}}')
    assert cost.training_cost(folder)["trained_on"] == "Z80, 1 core"
