"""The cost of a training, from its run folder and from those of the runs that it started from."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.export.onnx import training_cost  # noqa: E402
from mien.training import checkpoint  # noqa: E402
from mien.training.recipe import NetworkSettings, Recipe  # noqa: E402


def write_history(folder: Path, seconds: tuple[float, ...], weights: object = "none") -> Path:
    folder.mkdir()
    checkpoint.write_recipe(folder, replace(Recipe(), net=NetworkSettings(weights=str(weights))))
    checkpoint.write_history(folder, [{"epoch": number, "seconds": each} for number, each in enumerate(seconds, 1)])
    return folder


def test_time_of_earlier_runs_is_counted_separately(tmp_path):
    first = write_history(tmp_path / "first", (100, 20))
    second = write_history(tmp_path / "second", (30.4,), first)
    third = write_history(tmp_path / "third", (5, 5), second)
    assert training_cost(first) == {"training_seconds": 120}
    assert training_cost(second) == {"training_seconds": 30, "training_seconds_before": 120}
    assert training_cost(third) == {"training_seconds": 10, "training_seconds_before": 150}


@pytest.mark.parametrize("weights", ["imagenet", "none", "a file that is gone.npz"])
def test_weights_that_are_no_run_have_no_time(tmp_path, weights):
    assert training_cost(write_history(tmp_path / "run", (7,), weights)) == {"training_seconds": 7}


def test_circle_of_runs_is_counted_once(tmp_path):
    one = write_history(tmp_path / "one", (7,), tmp_path / "other")
    other = write_history(tmp_path / "other", (8,), one)
    assert training_cost(other) == {"training_seconds": 8, "training_seconds_before": 7}


def test_machine_is_read_from_the_environment(tmp_path):
    folder = write_history(tmp_path / "run", (7,))
    (folder / "environment.json").write_text('{"machine": {"processor": "Z80", "cores": 1}}')
    assert training_cost(folder)["trained_on"] == "Z80, 1 core"
