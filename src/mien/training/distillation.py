"""Knowledge distillation: soft targets of teachers in a file, and on-the-fly distillation.

``distill`` predicts the training faces of a recipe with one or several teachers and returns the mean predictions as
soft targets. Validation faces, PublicTest and PrivateTest never get soft targets.

``load_teachers`` is for on-the-fly distillation: the teachers predict each augmented batch during training. That gives
better students than a file (a consistent teacher), and costs a forward pass of every teacher in every step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import TRAINING, FaceDataset, Progress
from mien.errors import ExperimentError
from mien.evaluation.evaluate import fingerprint_faces
from mien.evaluation.inference import BatchPredictor, augment_views
from mien.evaluation.metrics import accuracy, calibration_error
from mien.labels import VOTES, normalize_label
from mien.models import OnnxClassifier, load_classifier
from mien.training.plan import adapt_validation
from mien.training.recipe import Recipe
from mien.training.targets import SoftTargets, soften

if TYPE_CHECKING:
    import keras

    from mien.training.batches import Teachers

#: Views of each face with test-time augmentation: the face and its mirror image, each unshifted and shifted four ways.
TTA_VIEWS = 10


@dataclass(frozen=True)
class DistillationResult:
    """The soft targets, and the metrics of the ``ensemble`` of all teachers on the validation faces, None without."""

    soft_targets: SoftTargets
    ensemble: dict[str, Any] | None


def distill(
    teachers: Sequence[Path],
    faces: FaceDataset,
    recipe: Recipe,
    *,
    temperature: float = 1.0,
    tta: bool = True,
    progress: Progress | None = None,
) -> DistillationResult:
    """Mean predictions of the teachers (ONNX files) for the training faces of ``recipe``.

    ``tta``: over ten views of each face instead of one. ``temperature`` softens each prediction before the mean.
    """
    classifiers = [load_classifier(path) for path in teachers]
    _check_classes(classifiers, recipe)
    plan = adapt_validation(recipe, faces)  # as the training of the student does
    training, validation = plan.training, plan.validation
    if not len(training):
        raise ExperimentError(f"The data has no {TRAINING} faces", "at least one was expected", "Name other data")
    assert set(training.usage) == {TRAINING}, "soft targets of test faces would mean training on the test set"
    views = TTA_VIEWS if tta else 1
    count = _ProgressCount(progress, len(classifiers) * (len(training) + len(validation)) * views)
    scores, votes = _predict_mean(classifiers, training.pixels, temperature, tta, count)
    facts = {
        "classes": list(recipe.data.classes),
        "vote_classes": [] if votes is None else list(VOTES),
        "teachers": [_describe_teacher(path, each) for path, each in zip(teachers, classifiers, strict=True)],
        "views": views,
        "temperature": temperature,
        "faces": len(training),
        "validation": len(validation),
        "fingerprint": fingerprint_faces(training),
    }
    ensemble = None
    if len(validation):
        validation_scores, _ = _predict_mean(classifiers, validation.pixels, 1.0, tta, count)
        ensemble = {
            "faces": len(validation),
            "accuracy": accuracy(validation_scores, validation.labels),
            "ece": calibration_error(validation_scores, validation.labels),
            "training_accuracy": accuracy(scores, training.labels),
        }
        facts["ensemble"] = {key: round(value, 4) for key, value in ensemble.items()}
    return DistillationResult(SoftTargets.from_predictions(training.pixels, scores, votes, facts), ensemble)


def _check_classes(classifiers: Sequence[OnnxClassifier], recipe: Recipe) -> None:
    if not classifiers:
        raise ExperimentError("There is no teacher", "at least one run or ONNX file was expected")
    for each in classifiers:
        labels = tuple(normalize_label(label) for label in each.card.labels)
        if labels != recipe.data.classes:
            happened = f"The teacher '{each.card.name}' has the classes {', '.join(labels)}"
            expected = f"those of the recipe were expected, in this order: {', '.join(recipe.data.classes)}"
            raise ExperimentError(happened, expected, "Name teachers of the same classes")


def _predict_mean(
    classifiers: Sequence[OnnxClassifier],
    pixels: NDArray[np.uint8],
    temperature: float,
    tta: bool,
    count: _ProgressCount,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Mean scores, and mean votes of the teachers that have that head; None where none has."""
    means: dict[str, list[NDArray[np.float32]]] = {"scores": [], "votes": []}
    for classifier in classifiers:
        predictor = BatchPredictor(classifier, count)
        outputs = [predictor.predict(view) for view in (augment_views(pixels) if tta else [pixels])]
        count.finish(len(pixels) * len(outputs))
        means["scores"].append(_soften_mean([scores for scores, _ in outputs], temperature))
        if classifier.card.vote_labels == VOTES:
            means["votes"].append(_soften_mean([votes for _, votes in outputs if votes is not None], temperature))
    scores, votes = (np.mean(each, axis=0, dtype=np.float32) if each else None for each in means.values())
    assert scores is not None, "every teacher predicts scores"
    return scores, votes


def _soften_mean(predictions: Sequence[NDArray[np.float32]], temperature: float) -> NDArray[np.float32]:
    total = np.zeros(predictions[0].shape, np.float32)
    for each in predictions:
        total += soften(each, temperature)
    return total / len(predictions)


def _describe_teacher(path: Path, classifier: OnnxClassifier) -> dict[str, Any]:
    card = classifier.card
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": card.name, "parameters": card.parameters, "sha256": digest, "votes": bool(card.vote_labels)}


class _ProgressCount:
    """Progress over the predictions of all teachers; called by each predictor with its own count."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._finished = progress, total, 0

    def __call__(self, done: int, _: int) -> None:
        if self._progress:
            self._progress(self._finished + done, self._total)

    def finish(self, faces: int) -> None:
        """Add the predictions of a predictor that is finished."""
        self._finished += faces


def load_teachers(recipe: Recipe) -> Teachers | None:
    """The teachers of ``distillation.runs`` as one function; None where the recipe names none."""
    settings = recipe.distillation
    models = [_load_teacher(recipe.resolve_path(run), recipe) for run in settings.runs]
    return average_teachers(models, settings.temperature) if models else None


def average_teachers(models: Sequence[keras.Model], temperature: float) -> Teachers:
    """A function from faces to the mean of the softened predictions: scores, and votes where all have that head."""
    import keras
    from keras import ops

    def predict(faces: Any) -> Sequence[Any]:
        outputs = [keras.tree.flatten(model(faces, training=False)) for model in models]
        means = []
        for head in zip(*outputs, strict=False):  # as many heads as the teacher with the fewest has
            scores = [ops.softmax(logits / temperature) for logits in head]
            means.append(ops.stop_gradient(sum(scores[1:], scores[0]) / len(scores)))
        return means

    return predict


def _load_teacher(run: Path, student: Recipe) -> keras.Model:
    """The trained network of a finished run, frozen."""
    from mien.training import checkpoint, networks

    recipe = checkpoint.read_recipe(run)
    if recipe.data.classes != student.data.classes:
        happened = f"The teacher '{run.name}' has the classes {', '.join(recipe.data.classes)}"
        expected = f"{', '.join(student.data.classes)} were expected, in this order"
        raise ExperimentError(happened, expected, "Name another run")
    model = networks.build_recipe_network(recipe, "float32", finished=True)
    checkpoint.load_weights(run, model)
    model.trainable = False
    return model
