"""The training loop, readable from top to bottom.

``train`` runs epochs until the recipe is done and writes the run folder: ``recipe.toml``, ``history.csv``,
``state.npz`` (everything that a resumed run needs) and at the end ``weights.npz`` (the averaged weights).
``Trainer.train_epoch`` is one pass over the training faces. The step itself (batch, forward, loss, backward, weight
decay, clip, update, average of the weights) is ``train_step`` in :mod:`mien.training.backends.tensorflow`, and in
torch and jax beside it.

A run that was killed at any moment is resumed by the same call and ends with the same weights to the bit.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mien.datasets.dataset import TRAINING, FaceDataset
from mien.errors import ExperimentError
from mien.training import backends, checkpoint, distillation, networks, precision, schedule, transfer
from mien.training.backends import TrainingState, TrainStep, devices
from mien.training.batches import make_batches
from mien.training.callbacks import Callback, EpochEvent, MessageEvent, Row, StepEvent, StopCheck, TrainingStopped
from mien.training.checkpoint import PartialEpoch, SavedState
from mien.training.loss import Loss, cross_entropy
from mien.training.optimizer import Optimizer
from mien.training.plan import RunPlan
from mien.training.recipe import Recipe
from mien.training.targets import TrainingTargets, build_targets

log = logging.getLogger(__name__)

#: Seconds between two progress events inside an epoch.
PROGRESS_INTERVAL = 0.25


def train(
    plan: RunPlan, folder: Path, *, callback: Callback | None = None, should_stop: StopCheck | None = None
) -> keras.Model:
    """Train the network of the plan's recipe, or resume its run in ``folder``; the network with the averaged weights.

    ``callback`` receives the events of :mod:`mien.training.callbacks`. ``should_stop`` is called after each step; when
    it returns True the state is saved, inside an epoch too, and :class:`~mien.training.callbacks.TrainingStopped` is
    raised. The recipe in the folder has the chosen ``training.precision``, never ``auto``.
    """
    callback, should_stop = callback or (lambda event: None), should_stop or (lambda: False)
    recipe = plan.recipe
    if len(plan.training) < recipe.training.batch_size:
        happened = f"The data has {len(plan.training)} {TRAINING} faces for training"
        expected = f"one batch has {recipe.training.batch_size}"
        raise ExperimentError(happened, expected, "Make training.batch_size smaller")
    targets = build_targets(plan.training, recipe)

    if recipe.training.deterministic:
        backends.load_backend().enable_determinism()
    state = checkpoint.load_state(folder, recipe)
    with devices.distribute(recipe.training):
        recipe = precision.choose_precision(recipe, state.precision, callback)
        trainer = Trainer(recipe, targets, callback, should_stop)
        trainer.resume(state, folder)
    history = state.history
    del state  # the trainer has its arrays
    counts = len(plan.training), len(plan.validation), len(history), recipe.training.precision
    log.info("%d training faces, %d validation faces, %d epochs done, %s", *counts)

    while not schedule.is_finished(recipe.training, history):
        try:
            row = trainer.train_epoch(len(history), history) | validate(trainer.average, plan.validation)
        except TrainingStopped:
            checkpoint.save_state(folder, trainer.arrays(), recipe, history, trainer.partial_epoch)
            raise
        history.append(row)
        if schedule.best_epoch(history) == len(history):
            checkpoint.save_best(folder, trainer.average)
        checkpoint.save_state(folder, trainer.arrays(), recipe, history)
        callback(EpochEvent(row, tuple(history)))
        log.info("%s", "  ".join(f"{key} {value:.4g}" for key, value in row.items()))

    checkpoint.save_weights(folder, trainer.average, recipe.training.keep)
    return trainer.average


class Trainer:
    """The state of a run: network, average of the weights, optimizer state, random seed, and the compiled steps."""

    def __init__(self, recipe: Recipe, targets: TrainingTargets, callback: Callback, should_stop: StopCheck) -> None:
        self.recipe, self.targets, self.callback, self.should_stop = recipe, targets, callback, should_stop
        self.partial_epoch: PartialEpoch | None = None  # where a stopped epoch is to be resumed

        keras.utils.set_random_seed(recipe.training.seed)
        self.network, self.average = (
            networks.build_recipe_network(recipe, recipe.training.precision) for _ in range(2)
        )
        self.seed = keras.random.SeedGenerator(recipe.training.seed)
        self.loss = Loss(recipe.loss, targets.labels)
        self.teachers = distillation.load_teachers(recipe)

        # One optimizer for all layers, and where the trunk is frozen at first another one for the heads alone.
        self.optimizers = [Optimizer(recipe.training, self.network.trainable_variables)]
        if schedule.count_frozen_epochs(recipe):
            with transfer.freeze_trunk(self.network):
                self.optimizers.append(Optimizer(recipe.training, self.network.trainable_variables))
        self.steps = [self._make_step(each) for each in self.optimizers]

    def _make_step(self, optimizer: Optimizer) -> TrainStep:
        state = TrainingState(self.recipe, self.network, self.average, self.loss, optimizer, self.seed, self.teachers)
        return backends.load_backend().make_train_step(state)

    def train_epoch(self, epoch: int, history: Sequence[Row]) -> Row:
        """One pass over the training faces, or the rest of one that was stopped; its row of the history."""
        if epoch < schedule.count_frozen_epochs(self.recipe):
            with transfer.freeze_trunk(self.network):
                return self._run_steps(epoch, history, self.optimizers[1], self.steps[1])
        return self._run_steps(epoch, history, self.optimizers[0], self.steps[0])

    def _run_steps(self, epoch: int, history: Sequence[Row], optimizer: Optimizer, train_step: TrainStep) -> Row:
        settings, targets = self.recipe.training, self.targets
        resumed, self.partial_epoch = self.partial_epoch or PartialEpoch([], 0.0), None
        metrics: list[Any] = [np.array(each, np.float32) for each in resumed.metrics]  # loss and accuracy of each step
        start, last_event = time.monotonic() - resumed.seconds, 0.0

        batches = make_batches(settings, targets.labels.argmax(1), epoch)
        mix = self._mixes(epoch)
        for step in range(len(metrics), len(batches)):
            faces = batches[step]
            progress = epoch + step / len(batches)
            learning_rate = schedule.learning_rate(self.recipe, progress, history)
            optimizer.keras_optimizer.learning_rate.assign(learning_rate)
            ema = self._ema_decay(progress * len(batches))
            metrics.append(train_step([targets.faces[faces], targets.labels[faces], targets.votes[faces]], ema, mix))

            seconds, is_last = time.monotonic() - start, step + 1 == len(batches)
            if not is_last and self.should_stop():
                values = [keras.ops.convert_to_numpy(each).tolist() for each in metrics]
                self.partial_epoch = PartialEpoch(values, seconds)
                raise TrainingStopped(epoch, len(metrics))
            if is_last or (step and seconds - last_event > PROGRESS_INTERVAL):
                last_event = seconds
                # The last step may still be computed; its metrics are not waited for.
                loss, _ = _mean_metrics(metrics[:-1] or metrics, epoch, learning_rate)
                event = StepEvent(epoch + 1, settings.epochs, step + 1, len(batches), loss, learning_rate, seconds)
                self.callback(event)

        learning_rate = schedule.learning_rate(self.recipe, epoch, history)
        loss, accuracy = _mean_metrics(metrics, epoch, learning_rate)
        row = {"epoch": epoch + 1, "learning_rate": learning_rate, "loss": loss, "accuracy": accuracy}
        return row | {"seconds": time.monotonic() - start}

    def _mixes(self, epoch: int) -> bool:
        """Whether mixup and cutmix are on in this epoch."""
        augment = self.recipe.augment
        return augment.mixup + augment.cutmix > 0 and epoch < augment.mixup_until * self.recipe.training.epochs

    def _ema_decay(self, step: float) -> float:
        """The decay of the average, lower in the first steps, so that the initial weights are soon forgotten."""
        return min(self.recipe.training.ema, (1 + step) / (10 + step))

    def variables(self) -> list[Any]:
        """All variables of the state, in the order of the checkpoint."""
        optimizer_state = [each for optimizer in self.optimizers for each in optimizer.keras_optimizer.variables]
        return [*self.network.variables, *self.average.variables, *optimizer_state, self.seed.state]

    def arrays(self) -> list[np.ndarray]:
        """The values of the variables, and the name of the backend."""
        return [*(np.asarray(each) for each in self.variables()), np.array(keras.backend.backend())]

    def resume(self, state: SavedState, folder: Path) -> None:
        """Restore the state of the run in the folder, or start from the initial weights where the state is empty."""
        _check_backend(state.arrays, folder)
        for variable, array in zip(self.variables(), state.arrays, strict=False):  # arrays end with the backend's name
            variable.assign(array)
        self.partial_epoch = state.partial_epoch
        if state.arrays:
            done = f"after epoch {len(state.history)}"
            if state.partial_epoch:
                done = f"in epoch {len(state.history) + 1}, after step {len(state.partial_epoch.metrics):,}"
            self.callback(MessageEvent(f"Resuming {done}"))
        else:
            if self.recipe.net.pretrained:
                self.callback(
                    MessageEvent(transfer.load_initial_weights(self.network, self.recipe, self.targets.faces))
                )
            self.average.set_weights(self.network.get_weights())
        seeds = [each for each in self.network.variables if "seed" in each.path]
        devices.separate_seeds([self.seed.state, *seeds])


def _check_backend(arrays: Sequence[np.ndarray], folder: Path) -> None:
    """Optimizer states and random seeds of one backend are of no use to another."""
    if not arrays:
        return
    before, now = str(arrays[-1]), keras.backend.backend()
    if before != now:
        happened = f"The run in '{folder}' was started with {before}, and Keras uses {now}"
        raise ExperimentError(happened, "the same backend was expected", f"Set KERAS_BACKEND={before}, or use --force")


def _mean_metrics(metrics: list[Any], epoch: int, learning_rate: float) -> tuple[float, float]:
    """Mean loss and accuracy of the steps; an ExperimentError where the loss is not finite."""
    values = [keras.ops.convert_to_numpy(each) for each in metrics]
    loss, accuracy = np.mean(values, axis=0, dtype=np.float64).tolist()
    if not math.isfinite(loss):
        happened = f"The loss is {loss} in epoch {epoch + 1}, at learning rate {learning_rate:.3g}"
        remedy = "Make training.learning_rate smaller, or set training.clip_norm=1"
        raise ExperimentError(happened, "a finite number was expected", remedy)
    return loss, accuracy


def validate(model: keras.Model, faces: FaceDataset) -> Row:
    """Accuracy, loss (of the labels) and accuracy of the vote head on the validation faces; empty without faces."""
    if not len(faces):
        return {}
    logits, *vote_logits = predict_logits(model, faces.pixels)
    labels = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    loss = float(np.mean(keras.ops.convert_to_numpy(cross_entropy(labels, logits))))
    accuracy = float(np.mean(logits.argmax(1) == faces.labels))
    row = {"validation_accuracy": accuracy, "validation_loss": loss}
    if vote_logits:
        row["validation_votes"] = float(np.mean(vote_logits[0].argmax(1) == faces.vote_scores().argmax(1)))
    return row


def predict_logits(model: keras.Model, pixels: np.ndarray, batch_size: int = 250) -> list[np.ndarray]:
    """The logits of each head, (N, K) and (N, 8), for faces uint8 (N, 48, 48), without augmentation."""
    forward = backends.compiled_forward(model)
    starts = range(0, len(pixels), batch_size)
    outputs = [forward(pixels[start : start + batch_size, ..., None].astype(np.float32)) for start in starts]
    arrays = [[keras.ops.convert_to_numpy(head) for head in heads] for heads in outputs]
    return [np.concatenate([heads[index] for heads in arrays]) for index in range(len(model.outputs))]
