"""Hyperparameter search: the search space, trials that are compared, pruned and resumed, and the results."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from command import command, mien
from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, split_training_validation
from mien.errors import ExperimentError
from mien.training import checkpoint
from mien.training.callbacks import EpochEvent, TrainingStopped
from mien.training.recipe import Recipe
from mien.training.targets import hash_faces

pytest.importorskip("optuna")
pytestmark = pytest.mark.train

from mien.training.search import NumberRange, read_space, search_settings  # noqa: E402

RECIPE = """
name = "tiny"
[data]
validation = 42
[net]
name = "residual"
width = 4
depth = [1]
[augment]
non_face_fraction = 0.0
[training]
epochs = 3
batch_size = 32
precision = "float32"
ema = 0.9
"""
SPACE = """
[training.learning_rate]
low = 0.001
high = 0.2
log = true
[net.width]
choices = [4, 8]
"""
RATE = "training.learning_rate"


def write_space(folder, text):
    (folder / "space.toml").write_text(text)
    return read_space(folder / "space.toml")


# The search space


def test_space_has_ranges_and_choices(tmp_path):
    more = "[training.batch_size]\nlow = 32\nhigh = 64\nstep = 32\n[net.depth]\nchoices = [[1], [1, 2]]\n"
    space = write_space(tmp_path, SPACE + more)
    assert space[RATE] == NumberRange(0.001, 0.2, log=True)
    assert space["training.batch_size"] == NumberRange(32, 64, step=32, integer=True)
    assert space["net.depth"].parse(space["net.depth"].words[1]) == [1, 2]
    recipe = Recipe(folder=tmp_path).with_values({RATE: 0.05, "net.depth": [1, 2]})
    assert (recipe.training.learning_rate, recipe.net.depth, recipe.folder) == (0.05, (1, 2), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no settings"),
        ("= 3", "is not valid TOML"),
        ("rate = 3", "'rate' outside of a section"),
        ("[training.learning_rat]\nlow = 1\nhigh = 2", "Did you mean 'training.learning_rate'"),
        ("[training.learning_rate]\nlow = 1", "has no low or no high"),
        ("[training.learning_rate]\nlow = 2\nhigh = 1", "low 2 and high 1"),
        ("[training.learning_rate]\nlow = 0\nhigh = 1\nlog = true", "low 0 and high 1 with log"),
        ("[training.learning_rate]\nmin = 0\nmax = 1", "unknown key 'min'"),
        ("[training.batch_size]\nlow = 1.5\nhigh = 8", "training.batch_size is 1.5"),
        ("[net.name]\nlow = 1\nhigh = 2", "is not a number"),
        ("[net.width]\nchoices = 8", "not a list"),
        ("[net.width]\nchoices = ['wide']", "net.width is 'wide'"),
    ],
)
def test_invalid_space_is_refused(text, message, tmp_path):
    with pytest.raises(ExperimentError, match=message):
        write_space(tmp_path, text)


def test_missing_space_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match="cannot be read"):
        read_space(tmp_path / "none.toml")


# Trials, with a training that takes no time


class FakeTraining:
    """A training without a network: its accuracy depends on the settings alone and rises with the epochs."""

    def __init__(self):
        self.calls = []

    def __call__(self, plan, folder, *, callback, should_stop):
        recipe = plan.recipe
        self.calls.append((folder.name, recipe, plan.faces))
        folder.mkdir(parents=True, exist_ok=True)
        history = list(checkpoint.load_state(folder, recipe).history)
        while len(history) < recipe.training.epochs:
            if should_stop():
                raise TrainingStopped(len(history))
            accuracy = self.final_accuracy(recipe) * (len(history) + 1) / recipe.training.epochs
            history.append({"epoch": len(history) + 1, "validation_accuracy": accuracy})
            checkpoint.save_state(folder, [np.arange(3)], recipe, history)
            callback(EpochEvent(history[-1], tuple(history)))

    def final_accuracy(self, recipe):
        """Best at a learning rate of 0.02 and a width of 8; the learning rate matters most."""
        distance = abs(math.log10(recipe.training.learning_rate / 0.02))
        return 0.8 - 0.2 * distance - 0.02 * (recipe.net.width == 4)


def interrupt_after_an_epoch(plan, folder, *, callback, should_stop):
    folder.mkdir(parents=True, exist_ok=True)
    row = {"epoch": 1, "validation_accuracy": 0.1}
    checkpoint.save_state(folder, [np.arange(3)], plan.recipe, [row])
    raise KeyboardInterrupt


def fail(*arguments, **options):
    raise ExperimentError("The loss is nan")


def train_without_validation(plan, folder, *, callback, should_stop):
    row = {"epoch": 1, "loss": 1.0}
    callback(EpochEvent(row, (row,)))


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(350, seed=5)


@pytest.fixture
def search(tmp_path, faces):
    """A function that runs the search in one folder."""
    (tmp_path / "tiny.toml").write_text(RECIPE)
    recipe, space = Recipe.read(tmp_path / "tiny.toml"), write_space(tmp_path, SPACE)

    def run_search(trials, train=None, **options):
        train = train or FakeTraining()
        return search_settings(recipe, space, faces, tmp_path / "out", trials=trials, train=train, **options)

    return run_search


def read_rows(folder):
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_trials_are_written_and_the_best_recipe(search, tmp_path):
    result = search(10)
    rows = read_rows(tmp_path / "out")
    assert len(rows) == len(result.trials) == 10
    assert {row["state"] for row in rows} <= {"finished", "pruned"}
    assert all(int(row["epochs"]) < 3 for row in rows if row["state"] == "pruned")
    best = max((row for row in rows if row["state"] == "finished"), key=lambda row: float(row["accuracy"]))
    recipe = Recipe.read(tmp_path / "out" / "best.toml")
    assert result.recipe.training.learning_rate == recipe.training.learning_rate == pytest.approx(float(best[RATE]))
    assert recipe.net.width == int(best["net.width"])


def test_trial_that_is_worse_than_the_others_is_pruned(tmp_path, faces):
    """After four finished trials with good settings one with the worst settings."""
    (tmp_path / "tiny.toml").write_text(RECIPE)
    recipe, space = Recipe.read(tmp_path / "tiny.toml"), write_space(tmp_path, SPACE)
    training = FakeTraining()
    accuracies = iter([0.8, 0.8, 0.8, 0.8, 0.1])
    training.final_accuracy = lambda recipe: next_accuracy[0]
    next_accuracy = [0.0]

    def train(*arguments, **options):
        next_accuracy[0] = next(accuracies)
        training(*arguments, **options)

    result = search_settings(recipe, space, faces, tmp_path / "out", trials=5, train=train)
    assert [trial.state for trial in result.trials] == ["finished"] * 4 + ["pruned"]


def test_important_setting_has_the_greater_importance(search):
    importance = search(8).importance
    assert sum(importance.values()) == pytest.approx(1, abs=1e-3)
    assert importance[RATE] > importance["net.width"]


def test_weights_of_trials_are_removed(search, tmp_path):
    search(1)
    assert {path.name for path in (tmp_path / "out" / "trials" / "0000").iterdir()} == {"history.csv", "recipe.toml"}


def test_resumed_search_does_not_repeat_trials(search):
    first, again = search(3), search(6)
    assert [trial.settings for trial in again.trials[:3]] == [trial.settings for trial in first.trials]
    assert len({trial.settings[RATE] for trial in again.trials}) == 6


def test_interrupted_trial_is_resumed_with_its_settings(search, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        search(1, interrupt_after_an_epoch)
    training = FakeTraining()
    result = search(1, training)
    [(folder, recipe, _)] = training.calls
    assert folder == "0000"
    assert [trial.state for trial in result.trials] == ["failed", "finished"]
    rates = [trial.settings[RATE] for trial in result.trials]
    assert rates == [recipe.training.learning_rate] * 2
    history = (tmp_path / "out" / "trials" / "0000" / "history.csv").read_text()
    assert "1,0.1" in history  # the first epoch was not trained again
    assert result.trials[1].epochs == 3


def test_maximum_time_ends_the_search_until_it_is_resumed(search):
    assert search(2, hours=1e-12).best is None
    assert search(2).best is not None


def test_validation_faces_of_the_recipe_are_not_used(search, faces):
    training = FakeTraining()
    search(1, training)
    [(_, recipe, used)] = training.calls
    validation = split_training_validation(DataSettings(validation=42), faces)[1]
    assert recipe.data.validation == len(validation) == 42
    assert not set(hash_faces(validation.pixels).tolist()) & set(hash_faces(used.pixels).tolist())
    assert set(used.usage) == {"Training"}


def test_small_data_set_has_as_many_validation_faces_as_in_training(faces, tmp_path):
    training = FakeTraining()
    search_settings(Recipe(), write_space(tmp_path, SPACE), faces, tmp_path / "out", trials=1, train=training)
    assert training.calls[0][1].data.validation == 280 // 5


def test_other_recipe_or_space_is_refused(search, faces, tmp_path):
    search(1)
    recipe = Recipe.read(tmp_path / "tiny.toml")
    other = write_space(tmp_path, "[training.learning_rate]\nlow = 0.01\nhigh = 0.02\n")
    with pytest.raises(ExperimentError, match="another recipe or space"):
        search_settings(recipe, other, faces, tmp_path / "out", trials=2, train=FakeTraining())


def test_failed_first_trial_ends_the_search_and_a_later_one_does_not(search):
    with pytest.raises(ExperimentError, match="The loss is nan"):
        search(1, fail)
    search(1)
    trainings = iter([fail, FakeTraining()])
    result = search(2, lambda *arguments, **options: next(trainings)(*arguments, **options))
    assert [trial.state for trial in result.trials] == ["failed", "finished", "failed", "finished"]


def test_search_ends_after_several_failures(search):
    search(1)
    with pytest.raises(ExperimentError, match="The loss is nan"):
        search(2, fail)


def test_trial_without_validation_faces_is_refused(search, faces, tmp_path):
    with pytest.raises(ExperimentError, match=r"has no validation faces.*Remove data.validation from the search space"):
        search(1, train_without_validation)
    recipe = Recipe(data=DataSettings(validation=0))
    with pytest.raises(ExperimentError, match="The recipe has no validation faces"):
        search_settings(recipe, {}, faces, tmp_path / "other", trials=1)


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    synthetic.write_fer2013(folder / "faces", 350)
    (folder / "tiny.toml").write_text(RECIPE)
    (folder / "odd.toml").write_text(RECIPE.replace('"residual"', '"residua"'))
    (folder / "space.toml").write_text(SPACE)
    return folder


def arguments(folder, out, *more, recipe="tiny.toml"):
    space, data = folder / "space.toml", folder / "faces"
    return ("tune", folder / recipe, "--space", space, "--data", data, "-o", out, *more)


@pytest.mark.slow
def test_command_writes_figures_and_a_recipe(folder, tmp_path, capsys):
    assert mien(*arguments(folder, tmp_path / "out", "--trials", "4", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["trials"] == 4
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"trials.png", "best.toml", "study.db"} <= names


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_killed_search_is_resumed(folder, tmp_path):
    out = tmp_path / "out"
    history = out / "trials" / "0000" / "history.csv"
    with subprocess.Popen(command(*arguments(folder, out, "--trials", "1")), stdout=-3, stderr=-3) as process:
        deadline = time.monotonic() + 60
        while not history.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    before = history.read_text().splitlines()
    assert mien(*arguments(folder, out, "--trials", "1")) == 0
    assert [row["state"] for row in read_rows(out)] == ["failed", "finished"]
    after = history.read_text().splitlines()
    assert after[: len(before)] == before
    assert len(after) == 4


def test_invalid_recipe_ends_the_search(folder, tmp_path, capsys):
    pytest.importorskip("tensorflow")
    assert mien(*arguments(folder, tmp_path / "o", recipe="odd.toml")) == 1
    assert "Did you mean 'residual'" in capsys.readouterr().err


def test_command_takes_a_builtin_recipe(folder, tmp_path, capsys):
    options = ("--space", folder / "space.toml", "--data", tmp_path / "none.csv", "-o", tmp_path / "o")
    assert mien("tune", "residual", *options) == 1
    assert "none.csv" in capsys.readouterr().err
    assert mien("tune", "resdual", *options) == 1
    assert "Did you mean 'residual'?" in capsys.readouterr().err


def test_command_needs_space_and_data(folder, tmp_path, capsys):
    assert mien("tune", folder / "tiny.toml", "--data", folder / "faces") == 2
    assert "--space" in capsys.readouterr().err
    assert mien("tune", folder / "tiny.toml", "--space", folder / "space.toml", "-o", tmp_path / "o") == 1
    assert "--data" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
