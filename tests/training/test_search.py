"""The search: what a space may say, that trials are tried, pruned and taken up again, and what is left of them."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from command import command, mien
from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, split_training_validation
from mien.errors import ExperimentError
from mien.training import checkpoint
from mien.training import search as space
from mien.training.callbacks import EpochEvent, TrainingStopped
from mien.training.recipe import Recipe
from mien.training.targets import hash_faces

pytest.importorskip("optuna")
tune = pytest.importorskip("mien.training.search")
pytestmark = pytest.mark.train

RECIPE = """
name = "tiny"
[data]
validation = 42
[net]
name = "residual"
width = 4
depth = [1]
[augment]
nothing_part = 0.0
[training]
epochs = 3
batch = 32
precision = "float32"
average = 0.9
"""
SPACE = """
[training.learning_rate]
low = 0.001
high = 0.2
log = true
[net.width]
choices = [4, 8]
"""


def spaced(folder, text):
    (folder / "space.toml").write_text(text)
    return space.read_space(folder / "space.toml")


def test_a_space_has_ranges_and_choices(tmp_path):
    found = spaced(
        tmp_path, SPACE + "[training.batch_size]\nlow = 32\nhigh = 64\nstep = 32\n[net.depth]\nchoices = [[1], [1, 2]]\n"
    )
    assert found["training.learning_rate"] == space.NumberRange(0.001, 0.2, log=True)
    assert found["training.batch_size"] == space.NumberRange(32, 64, step=32, whole=True)
    assert found["net.depth"].of_word(found["net.depth"].words[1]) == [1, 2]
    recipe = space.replace_settings(Recipe(place=Path("here")), {"training.learning_rate": 0.05, "net.depth": [1, 2]})
    assert (recipe.training.learning_rate, recipe.net.depth, recipe.folder) == (0.05, (1, 2), Path("here"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tries nothing"),
        ("= 3", "is not TOML"),
        ("rate = 3", "'rate' by itself"),
        ("[fit.rat]\nlow = 1\nhigh = 2", "Did you mean 'training.learning_rate'"),
        ("[training.learning_rate]\nlow = 1", "has no two ends"),
        ("[training.learning_rate]\nlow = 2\nhigh = 1", "goes from 2 to 1"),
        ("[training.learning_rate]\nlow = 0\nhigh = 1\nlog = true", "by powers"),
        ("[training.learning_rate]\nmin = 0\nmax = 1", "unknown word 'min'"),
        ("[training.batch_size]\nlow = 1.5\nhigh = 8", "training.batch_size is 1.5"),
        ("[net.name]\nlow = 1\nhigh = 2", "is no number"),
        ("[net.width]\nchoices = 8", "no list"),
        ("[net.width]\nchoices = ['wide']", "net.width is 'wide'"),
    ],
)
def test_what_a_space_cannot_mean(text, said, tmp_path):
    with pytest.raises(ExperimentError, match=said):
        spaced(tmp_path, text)


def test_a_space_that_is_not_there(tmp_path):
    with pytest.raises(ExperimentError, match="cannot be read"):
        space.read_space(tmp_path / "none.toml")


class Quick:
    """A training that takes no time: the accuracy rises to one that depends on the settings alone."""

    def __init__(self):
        self.asked = []

    def __call__(self, recipe, faces, folder, *, watch, stop):
        self.asked.append((folder.name, recipe))
        folder.mkdir(parents=True, exist_ok=True)
        history = list(checkpoint.load_state(folder, recipe)[1])
        while len(history) < recipe.training.epochs:
            if stop():
                raise TrainingStopped(len(history))
            share = self.share(recipe) * (len(history) + 1) / recipe.training.epochs
            history.append({"epoch": len(history) + 1, "held_out": share})
            checkpoint.save_state(folder, [np.arange(3)], recipe, history)
            watch(EpochEvent(history[-1], tuple(history)))

    def share(self, recipe):
        """Best at a rate of 0.02 and a width of 8; the rate matters most."""
        return 0.8 - 0.2 * abs(math.log10(recipe.training.learning_rate / 0.02)) - 0.02 * (recipe.net.width == 4)


class Killed(Quick):
    """A training that the power leaves after its first whole epoch."""

    def __call__(self, recipe, faces, folder, *, watch, stop):
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save_state(folder, [np.arange(3)], recipe, [{"epoch": 1, "held_out": 0.1}])
        raise KeyboardInterrupt


class Poor(Quick):
    """One that always fails."""

    def __call__(self, *_, **__):
        raise ExperimentError("The loss is nan")


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(350, seed=5)


@pytest.fixture
def search(tmp_path, faces):
    """A quick search, in one folder."""
    (tmp_path / "tiny.toml").write_text(RECIPE)
    recipe, tried = Recipe.read(tmp_path / "tiny.toml"), spaced(tmp_path, SPACE)

    def go(trials, train=None, **how):
        return tune.tune(recipe, tried, faces, tmp_path / "out", trials=trials, train=train or Quick(), **how)

    return go


def rows(out):
    with (out / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_trial_has_its_row_and_the_best_its_recipe(search, tmp_path):
    found = search(10)
    told = rows(tmp_path / "out")
    assert len(told) == len(found.trials) == 10
    assert {row["state"] for row in told} == {"finished", "ended early"}
    assert all(int(row["epochs"]) < 3 for row in told if row["state"] == "ended early")
    best = max((row for row in told if row["state"] == "finished"), key=lambda row: float(row["accuracy"]))
    recipe = Recipe.read(tmp_path / "out" / "best.toml")
    assert found.recipe.training.learning_rate == recipe.training.learning_rate == pytest.approx(float(best["training.learning_rate"]))
    assert recipe.net.width == int(best["net.width"])
    assert abs(math.log10(recipe.training.learning_rate / 0.02)) < 0.3


def test_the_setting_that_matters_is_found(search):
    found = search(8).importance
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)
    assert found["training.learning_rate"] > found["net.width"]


def test_weights_of_trials_do_not_fill_the_disk(search, tmp_path):
    search(1)
    assert {path.name for path in (tmp_path / "out" / "trials" / "0000").iterdir()} == {"history.csv", "recipe.toml"}


def test_a_search_goes_on_and_does_not_repeat_itself(search):
    first = search(3)
    again = search(6)
    assert [each.settings for each in again.trials[:3]] == [each.settings for each in first.trials]
    assert len({each.settings["training.learning_rate"] for each in again.trials}) == 6


def test_a_killed_trial_goes_on_in_its_folder_with_its_settings(search, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        search(1, Killed())
    quick = Quick()
    found = search(1, quick)
    [(folder, recipe)] = quick.asked
    assert folder == "0000"
    assert [each.state for each in found.trials] == ["failed", "finished"]
    assert recipe.training.learning_rate == found.trials[0].settings["training.learning_rate"] == found.trials[1].settings["training.learning_rate"]
    history = (tmp_path / "out" / "trials" / "0000" / "history.csv").read_text()
    assert "1,0.1" in history  # the first epoch was not trained again
    assert found.trials[1].epochs == 3


def test_time_that_is_over_ends_the_search_and_it_goes_on_later(search):
    assert search(2, hours=1e-12).best is None
    assert search(2).best is not None


def test_of_few_faces_no_more_are_held_out_than_training_would(faces, tmp_path):
    quick = Quick()
    tune.tune(Recipe(), spaced(tmp_path, SPACE), faces, tmp_path / "out", trials=1, train=quick)
    assert quick.asked[0][1].data.validation == 280 // 5


def test_another_recipe_or_space_is_refused(search, faces, tmp_path):
    search(1)
    recipe = Recipe.read(tmp_path / "tiny.toml")
    other = spaced(tmp_path, "[training.learning_rate]\nlow = 0.01\nhigh = 0.02\n")
    with pytest.raises(ExperimentError, match="another recipe or space"):
        tune.tune(recipe, other, faces, tmp_path / "out", trials=2, train=Quick())


def test_a_first_trial_that_fails_ends_the_search_and_a_later_one_is_told(search):
    with pytest.raises(ExperimentError, match="The loss is nan"):
        search(1, Poor())
    search(1)
    turn = iter([Poor(), Quick()])
    found = search(2, lambda *all_, **how: next(turn)(*all_, **how))
    assert [each.state for each in found.trials] == ["failed", "finished", "failed", "finished"]


def test_a_search_whose_trials_all_fail_comes_to_an_end(search):
    search(1)
    with pytest.raises(ExperimentError, match="The loss is nan"):
        search(2, Poor())


class Blind(Quick):
    """A training whose epochs have no figure, as where nothing is held out."""

    def __call__(self, recipe, faces, folder, *, watch, stop):
        watch(EpochEvent({"epoch": 1, "loss": 1.0}, ({"epoch": 1, "loss": 1.0},)))


def test_a_trial_that_holds_nothing_out_is_told(search):
    with pytest.raises(ExperimentError, match=r"holds no faces out.*Take data.validation out of the space"):
        search(1, Blind())


def test_faces_the_recipe_holds_out_are_not_what_settings_are_chosen_on(faces):
    recipe = Recipe(data=DataSettings(validation=42))
    held = set(hash_faces(split_training_validation(recipe.data, faces)[1].pixels).tolist())
    used = tune._kept_apart(recipe, faces)
    assert len(held) == len(split_training_validation(recipe.data, used)[1]) == 42
    assert not held & set(hash_faces(used.pixels).tolist())
    assert set(used.usage) == {"Training"}
    with pytest.raises(ExperimentError, match="holds no faces out"):
        tune._kept_apart(Recipe(data=DataSettings(validation=0)), faces)


# The command, with real trainings


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    synthetic.write_fer2013(folder / "faces", 350)
    (folder / "tiny.toml").write_text(RECIPE)
    (folder / "odd.toml").write_text(RECIPE.replace('"residual"', '"residua"'))
    (folder / "space.toml").write_text(SPACE)
    return folder


def words(desk, out, *more, recipe="tiny.toml"):
    return ("tune", desk / recipe, "--space", desk / "space.toml", "--data", desk / "faces", "-o", out, *more)


@pytest.mark.slow
def test_real_trainings_leave_figures_and_a_recipe_to_train(desk, tmp_path, capsys):
    assert mien(*words(desk, tmp_path / "out", "--trials", "4", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["trials"] == 4
    names = {each.name for each in (tmp_path / "out").iterdir()}
    assert {"importance.png", "trials.png", "best.toml", "study.db"} <= names


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_killed_search_goes_on_where_it_was(desk, tmp_path):
    out = tmp_path / "out"
    with subprocess.Popen(command(*words(desk, out, "--trials", "1")), stdout=-3, stderr=-3) as running:
        until = time.monotonic() + 60
        while not (out / "trials" / "0000" / "history.csv").exists() and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
    before = (out / "trials" / "0000" / "history.csv").read_text().splitlines()
    assert mien(*words(desk, out, "--trials", "1")) == 0
    assert [row["state"] for row in rows(out)] == ["failed", "finished"]
    after = (out / "trials" / "0000" / "history.csv").read_text().splitlines()
    assert after[: len(before)] == before
    assert len(after) == 4


def test_a_recipe_that_cannot_be_trained_ends_the_search(desk, tmp_path, capsys):
    assert mien(*words(desk, tmp_path / "o", recipe="odd.toml")) == 1
    assert "Did you mean 'residual'" in capsys.readouterr().err


def test_a_recipe_that_comes_with_mien_goes_by_its_name(desk, tmp_path, capsys):
    words = ("--space", desk / "space.toml", "--data", tmp_path / "none.csv", "-o", tmp_path / "o")
    assert mien("tune", "residual", *words) == 1
    assert "no data at" in capsys.readouterr().err
    assert mien("tune", "resdual", *words) == 1
    assert "Did you mean 'residual'?" in capsys.readouterr().err


def test_a_search_needs_its_words(desk, tmp_path, capsys):
    assert mien("tune", desk / "tiny.toml", "--data", desk / "faces") == 2
    assert "--space" in capsys.readouterr().err
    assert mien("tune", desk / "tiny.toml", "--space", desk / "space.toml", "-o", tmp_path / "o") == 1
    assert "--data" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
