"""Which faces stand in which batch: decided by the seed and the epoch only, so that a resumed run deals the same."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import TRAINING, FaceDataset
from mien.datasets.splits import split_training_validation
from mien.errors import ExperimentError, MienError, suggest_name
from mien.training import backends, checkpoint, live_distillation, networks, precision, schedule, transfer
from mien.training.backends import TrainingState, devices
from mien.training.callbacks import Callback, EpochEvent, Event, MessageEvent, StepEvent, StopCheck, TrainingStopped
from mien.training.checkpoint import PartialEpoch
from mien.training.loss import Loss, class_weights, cross_entropy
from mien.training.optimizer import Optimizer
from mien.training.recipe import Recipe
from mien.training.targets import Targets, build_targets

Places = NDArray[np.int64]


def make_batches(recipe: Recipe, labels: NDArray[np.integer], epoch: int) -> list[Places]:
    """Whole batches of places among the faces with these labels; what is left over waits for another epoch."""
    known, size = ("all", "balanced"), recipe.training.batch_size
    sampling = recipe.training.sampling
    if sampling not in known:
        there = f"known are {', '.join(known)}"
        raise ExperimentError(f"training.sampling is '{sampling}'", there, suggest_name(sampling, known))
    rng = np.random.default_rng((recipe.training.seed, epoch))
    order = rng.permutation(len(labels)) if sampling == "all" else _balanced(labels, rng)
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def _balanced(labels: NDArray[np.integer], rng: np.random.Generator) -> Places:
    """As many places as there are faces, each class as often: rare faces come again, of the others some stay away."""
    classes = np.unique(labels)
    each = len(labels) // len(classes)
    chosen = [np.fromiter(_again_and_again(np.flatnonzero(labels == one), rng), np.int64, each) for one in classes]
    return rng.permutation(np.concatenate(chosen))


def _again_and_again(places: Places, rng: np.random.Generator) -> Iterator[int]:
    """All of them in some order, then all in another, for ever."""
    while True:
        yield from rng.permutation(places)


# ==== mien.lab.fit
# One training run, read from top to bottom.
#
# ``fit`` trains the recipe's net on the Training faces, keeps a running average of the weights, and writes the run's
# folder: ``recipe.json``, ``history.csv``, ``state.npz`` (everything to go on from) and, at the end, ``weights.npz`` (the
# average). Killed at any moment, the same call goes on from the last whole epoch. The steps themselves are the backend's:
# see :mod:`mien.training.backends`.

log = logging.getLogger(__name__)
Row = dict[str, float]
#: Seconds between two tellings of how an epoch goes.
TELL = 0.25


def train(
    recipe: Recipe, faces: FaceDataset, folder: Path, *, watch: Callback | None = None, stop: StopCheck | None = None
) -> keras.Model:
    """The trained net with its averaged weights. Goes on where a killed run of the same recipe stopped.

    ``watch`` is told how it goes, see :mod:`mien.training.callbacks`. ``stop`` is asked after each step; once it says yes the
    run leaves with :class:`~mien.training.callbacks.TrainingStopped`, its state on disk, in the middle of an epoch as well. In the
    recipe that the folder keeps, ``training.precision`` is never ``auto``: it is what was chosen.
    """
    watch, stop = watch or _nobody, stop or _never
    recipe = precision.resume_precision(recipe, folder)
    learned, kept = split_training_validation(recipe.data, faces)
    _refuse_too_few(recipe, learned)
    taught = build_targets(learned, recipe)
    if recipe.training.deterministic:
        backends.load_backend().repeat_exactly()
    with devices.shared(recipe.training):
        recipe = precision.choose_precision(recipe, watch)
        run = _Run(recipe, taught, watch, stop)
        history = run.resume(folder)
    log.info("%d faces, %d held out, %d epochs done, %s", len(learned), len(kept), len(history), recipe.training.precision)
    while not schedule.ended(recipe.training, history):
        try:
            row = run.epoch(len(history), history) | validate(run.average, kept)
        except TrainingStopped:
            checkpoint.save_state(folder, run.arrays(), recipe, history, run.within)
            raise
        history.append(row)
        if schedule.best(history) == len(history):
            checkpoint.save_best(folder, run.average)
        checkpoint.save_state(folder, run.arrays(), recipe, history)
        watch(EpochEvent(row, tuple(history)))
        log.info("%s", _line(row))
    checkpoint.save_weights(folder, run.average, recipe.training.keep)
    return run.average


def _refuse_another_backend(arrays: Sequence[np.ndarray], folder: Path) -> None:
    """Each keeps another memory, and draws its chances another way. Old states were all TensorFlow's."""
    named = [str(each) for each in arrays[-1:] if each.dtype.kind == "U"]
    before, now = (named or ["tensorflow"])[0], keras.backend.backend()
    if arrays and before != now:
        happened = f"'{folder}' holds a run that {before} began, and Keras runs on {now}"
        raise ExperimentError(happened, "the same backend was expected", f"Set KERAS_BACKEND={before}, or begin anew")


