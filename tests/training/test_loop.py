"""The training loop: history, resuming to the same bits, stopping, errors, and one step with soft targets."""

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

from command import command
from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.labels import EMOTIONS
from mien.training.callbacks import EpochEvent, MessageEvent, StepEvent, TrainingStopped
from mien.training.plan import RunPlan
from mien.training.recipe import (
    NO_AUGMENTATION,
    AugmentationSettings,
    DistillationSettings,
    LossSettings,
    NetworkSettings,
    Recipe,
    TrainingSettings,
)
from mien.training.targets import SoftTargets

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training import checkpoint, loop  # noqa: E402
from mien.training.optimizer import clip_by_norm, make_optimizer  # noqa: E402
from mien.training.targets import build_targets  # noqa: E402

SYNTHETIC = Path(__file__).parents[2] / "recipes" / "synthetic.toml"
#: Three epochs of three steps each.
QUICK = Recipe(
    data=DataSettings(validation=7),
    net=NetworkSettings(width=4, depth=(1,), dropout=0.1),
    augment=AugmentationSettings(mixup=0.2, mixup_until=1.0),
    training=TrainingSettings(epochs=3, batch_size=28, learning_rate=0.05, warmup=0.5, precision="float32", ema=0.9),
)


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(140, seed=1)


@pytest.fixture(scope="module")
def uninterrupted(faces, tmp_path_factory):
    """The folder of a run of QUICK without interruption."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    loop.train(RunPlan(QUICK, faces), folder)
    return folder


def read_weights(folder):
    return checkpoint.read_arrays(folder / checkpoint.WEIGHTS)


def assert_same_run(folder, other):
    """Weights and history are equal to the bit, but for the time."""
    assert all(np.array_equal(*pair) for pair in zip(read_weights(folder), read_weights(other), strict=True))
    histories = [[{**row, "seconds": 0} for row in checkpoint.read_history(each)] for each in (folder, other)]
    assert histories[0] == histories[1]


def test_run_writes_history_and_recipe(uninterrupted):
    with (uninterrupted / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    columns = {"learning_rate", "loss", "accuracy", "seconds", "validation_accuracy", "validation_loss"}
    assert columns | {"validation_votes"} <= set(rows[0])
    assert checkpoint.read_recipe(uninterrupted) == QUICK


class KilledError(BaseException):
    """Ends the process in a test as a kill does: nothing is saved after it."""


@pytest.mark.parametrize("epoch", [2, pytest.param(3, marks=pytest.mark.full)])
def test_run_killed_in_an_epoch_resumes_to_the_same_bits(faces, tmp_path, uninterrupted, epoch):
    def kill(event):
        if isinstance(event, StepEvent) and (event.epoch, event.step) == (epoch, event.steps):
            raise KilledError

    with pytest.raises(KilledError):
        loop.train(RunPlan(QUICK, faces), tmp_path, callback=kill)
    assert len(checkpoint.read_history(tmp_path)) == epoch - 1
    loop.train(RunPlan(QUICK, faces), tmp_path)
    assert_same_run(tmp_path, uninterrupted)


@pytest.mark.parametrize("steps", [2, pytest.param(1, marks=pytest.mark.full), pytest.param(6, marks=pytest.mark.full)])
def test_run_stopped_inside_an_epoch_resumes_to_the_same_bits(faces, tmp_path, uninterrupted, steps):
    """The stop check is called after each step but the last of an epoch, which is completed first."""
    calls, events = [], []

    def should_stop():
        calls.append(None)
        return len(calls) == steps

    with pytest.raises(TrainingStopped, match="The same command resumes it") as stop:
        loop.train(RunPlan(QUICK, faces), tmp_path, should_stop=should_stop)
    assert (stop.value.epochs, stop.value.steps) == ((steps - 1) // 2, (steps - 1) % 2 + 1)
    loop.train(RunPlan(QUICK, faces), tmp_path, callback=events.append)
    message = f"Resuming in epoch {stop.value.epochs + 1}, after step {stop.value.steps}"
    assert [event.text for event in events if isinstance(event, MessageEvent)] == [message]
    assert_same_run(tmp_path, uninterrupted)


def test_events_report_epochs_and_steps(faces, tmp_path):
    events = []

    def list_epochs():
        return [event for event in events if isinstance(event, EpochEvent)]

    with pytest.raises(TrainingStopped):
        loop.train(RunPlan(QUICK, faces), tmp_path, callback=events.append, should_stop=lambda: len(list_epochs()) == 2)
    assert [row["epoch"] for row in list_epochs()[-1].history] == [1, 2]
    last = [event for event in events if isinstance(event, StepEvent)][-1]
    assert (last.epoch, last.epochs, last.step, last.steps) == (2, 3, 3, 3)
    assert last.loss > 0


def test_truncated_state_is_replaced_by_the_previous_one(uninterrupted, tmp_path):
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE):
        (tmp_path / name).write_bytes((uninterrupted / name).read_bytes())
    content = (tmp_path / checkpoint.STATE).read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / checkpoint.STATE).write_bytes(content[:length])
        history = checkpoint.load_state(tmp_path, QUICK).history
        assert [row["epoch"] for row in history] == [1, 2]


def test_flipped_bit_is_detected(uninterrupted, tmp_path):
    previous = checkpoint.PREVIOUS_STATE
    (tmp_path / previous).write_bytes((uninterrupted / previous).read_bytes())
    content = bytearray((uninterrupted / checkpoint.STATE).read_bytes())
    largest = max(checkpoint.read_arrays(uninterrupted / checkpoint.STATE)[:-1], key=lambda array: array.nbytes)
    content[content.index(largest.tobytes())] ^= 0xFF
    (tmp_path / checkpoint.STATE).write_bytes(content)
    assert len(checkpoint.load_state(tmp_path, QUICK).history) == 2


def test_other_recipe_is_refused_and_more_epochs_are_not(uninterrupted):
    other = replace(QUICK, net=replace(QUICK.net, dropout=0.5))
    with pytest.raises(ExperimentError, match=r"net.dropout was 0.1 and is 0.5"):
        checkpoint.load_state(uninterrupted, other)
    longer = replace(QUICK, training=replace(QUICK.training, epochs=9))
    assert len(checkpoint.load_state(uninterrupted, longer).history) == 3


def test_fewer_faces_than_a_batch_are_refused(faces, tmp_path):
    recipe = replace(QUICK, training=replace(QUICK.training, batch_size=106))
    with pytest.raises(ExperimentError, match=r"105 Training faces for training.*training.batch_size smaller"):
        loop.train(RunPlan(recipe, faces), tmp_path)


def test_infinite_loss_ends_the_run(faces, tmp_path):
    recipe = replace(QUICK, training=replace(QUICK.training, learning_rate=100, warmup=0.0, batch_size=7))
    recipe = replace(recipe, loss=LossSettings(vote_weight=1000))
    with pytest.raises(ExperimentError, match=r"loss is (nan|inf) in epoch \d, at learning rate .*clip_norm=1"):
        loop.train(RunPlan(recipe, faces), tmp_path)
    assert not (tmp_path / checkpoint.WEIGHTS).exists()


@pytest.mark.full
def test_other_optimizer_and_schedule_resume(faces, tmp_path):
    settings = replace(
        QUICK.training,
        epochs=1,
        optimizer="adamw",
        learning_rate=2e-3,
        schedule="plateau",
        ema=0.0,
        clip_norm=1.0,
        keep="best",
        sampling="balanced",
    )
    loop.train(RunPlan(replace(QUICK, training=settings), faces), tmp_path)
    loop.train(RunPlan(replace(QUICK, training=replace(settings, epochs=2)), faces), tmp_path)
    history = checkpoint.read_history(tmp_path)
    assert [row["epoch"] for row in history] == [1, 2]
    assert all(np.isfinite(row["loss"]) for row in history)


def test_every_optimizer_of_a_recipe_exists():
    names = [type(make_optimizer(TrainingSettings(optimizer=name))).__name__ for name in ("sgd", "adam", "adamw")]
    assert names == ["SGD", "Adam", "AdamW"]


def test_clipping_limits_the_global_norm():
    gradients = [np.array([3.0], np.float32), np.array([[4.0]], np.float32)]
    clipped = [np.asarray(each) for each in clip_by_norm(gradients, 1.0)]
    assert [each.item() for each in clipped] == pytest.approx([0.6, 0.8])
    assert [np.asarray(each).item() for each in clip_by_norm(gradients, 10.0)] == [3.0, 4.0]


def test_weights_of_the_best_epoch_are_saved(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    checkpoint.save_best(tmp_path, model)
    best = model.get_weights()
    model.set_weights([each + 1 for each in best])
    checkpoint.save_weights(tmp_path, model, "best")
    assert all(np.array_equal(*pair) for pair in zip(read_weights(tmp_path), best, strict=True))


def test_state_of_another_backend_is_refused(faces, tmp_path, uninterrupted):
    arrays, history, *_ = checkpoint.load_state(uninterrupted, QUICK)
    checkpoint.save_state(tmp_path, [*arrays[:-1], np.array("jax")], QUICK, history[:1])
    with pytest.raises(ExperimentError, match=r"started with jax, and Keras uses tensorflow.*KERAS_BACKEND=jax"):
        loop.train(RunPlan(QUICK, faces), tmp_path)


def test_one_step_of_gradient_descent_moves_the_predictions_to_the_soft_targets(faces, tmp_path):
    """The labels say nothing about the soft targets, and have no weight: only these can move the predictions."""
    scores = np.full((len(faces), 7), 0.02, np.float32)
    scores[:, EMOTIONS.index("surprise")] = 0.88
    soft_targets = SoftTargets.from_predictions(faces.pixels, scores, None, {"classes": list(EMOTIONS)})
    (tmp_path / "t.npz").write_bytes(soft_targets.to_bytes())
    recipe = Recipe(
        net=NetworkSettings(width=4, depth=(1,), dropout=0.0, votes=False),
        augment=NO_AUGMENTATION,
        loss=LossSettings(label_smoothing=0.0),
        distillation=DistillationSettings("t.npz", weight=1.0),
        training=TrainingSettings(
            batch_size=112, learning_rate=0.01, momentum=0.0, weight_decay=0.0, precision="float32", warmup=0.0
        ),
        folder=tmp_path,
    )
    training = faces.split("Training")
    trainer = loop.Trainer(recipe, build_targets(training, recipe), print, lambda: False)
    pixels = training.pixels

    def cross_entropy():
        heads = keras.tree.flatten(trainer.network(pixels[..., None].astype(np.float32), training=True))
        return -(trainer.targets.labels * np.asarray(keras.ops.log_softmax(heads[0]))).sum(1).mean()

    before = cross_entropy()
    row = trainer.train_epoch(0, [])  # one step: all faces in one batch
    assert row["loss"] == pytest.approx(before, rel=1e-3)
    assert cross_entropy() < before


# Long tests


@pytest.mark.slow
def test_small_network_learns_the_synthetic_faces(tmp_path):
    faces = synthetic.draw_faces(7000)
    model = loop.train(RunPlan(Recipe.read(SYNTHETIC), faces), tmp_path)
    test = faces.split("PublicTest")
    assert np.mean(loop.predict_logits(model, test.pixels)[0].argmax(1) == test.labels) > 0.9


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_killed_process_is_resumed_by_the_same_command(tmp_path):
    data = synthetic.write_fer2013(tmp_path / "data", 140, seed=1)
    (tmp_path / "quick.toml").write_text(replace(QUICK, name="quick").to_toml())
    arguments = command("train", tmp_path / "quick.toml", "--data", data, "--runs", tmp_path)
    folders = {}
    for name in ("killed", "uninterrupted"):
        folders[name] = tmp_path / name
        if name == "killed":
            process = subprocess.Popen([*arguments, "--name", name], stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 120
            while not (folders[name] / checkpoint.STATE).exists():
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        subprocess.run([*arguments, "--name", name], check=True, capture_output=True)
    assert_same_run(*folders.values())
