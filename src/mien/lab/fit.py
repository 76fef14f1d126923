"""One training run, read from top to bottom.

``fit`` trains the recipe's net on the Training faces, keeps a running average of the weights, and writes the run's
folder: ``recipe.json``, ``history.csv``, ``state.npz`` (everything to go on from) and, at the end, ``weights.npz`` (the
average). Killed at any moment, the same call goes on from the last whole epoch. The training step is TensorFlow's.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mien.errors import LabError, MienError, nearest
from mien.lab import augment, checkpoint, nets, schedule
from mien.lab.data import Faces, divide
from mien.lab.events import Epoch, Event, Step, Stop, Stopped, Watch
from mien.lab.recipe import Recipe
from mien.lab.schedule import rate_at
from mien.lab.targets import Targets, targets

log = logging.getLogger(__name__)
Row = dict[str, float]


#: Seconds between two tellings of how an epoch goes.
TELL = 0.25


def fit(
    recipe: Recipe, faces: Faces, folder: Path, *, watch: Watch | None = None, stop: Stop | None = None
) -> keras.Model:
    """The trained net with its averaged weights. Goes on where a killed run of the same recipe stopped.

    ``watch`` is told how it goes, see :mod:`mien.lab.events`. ``stop`` is asked after each step; once it says yes the
    run leaves with :class:`~mien.lab.events.Stopped`, the state of the last whole epoch on disk.
    """
    _refuse_another_backend()
    learned, kept = divide(recipe, faces)
    _refuse_too_few(recipe, learned)
    run = _Run(recipe, targets(learned, recipe), watch or _nobody, stop or _never)
    history = run.resume(folder)
    log.info("%d faces, %d held out, %d epochs done, %s", len(learned), len(kept), len(history), recipe.fit.precision)
    while not schedule.ended(recipe.fit, history):
        row = run.epoch(len(history), history) | _held_out_row(run.average, kept)
        history.append(row)
        if schedule.best(history) == len(history):
            checkpoint.keep_best(folder, run.average)
        checkpoint.write(folder, run.arrays(), recipe, history)
        run.watch(Epoch(row, tuple(history)))
        log.info("%s", _line(row))
    checkpoint.finish(folder, run.average, recipe.fit.keep)
    return run.average


def _nobody(event: Event) -> None:
    """Nobody watches."""


def _never() -> bool:
    return False


def _refuse_another_backend() -> None:
    if (backend := keras.backend.backend()) != "tensorflow":
        happened = f"Keras runs on {backend}"
        raise LabError(happened, "training steps are written for TensorFlow", "Set KERAS_BACKEND=tensorflow")


def _refuse_too_few(recipe: Recipe, learned: Faces) -> None:
    if len(learned) < recipe.fit.batch:
        there = f"The data has {len(learned)} Training faces to learn from"
        raise LabError(there, f"one batch is {recipe.fit.batch}", "Make fit.batch smaller")


def optimizer_of(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The recipe's optimizer at rate 0; the schedule sets it before each step."""
    kinds: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
        "sgd": lambda: keras.optimizers.SGD(0.0, momentum=recipe.fit.momentum, nesterov=True),
        "adam": lambda: keras.optimizers.Adam(0.0),
        "adamw": lambda: keras.optimizers.AdamW(0.0, weight_decay=recipe.fit.decay),
    }
    name = recipe.fit.optimizer
    if name not in kinds:
        raise LabError(f"There is no optimizer '{name}'", f"known are {', '.join(kinds)}", nearest(name, kinds))
    return kinds[name]()