def _going_on(epochs: int, within: PartialEpoch | None) -> str:
    inside = f"Going on in epoch {epochs + 1}, after step {len(within.figures):,}" if within else ""
    return inside or f"Going on after epoch {epochs}"


def _nobody(event: Event) -> None:
    """Nobody watches."""


def _never() -> bool:
    return False


def _refuse_too_few(recipe: Recipe, learned: FaceDataset) -> None:
    if len(learned) < recipe.training.batch_size:
        there = f"The data has {len(learned)} {TRAINING} faces to learn from"
        raise ExperimentError(there, f"one batch is {recipe.training.batch_size}", "Make training.batch_size smaller")


class _Run:
    """The state of a run: the net, its running average, the optimizers' memory, the seeds."""

    def __init__(self, recipe: Recipe, learned: Targets, watch: Callback = _nobody, stop: StopCheck = _never) -> None:
        self.recipe, self.learned, self.watch, self.stop = recipe, learned, watch, stop
        self.within: PartialEpoch | None = None  # where inside an epoch the run was left, or is to be taken up
        self.backend = backends.load_backend()
        keras.utils.set_random_seed(recipe.training.seed)
        self.net, self.average = (networks.build_recipe_network(recipe, recipe.training.precision) for _ in range(2))
        self.seed = keras.random.SeedGenerator(recipe.training.seed)
        self.objective = Loss(recipe, class_weights(recipe, learned.shares), live_distillation.load_teachers(recipe))
        # One for all layers, and before it one for the heads alone where the others begin frozen.
        self.descents = [Optimizer(recipe, self.net.trainable_variables)]
        if schedule.frozen(recipe):
            with transfer.freeze_trunk(self.net):
                self.descents.append(Optimizer(recipe, self.net.trainable_variables))
        self.steps = [self._step(each) for each in self.descents]

    def _step(self, descent: Optimizer) -> backends.TrainStep:
        return self.backend.step(TrainingState(self.net, self.average, self.objective, descent, self.seed))

    def variables(self) -> list[Any]:
        memories = [each for descent in self.descents for each in descent.optimizer.variables]
        return [*self.net.variables, *self.average.variables, *memories, self.seed.state]

    def arrays(self) -> list[np.ndarray]:
        return [*(np.asarray(each) for each in self.variables()), np.array(keras.backend.backend())]

    def resume(self, folder: Path) -> list[Row]:
        """Takes up the state in the folder; the rows of the epochs done, none for a fresh folder."""
        arrays, history = checkpoint.load_state(folder, self.recipe)
        _refuse_another_backend(arrays, folder)
        for variable, array in zip(self.variables(), arrays, strict=False):
            variable.assign(array)
        self.within = checkpoint.read_partial_epoch(folder)
        if arrays:
            self.watch(MessageEvent(_going_on(len(history), self.within)))
        elif self.recipe.net.weights != "none":
            self.watch(MessageEvent(transfer.load_initial_weights(self.net, self.recipe)))
        if not arrays:
            self.average.set_weights(self.net.get_weights())
        devices.tell_apart([self.seed.state, *(each for each in self.net.variables if "seed" in each.path)])
        return history

    def epoch(self, epoch: int, history: Sequence[Row]) -> Row:
        """One pass over all faces, in an order that depends on the seed and the epoch only."""
        if epoch < schedule.frozen(self.recipe):
            with transfer.freeze_trunk(self.net):
                return self._pass(epoch, history, 1)
        return self._pass(epoch, history, 0)

    def _pass(self, epoch: int, history: Sequence[Row], phase: int) -> Row:
        before, self.within = self.within or PartialEpoch([], 0.0), None
        begun, told = time.monotonic() - before.seconds, 0.0
        figures: list[Any] = [np.array(each, np.float32) for each in before.figures]
        dealt = make_batches(self.recipe, self.learned.shares.argmax(1), epoch)
        for number in range(len(figures), len(dealt)):
            moment = epoch + number / len(dealt)
            rate = schedule.rate_of(self.recipe, moment, history)
            self.descents[phase].optimizer.learning_rate.assign(rate)
            keep = self._keep(moment * len(dealt))
            figures.append(self.steps[phase](self._taken(dealt[number]), keep, self._mixes(epoch)))
            seconds = time.monotonic() - begun
            if number + 1 < len(dealt) and self.stop():
                self.within = PartialEpoch([keras.ops.convert_to_numpy(each).tolist() for each in figures], seconds)
                raise TrainingStopped(epoch, len(figures))
            if number + 1 == len(dealt) or (number and seconds - told > TELL):
                told = seconds
                # The step that was just begun may still run: its figures are not waited for.
                loss, _ = self._mean(figures[:-1] or figures, epoch, rate)
                self.watch(StepEvent(epoch + 1, self.recipe.training.epochs, number + 1, len(dealt), loss, rate, seconds))
        rate = schedule.rate_of(self.recipe, epoch, history)
        loss, right = self._mean(figures, epoch, rate)
        seconds = time.monotonic() - begun
        return {"epoch": epoch + 1, "rate": rate, "loss": loss, "accuracy": right, "seconds": seconds}

    def _mean(self, figures: list[Any], epoch: int, rate: float) -> tuple[float, float]:
        """Mean loss and accuracy of these steps; a LabError where the loss is no number."""
        known = [keras.ops.convert_to_numpy(each) for each in figures]
        loss, right = np.mean(known, axis=0, dtype=np.float64).tolist()
        if not math.isfinite(loss):
            happened = f"The loss is {loss} in epoch {epoch + 1}, at rate {rate:.3g}"
            raise ExperimentError(happened, "a finite number was expected", "Make training.learning_rate smaller, or set training.clip_norm=1")
        return loss, right

    def _taken(self, places: np.ndarray) -> list[np.ndarray]:
        return [part[places] for part in (self.learned.faces, self.learned.shares, self.learned.votes)]

    def _mixes(self, epoch: int) -> bool:
        augment = self.recipe.augment
        return augment.mixup + augment.cutmix > 0 and epoch < augment.mixup_until * self.recipe.training.epochs

    def _keep(self, step: float) -> float:
        """How much of the average stays: little in the first steps, when it would remember noise."""
        return min(self.recipe.training.ema, (1 + step) / (10 + step))


