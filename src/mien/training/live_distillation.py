"""Teachers that look on: in every step they say what they think of the very picture that the student sees.

That is what works best in the literature (a patient student, a consistent teacher), and costs a pass of every teacher
in every step. Soft targets from a file (:mod:`mien.training.distillation`) cost nothing, and say the same of a face every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from mien.errors import ExperimentError
from mien.training import checkpoint, networks
from mien.training.loss import TeacherOutputs
from mien.training.recipe import Recipe

Tensor = Any


def load_teachers(recipe: Recipe) -> TeacherOutputs | None:
    """What the recipe's ``distillation.runs`` say together; None where it names none."""
    teachers = [_loaded(recipe.resolve_path(run), recipe) for run in recipe.distillation.runs]
    return average_teachers(teachers, recipe.distillation.temperature) if teachers else None


def average_teachers(teachers: Sequence[keras.Model], temperature: float) -> TeacherOutputs:
    """The mean of their softened answers: shares, and votes where all of them have that head."""

    def say(faces: Tensor) -> Sequence[Tensor]:
        answers = [keras.tree.flatten(each(faces, training=False)) for each in teachers]
        heads = zip(*answers, strict=False)  # as many as the one with the fewest has
        return [ops.stop_gradient(_mean([ops.softmax(each / temperature) for each in head])) for head in heads]

    return say


def _mean(parts: Sequence[Tensor]) -> Tensor:
    return sum(parts[1:], parts[0]) / len(parts)


def _loaded(run: Path, student: Recipe) -> keras.Model:
    """The averaged net of a finished run, which learns nothing here."""
    recipe = checkpoint.read_recipe(run)
    if recipe.data.classes != student.data.classes:
        happened = f"The teacher '{run.name}' knows {', '.join(recipe.data.classes)}"
        raise ExperimentError(happened, f"{', '.join(student.data.classes)} were expected, in this order", "Name another")
    model = networks.build_recipe_network(recipe, "float32", finished=True)
    checkpoint.load_weights(run, model)
    model.trainable = False
    return model
