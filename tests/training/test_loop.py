"""Training: a tiny net learns the drawn faces; a killed run goes on to the very same weights."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.training.callbacks import EpochEvent, MessageEvent, StepEvent, TrainingStopped
from mien.training.recipe import AugmentationSettings, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
fit = pytest.importorskip("mien.training.loop")
pytestmark = pytest.mark.train

from mien.training import checkpoint  # noqa: E402
from mien.training.loss import Batch, Loss, class_weights  # noqa: E402
from mien.training.optimizer import optimizer_of  # noqa: E402

DRAWN = Path(__file__).parents[2] / "recipes" / "drawn.toml"
QUICK = Recipe(
    data=DataSettings(validation=7),
    net=NetworkSettings(width=4, depth=(1,), dropout=0.1),
    augment=AugmentationSettings(mixup=0.2, mixup_until=1.0),
    training=TrainingSettings(epochs=3, batch_size=28, learning_rate=0.05, warmup=0.5, precision="float32", ema=0.9),
)


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(140, seed=1)


def weights(folder):
    return checkpoint.read_arrays(folder / checkpoint.WEIGHTS)


@pytest.fixture(scope="module")
def undisturbed(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    fit.fit(QUICK, faces, folder)
    return folder


def test_a_run_leaves_its_history_and_its_recipe(undisturbed):
    with (undisturbed / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"rate", "loss", "seconds", "held_out", "held_out_votes"} <= set(rows[0])
    assert checkpoint.read_recipe(undisturbed) == QUICK


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", [1, 2])
def test_a_killed_run_ends_as_if_nothing_had_been(faces, tmp_path, monkeypatch, undisturbed, moment):
    """Killed in the epoch after ``moment`` whole ones: what it had begun is lost, the rest is as before."""
    whole = fit._Run.epoch

    def epoch(self, number, history):
        row = whole(self, number, history)
        if number == moment:
            raise Killed
        return row

    monkeypatch.setattr(fit._Run, "epoch", epoch)
    with pytest.raises(Killed):
        fit.fit(QUICK, faces, tmp_path)
    monkeypatch.undo()
    fit.fit(QUICK, faces, tmp_path)
    for mine, theirs in zip(weights(tmp_path), weights(undisturbed), strict=True):
        assert np.array_equal(mine, theirs)


def test_a_torn_state_falls_back_to_the_one_before(undisturbed, tmp_path):
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE):
        (tmp_path / name).write_bytes((undisturbed / name).read_bytes())
    torn = (tmp_path / checkpoint.STATE).read_bytes()
    for length in (0, 10, len(torn) // 2, len(torn) - 1):
        (tmp_path / checkpoint.STATE).write_bytes(torn[:length])
        _, history = checkpoint.load_state(tmp_path, QUICK)
        assert [row["epoch"] for row in history] == [1, 2]


def test_a_flipped_bit_is_not_taken_for_a_state(undisturbed, tmp_path):
    (tmp_path / checkpoint.PREVIOUS_STATE).write_bytes((undisturbed / checkpoint.PREVIOUS_STATE).read_bytes())
    spoilt = bytearray((undisturbed / checkpoint.STATE).read_bytes())
    largest = max(checkpoint.read_arrays(undisturbed / checkpoint.STATE)[:-1], key=lambda array: array.nbytes)
    spoilt[spoilt.index(largest.tobytes())] ^= 0xFF
    (tmp_path / checkpoint.STATE).write_bytes(spoilt)
    assert len(checkpoint.load_state(tmp_path, QUICK)[1]) == 2


def test_another_recipe_is_refused_with_the_difference_but_more_epochs_are_not(undisturbed):
    other = replace(QUICK, net=replace(QUICK.net, dropout=0.5))
    with pytest.raises(ExperimentError, match=r"net.dropout is 0.5, was 0.1"):
        checkpoint.load_state(undisturbed, other)
    longer = replace(QUICK, training=replace(QUICK.training, epochs=9))
    assert len(checkpoint.load_state(undisturbed, longer)[1]) == 3


def test_too_few_faces_for_one_batch(faces, tmp_path):
    with pytest.raises(ExperimentError, match=r"105 Training faces to learn from.*training.batch_size smaller"):
        fit.fit(replace(QUICK, training=replace(QUICK.training, batch_size=106)), faces, tmp_path)


def test_a_loss_that_is_no_number_stops_the_run(faces, tmp_path):
    wild = replace(QUICK, training=replace(QUICK.training, learning_rate=1e20, warmup=0.0))
    with pytest.raises(ExperimentError, match=r"loss is (nan|inf) in epoch \d, at rate .*training.learning_rate smaller"):
        fit.fit(wild, faces, tmp_path)
    assert not (tmp_path / checkpoint.WEIGHTS).exists()


def test_people_who_did_not_vote_cost_nothing(faces):
    learned = training.targets(faces)
    objective = Loss(QUICK, np.ones(7, np.float32))
    heads = [np.zeros((4, 7), np.float32), np.full((4, 8), 5, np.float32)]
    silent, _ = objective.loss(heads, Batch(None, learned.shares[:4], np.zeros((4, 8), np.float32)))
    assert float(silent) == pytest.approx(np.log(7), rel=1e-5)
    spoken, _ = objective.loss(heads, Batch(None, learned.shares[:4], learned.votes[:4]))
    assert float(spoken) == pytest.approx(np.log(7) + QUICK.loss.vote_weight * np.log(8), rel=1e-5)


def test_rare_classes_weigh_more_where_it_is_asked_for(faces):
    rare = faces.take((faces.labels != 1) | (np.arange(140) < 70))
    balanced = replace(QUICK, loss=replace(QUICK.loss, class_weights=True))
    weights = class_weights(balanced, training.targets(rare).shares)
    assert weights[1] == pytest.approx(2 * weights[0])
    assert weights @ np.bincount(rare.labels) == pytest.approx(len(rare))
    assert class_weights(QUICK, training.targets(rare).shares).tolist() == [1] * 7


def test_easy_faces_count_less_under_the_focal_loss():
    focal = Loss(replace(QUICK, loss=replace(QUICK.loss, focal=2.0)), np.ones(7, np.float32))
    shares = np.eye(7, dtype=np.float32)[:2]
    logits = np.array([[9, 0, 0, 0, 0, 0, 0], [0] * 7], np.float32)
    easy, hard = focal.weights(logits, shares)
    assert float(easy) < 1e-5
    assert float(hard) == pytest.approx((6 / 7) ** 2, rel=1e-5)


def test_other_settings_learn_too_and_go_on_from_a_state(faces, tmp_path):
    settings = {"optimizer": "adamw", "rate": 2e-3, "schedule": "plateau", "average": 0.0, "clip": 1.0, "keep": "best"}
    short = replace(QUICK, training=replace(QUICK.training, epochs=1, **settings))
    fit.fit(short, faces, tmp_path)
    fit.fit(replace(short, training=replace(short.training, epochs=2)), faces, tmp_path)
    _, history = checkpoint.load_state(tmp_path, short)
    assert history[1]["loss"] < history[0]["loss"]


def test_an_unknown_optimizer_names_the_nearest():
    with pytest.raises(ExperimentError, match=r"no optimizer 'adm'.*Did you mean 'adam'"):
        optimizer_of(replace(QUICK, training=replace(QUICK.training, optimizer="adm")))


def test_the_best_epoch_is_kept_where_it_is_asked_for(faces, tmp_path):
    model = fit._Run(QUICK, training.targets(faces)).net
    checkpoint.save_best(tmp_path, model)
    best = model.get_weights()
    model.set_weights([each + 1 for each in best])
    checkpoint.save_weights(tmp_path, model, "best")
    assert all(np.array_equal(*pair) for pair in zip(weights(tmp_path), best, strict=True))


def test_a_run_tells_how_it_goes_and_leaves_when_asked(faces, tmp_path, undisturbed):
    told, history = [], [1, 2]
    with pytest.raises(TrainingStopped, match=r"stopped after 2 whole epochs and 1 steps.*goes on") as left:
        fit.fit(QUICK, faces, tmp_path, watch=told.append, stop=lambda: len(epochs(told)) == 2)
    assert (left.value.epochs, left.value.steps) == (2, 1)
    assert [row["epoch"] for row in epochs(told)[-1].history] == history
    last = [event for event in told if isinstance(event, StepEvent)][-1]
    assert (last.epoch, last.epochs, last.step, last.steps) == (2, 3, 3, 3)
    assert last.loss == pytest.approx(epochs(told)[-1].row["loss"], rel=0.5)
    fit.fit(QUICK, faces, tmp_path)
    for mine, theirs in zip(weights(tmp_path), weights(undisturbed), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("step", [1, 2, 6])
def test_a_run_that_is_left_within_an_epoch_loses_no_step(faces, tmp_path, undisturbed, step):
    """It is asked to leave after every step; the third of an epoch is its last, and the epoch is ended first."""
    asked, told = [], []
    with pytest.raises(TrainingStopped) as left:
        fit.fit(QUICK, faces, tmp_path, stop=lambda: len(asked.append(1) or asked) == step)
    assert (left.value.epochs, left.value.steps) == ((step - 1) // 2, (step - 1) % 2 + 1)
    fit.fit(QUICK, faces, tmp_path, watch=told.append)
    going_on = f"Going on in epoch {left.value.epochs + 1}, after step {left.value.steps}"
    assert [event.text for event in told if isinstance(event, MessageEvent)] == [going_on]
    for mine, theirs in zip(weights(tmp_path), weights(undisturbed), strict=True):
        assert np.array_equal(mine, theirs)
    rows = [[{**row, "seconds": 0} for row in checkpoint.read_history(each)] for each in (tmp_path, undisturbed)]
    assert rows[0] == rows[1]


def epochs(told):
    return [event for event in told if isinstance(event, EpochEvent)]


def test_a_run_does_not_go_on_under_another_backend(faces, undisturbed, monkeypatch):
    run = fit._Run(QUICK, training.targets(faces))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExperimentError, match=r"a run that tensorflow began, and Keras runs on jax.*KERAS_BACKEND=tensorflow"):
        run.resume(undisturbed)


def test_a_backend_without_steps_is_refused(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(ExperimentError, match=r"Keras runs on openvino.*tensorflow, torch, jax.*KERAS_BACKEND=tensorflow"):
        fit.fit(QUICK, faces, tmp_path)


def test_the_command_says_what_is_wrong_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fit", str(tmp_path / "no.toml"), "--data", "x.csv", "--run", str(tmp_path)])
    with pytest.raises(SystemExit, match="There is no recipe at"):
        fit.main()


@pytest.mark.slow
def test_a_tiny_net_learns_the_drawn_faces(tmp_path):
    faces = synthetic.draw_faces(7000)
    model = fit.fit(Recipe.read(DRAWN), faces, tmp_path)
    asked = faces.split("PublicTest")
    assert np.mean(fit.logits(model, asked.pixels)[0].argmax(1) == asked.labels) > 0.95


@pytest.mark.slow
def test_killed_by_the_system_the_same_command_goes_on(faces, tmp_path, undisturbed):
    data = synthetic.write_fer2013(tmp_path / "data", 140, seed=1)
    recipe = tmp_path / "quick.toml"
    recipe.write_text(_toml(QUICK.to_table()))
    command = [sys.executable, "-m", "mien.training.loop", recipe, "--data", data, "--run", tmp_path / "run"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _wait_for(tmp_path / "run" / checkpoint.STATE)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    subprocess.run(command, check=True, capture_output=True)
    for mine, theirs in zip(weights(tmp_path / "run"), weights(undisturbed), strict=True):
        assert np.array_equal(mine, theirs)


def _wait_for(path, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.02)


def _toml(table):
    """Just enough TOML: sections of numbers, words and lists."""
    lines = [f"name = {table['name']!r}"]
    for section, values in table.items():
        if isinstance(values, dict):
            lines += [f"[{section}]", *(f"{key} = {_word(value)}" for key, value in values.items())]
    return "\n".join(lines)


def _word(value):
    return str(value).lower() if isinstance(value, bool) else repr(list(value) if isinstance(value, tuple) else value)