def predict_logits(model: keras.Model, pixels: np.ndarray, batch: int = 250) -> list[np.ndarray]:
    """What each head says of these faces, uint8 (N, 48, 48), one pass, no augmentation: arrays (N, 7) and (N, 8)."""
    forward = backends.compiled_forward(model)
    done = [forward(pixels[i : i + batch, ..., None].astype(np.float32)) for i in range(0, len(pixels), batch)]
    answers = [[keras.ops.convert_to_numpy(head) for head in each] for each in done]
    return [np.concatenate([each[head] for each in answers]) for head in range(len(model.outputs))]


def validate(model: keras.Model, kept: FaceDataset) -> Row:
    """Accuracy, loss (of the label alone) and accuracy of the vote head on the held-out faces; empty without any."""
    if not len(kept):
        return {}
    shares, *votes = predict_logits(model, kept.pixels)
    goal = np.eye(len(kept.classes), dtype=np.float32)[kept.labels]
    loss = float(np.mean(keras.ops.convert_to_numpy(cross_entropy(goal, shares))))
    row = {"held_out": float(np.mean(shares.argmax(1) == kept.labels)), "held_out_loss": loss}
    if votes:
        row["held_out_votes"] = float(np.mean(votes[0].argmax(1) == kept.vote_scores().argmax(1)))
    return row


def _line(row: Row) -> str:
    return "  ".join(f"{key} {value:.4g}" for key, value in row.items())


def main() -> None:
    """``python -m mien.training.loop recipes/base.toml --data fer2013.csv --run runs/base``."""
    import argparse

    from mien.datasets import dataset

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    words = argparse.ArgumentParser(prog="python -m mien.training.loop", description="Train the net of a recipe.")
    words.add_argument("recipe", type=Path)
    words.add_argument("--data", type=Path, required=True, help="fer2013.csv or fer2013.npz, fer2013new.csv beside it")
    words.add_argument("--run", type=Path, required=True, help="the folder that receives the run")
    words.add_argument("--epochs", type=int, help="end after so many epochs instead of the recipe's")
    given = words.parse_args()
    try:
        recipe = Recipe.read(given.recipe)
        if given.epochs:
            recipe = replace(recipe, training=replace(recipe.training, epochs=given.epochs))
        train(recipe, loading.load_faces(given.data), given.run)
    except MienError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
