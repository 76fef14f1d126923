"""From several large teachers to one small file of soft targets, and to the nets that learn from it.

Teachers are asked about the faces that a recipe learns from, and about no others: what is held out, PublicTest and
PrivateTest never become targets. How right the teachers are together is told of the faces that were held out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import TRAINING, FaceDataset
from mien.datasets.splits import split_training_validation
from mien.errors import ExperimentError
from mien.evaluation.evaluate import fingerprint_faces
from mien.evaluation.inference import BatchPredictor, Progress, augment_views
from mien.evaluation.metrics import accuracy, calibration_error
from mien.labels import VOTES, normalize_label
from mien.models import OnnxClassifier, load_classifier
from mien.training.recipe import Recipe
from mien.training.schedule import adapt_validation
from mien.training.targets import SoftTargets, soften

#: Looks at each face: itself and its mirror image, where they are and moved four ways.
AUGMENTED_VIEWS = 10


@dataclass(frozen=True)
class DistillationResult:
    """The targets, and how right the teachers are ``together`` on the held-out faces; None where there are none."""

    taught: SoftTargets
    together: dict[str, Any] | None


def distill(
    teachers: Sequence[Path],
    faces: FaceDataset,
    recipe: Recipe,
    *,
    temperature: float = 1.0,
    many: bool = True,
    progress: Progress | None = None,
) -> DistillationResult:
    """Mean answers of the teachers (ONNX files) about the faces that ``recipe`` learns from.

    ``many``: over ten looks at each face, else over one. ``temperature`` softens each answer before the mean.
    """
    classifiers = [load_classifier(path) for path in teachers]
    classes = _classes(classifiers, recipe)
    recipe = adapt_validation(recipe, faces)  # as training will do
    learned, kept = split_training_validation(recipe.data, faces)
    if not len(learned):
        raise ExperimentError(f"The data has no {TRAINING} faces to teach", "at least one was expected", "Name other data")
    assert set(learned.usage) == {TRAINING}, "targets of a test split would be training on it"
    counted = _Counted(progress, len(classifiers) * (len(learned) + len(kept)) * (AUGMENTED_VIEWS if many else 1))
    shares, votes = _said(classifiers, learned.pixels, temperature, many, counted)
    facts = {
        "classes": list(classes),
        "vote_classes": [] if votes is None else list(VOTES),
        "teachers": [_fact(path, each) for path, each in zip(teachers, classifiers, strict=True)],
        "looks": AUGMENTED_VIEWS if many else 1,
        "temperature": temperature,
        "faces": len(learned),
        "held_out": len(kept),
        "fingerprint": fingerprint_faces(learned),
    }
    together = None
    if len(kept):
        answers, _ = _said(classifiers, kept.pixels, 1.0, many, counted)
        together = {
            "faces": len(kept),
            "accuracy": accuracy(answers, kept.labels),
            "ece": calibration_error(answers, kept.labels),
            "accuracy_on_taught": accuracy(shares, learned.labels),
        }
        facts["together"] = {key: round(value, 4) for key, value in together.items()}
    return DistillationResult(SoftTargets.of(learned.pixels, shares, votes, facts), together)


def _classes(classifiers: Sequence[OnnxClassifier], recipe: Recipe) -> tuple[str, ...]:
    for each in classifiers:
        labels = tuple(normalize_label(label) for label in each.card.labels)
        if labels != recipe.data.classes:
            raise ExperimentError(
                f"The teacher '{each.card.name}' knows {', '.join(labels)}",
                f"the recipe's {', '.join(recipe.data.classes)} were expected, in this order",
                "Name teachers of the same classes",
            )
    if not classifiers:
        raise ExperimentError("There is no teacher", "at least one run or ONNX file was expected")
    return recipe.data.classes


def _said(
    classifiers: Sequence[OnnxClassifier],
    pixels: NDArray[np.uint8],
    temperature: float,
    many: bool,
    counted: _Counted,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Mean shares, and mean votes of the teachers that have them; None where none has."""
    sums: dict[str, list[NDArray[np.float32]]] = {"shares": [], "votes": []}
    for classifier in classifiers:
        passes = BatchPredictor(classifier, counted)
        heard = [passes.over(look) for look in (augment_views(pixels) if many else [pixels])]
        counted.next(len(pixels) * len(heard))
        sums["shares"].append(_mean([shares for shares, _ in heard], temperature))
        if classifier.card.vote_labels == VOTES:
            sums["votes"].append(_mean([votes for _, votes in heard if votes is not None], temperature))
    shares, votes = (np.mean(each, axis=0, dtype=np.float32) if each else None for each in sums.values())
    assert shares is not None, "every teacher has shares"
    return shares, votes


def _mean(answers: Sequence[NDArray[np.float32]], temperature: float) -> NDArray[np.float32]:
    total = np.zeros(answers[0].shape, np.float32)
    for each in answers:
        total += soften(each, temperature)
    return total / len(answers)


def _fact(path: Path, classifier: OnnxClassifier) -> dict[str, Any]:
    card = classifier.card
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": card.name, "parameters": card.parameters, "sha256": digest, "votes": bool(card.vote_labels)}


class _Counted:
    """One count over all teachers and all looks."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._before = progress, total, 0

    def __call__(self, done: int, _: int) -> None:
        if self._progress:
            self._progress(self._before + done, self._total)

    def next(self, faces: int) -> None:
        self._before += faces