class _Run:
    """The state of a run: the net, its running average, the optimizer's memory, the seeds."""

    def __init__(self, recipe: Recipe, learned: Targets, watch: Watch = _nobody, stop: Stop = _never) -> None:
        self.watch, self.stop = watch, stop
        keras.utils.set_random_seed(recipe.fit.seed)
        self.recipe = recipe
        self.net, self.average = (nets.of_recipe(recipe, recipe.fit.precision) for _ in range(2))
        self.average.set_weights(self.net.get_weights())
        self.optimizer = optimizer_of(recipe)
        self.optimizer.exclude_from_weight_decay(var_list=[w for w in self.net.weights if not _shrinks(w)])
        self.optimizer.build(self.net.trainable_variables)
        self.seed = keras.random.SeedGenerator(recipe.fit.seed)
        self.class_weights = tf.constant(_class_weights(recipe, learned.shares))
        self.learned = [tf.constant(part) for part in (learned.faces, learned.shares, learned.votes)]
        self.step = tf.function(self._step, reduce_retracing=True)

    def variables(self) -> list[Any]:
        return [*self.net.variables, *self.average.variables, *self.optimizer.variables, self.seed.state]

    def arrays(self) -> list[np.ndarray]:
        return [np.asarray(one) for one in self.variables()]

    def resume(self, folder: Path) -> list[Row]:
        """Takes up the state in the folder; the rows of the epochs done, none for a fresh folder."""
        arrays, history = checkpoint.read(folder, self.recipe)
        for variable, array in zip(self.variables(), arrays, strict=False):
            variable.assign(array)
        return history

    def epoch(self, epoch: int, history: Sequence[Row]) -> Row:
        """One pass over all faces, in an order that depends on the seed and the epoch only."""
        begun, losses, told = time.monotonic(), [], 0.0
        batches = list(self._batches(epoch))
        for number, places in enumerate(batches):
            moment = epoch + number / len(batches)
            rate = rate_at(self.recipe.fit, moment, history)
            self.optimizer.learning_rate.assign(rate)
            losses.append(self.step(places, self._keep(moment * len(batches)), self._mixes(epoch)))
            if self.stop():
                raise Stopped(epoch)
            seconds = time.monotonic() - begun
            if (number and seconds - told > TELL) or number + 1 == len(batches):
                told = seconds
                # The step that was just begun may still run: its loss is not waited for.
                loss = _mean(losses[:-1] or losses)
                self.watch(Step(epoch + 1, self.recipe.fit.epochs, number + 1, len(batches), loss, rate, seconds))
        loss, rate = _mean(losses), rate_at(self.recipe.fit, epoch, history)
        if not math.isfinite(loss):
            happened = f"The loss is {loss} in epoch {epoch + 1}, at rate {rate:.4f}"
            raise LabError(happened, "a finite number", "Make fit.rate smaller")
        return {"epoch": epoch + 1, "rate": rate, "loss": loss, "seconds": time.monotonic() - begun}

    def _batches(self, epoch: int) -> Iterator[np.ndarray]:
        size = self.recipe.fit.batch
        order = np.random.default_rng((self.recipe.fit.seed, epoch)).permutation(len(self.learned[0]))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size].astype(np.int32)

    def _mixes(self, epoch: int) -> bool:
        augment = self.recipe.augment
        return augment.mixup > 0 and epoch < augment.mixup_until * self.recipe.fit.epochs

    def _keep(self, step: float) -> tf.Tensor:
        """How much of the average stays: little in the first steps, when it would remember noise."""
        return tf.constant(min(self.recipe.fit.average, (1 + step) / (10 + step)), tf.float32)

    def _step(self, places: tf.Tensor, keep: tf.Tensor, mix: bool) -> tf.Tensor:
        faces, shares, votes = (tf.gather(part, places) for part in self.learned)
        faces = augment.varied(tf.cast(faces, tf.float32), self.recipe.augment, self.seed)
        if mix:
            faces, (shares, votes) = augment.mixed(faces, [shares, votes], self.recipe.augment.mixup, self.seed)
        part = self.recipe.augment.nothing_part
        faces, (shares, votes) = augment.emptied(faces, [shares, votes], part, self.seed)
        with tf.GradientTape() as tape:
            loss = self._loss(self.net(faces, training=True), shares, votes)
        self._descend(tape.gradient(loss, self.net.trainable_variables))
        for mean, weight in zip(self.average.weights, self.net.weights, strict=True):
            mean.assign(mean.value * keep + weight.value * (1 - keep))
        return loss

    def _loss(self, heads: list[tf.Tensor], shares: tf.Tensor, votes: tf.Tensor) -> tf.Tensor:
        smoothing = self.recipe.loss.smoothing
        soft = shares * (1 - smoothing) + smoothing / shares.shape[1]
        losses = tf.nn.softmax_cross_entropy_with_logits(soft, heads[0]) * self._weights(heads[0], shares)
        loss = tf.reduce_mean(losses)
        if len(heads) > 1:
            # Rows of zeros, where nobody voted, cost nothing.
            loss += self.recipe.loss.votes * tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(votes, heads[1]))
        return loss

    def _weights(self, logits: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
        """How much each face counts: by its class, and the less the surer the net is of it."""
        weights = tf.linalg.matvec(shares, self.class_weights)
        if self.recipe.loss.focal:
            sure = tf.reduce_sum(tf.nn.softmax(logits) * shares, axis=1)
            weights *= tf.stop_gradient((1 - sure) ** self.recipe.loss.focal)
        return weights

    def _descend(self, gradients: list[tf.Tensor]) -> None:
        """One step down. Kernels also shrink, as part of the gradient; adamw does that itself."""
        decay = 0.0 if self.recipe.fit.optimizer == "adamw" else self.recipe.fit.decay
        slopes = [
            slope + decay * weight.value if decay and _shrinks(weight) else slope
            for slope, weight in zip(gradients, self.net.trainable_variables, strict=True)
        ]
        if self.recipe.fit.clip:
            slopes, _ = tf.clip_by_global_norm(slopes, self.recipe.fit.clip)
        self.optimizer.apply_gradients(list(zip(slopes, self.net.trainable_variables, strict=True)))


def _mean(losses: Sequence[Any]) -> float:
    return float(np.mean([float(one) for one in losses]))


def _shrinks(weight: keras.Variable) -> bool:
    """Whether weight decay is for it: kernels, not biases and norms."""
    return str(weight.path).endswith("kernel")


def _class_weights(recipe: Recipe, shares: np.ndarray) -> np.ndarray:
    """One for each class; where balanced, in proportion to its rareness, one for a class of average size."""
    counts = shares.sum(0)
    rare = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return np.asarray(rare if recipe.loss.balanced else np.ones_like(rare), np.float32)


def logits(model: keras.Model, pixels: np.ndarray, batch: int = 250) -> list[np.ndarray]:
    """What each head says of these faces, uint8 (N, 48, 48), one pass, no augmentation: arrays (N, 7) and (N, 8)."""
    forward = tf.function(lambda faces: model(faces, training=False), reduce_retracing=True)
    done = [forward(tf.cast(pixels[i : i + batch, ..., None], tf.float32)) for i in range(0, len(pixels), batch)]
    return [np.concatenate([np.asarray(part[head]) for part in done]) for head in range(len(model.outputs))]


def _held_out_row(model: keras.Model, kept: Faces) -> Row:
    if not len(kept):
        return {}
    shares, *votes = logits(model, kept.pixels)
    row = {"held_out": float(np.mean(shares.argmax(1) == kept.labels))}
    if votes:
        row["held_out_votes"] = float(np.mean(votes[0].argmax(1) == kept.vote_shares().argmax(1)))
    return row


def _line(row: Row) -> str:
    return "  ".join(f"{key} {value:.4g}" for key, value in row.items())


def main() -> None:
    """``python -m mien.lab.fit recipes/base.toml --data fer2013.csv --run runs/base``."""
    import argparse

    from mien.lab import data

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    words = argparse.ArgumentParser(prog="python -m mien.lab.fit", description="Train the net of a recipe.")
    words.add_argument("recipe", type=Path)
    words.add_argument("--data", type=Path, required=True, help="fer2013.csv or fer2013.npz, fer2013new.csv beside it")
    words.add_argument("--run", type=Path, required=True, help="the folder that receives the run")
    words.add_argument("--epochs", type=int, help="end after so many epochs instead of the recipe's")
    given = words.parse_args()
    try:
        recipe = Recipe.read(given.recipe)
        if given.epochs:
            recipe = replace(recipe, fit=replace(recipe.fit, epochs=given.epochs))
        fit(recipe, data.read(given.data), given.run)
    except MienError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
