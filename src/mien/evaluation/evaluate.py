"""Evaluation of one model on one split of the data: its predictions and their metrics.

The temperature behind ``ece_calibrated`` is fitted on validation faces that are not among those that are reported.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien._version import __version__
from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, FaceDataset, Progress
from mien.datasets.splits import DataSettings, mask_without_duplicates, select_validation
from mien.errors import ExperimentError
from mien.evaluation import calibration
from mien.evaluation.inference import TTA_PASSES, BatchPredictor, model_facts, predict_tta
from mien.evaluation.metrics import (
    Mask,
    Scores,
    accuracy,
    calibration_error,
    chance_accuracy,
    classification_metrics,
    compare_with_majority,
    confusion_matrix,
    log_loss,
    people_metrics,
    vote_metrics,
)
from mien.labels import VOTES, normalize_label
from mien.models import Classifier, ModelCard, load_classifier
from mien.models.decision import divide_by_prior

#: FER2013's name of each split of the command line. Validation faces are a part of Training.
SPLITS = {"public": PUBLIC, "private": PRIVATE, "validation": TRAINING}

#: The settings of a recipe that select the validation faces.
_VALIDATION_SETTINGS = ("validation", "folds", "fold", "group")

#: The key of a card's scores with the fingerprint of the validation faces.
VALIDATION_FINGERPRINT = "validation_fingerprint"


@dataclass(frozen=True)
class Predictions:
    """The predictions of a model on the N faces of one split.

    ``faces`` are labelled along the card's labels; ``indices`` (N,) are their positions in the data; ``unique`` are
    those without a duplicate in another split; ``excluded`` counts faces of classes that the model does not have.
    ``scores`` are those of the target ``label``, ``people_scores`` those of the target ``people``. ``calibrated`` are
    the scores at the ``temperature`` that was fitted on ``validation_faces`` other faces, None without them. ``tta``
    has the mean scores of several passes by the name of the augmentation.
    """

    card: ModelCard
    split: str
    faces: FaceDataset
    indices: NDArray[np.int64]
    unique: Mask
    excluded: Mapping[str, int]
    scores: NDArray[np.float32]
    people_scores: NDArray[np.float32]
    votes: NDArray[np.float32] | None
    calibrated: Scores | None
    temperature: float | None
    validation_faces: int
    tta: Mapping[str, NDArray[np.float32]]


def evaluate_classifier(classifier: Classifier, faces: FaceDataset, split: str = PUBLIC) -> dict[str, Any]:
    """All metrics of one model on one of FER2013's splits, one pass per face."""
    faces = faces.only(_data_labels(classifier.card, faces))
    selected = faces.split(split)
    outputs = BatchPredictor(classifier).run(selected.pixels)
    scores = outputs.target_scores("label")
    unique = mask_without_duplicates(faces, split)
    return {
        "split": split,
        "faces": len(selected),
        **classification_metrics(scores, selected.labels, selected.classes),
        **_metrics_without_duplicates(scores, selected, unique),
        **_vote_metrics(classifier.card, outputs.votes, selected),
        **people_metrics(outputs.scores, selected, _even_scores(classifier.card, outputs.scores)),
    }


def evaluate_file(
    model: Path,
    faces: FaceDataset,
    split: str = "public",
    *,
    tta: bool = True,
    progress: Progress | None = None,
) -> tuple[Predictions, dict[str, Any]]:
    """The predictions of an ONNX file, and everything in ``metrics.json``: facts about the file and all metrics."""
    predictions = predict_split(load_classifier(model), faces, split, tta=tta, progress=progress)
    return predictions, {"mien": __version__, "model": model_facts(model), **compute_metrics(predictions)}


def predict_split(
    classifier: Classifier,
    faces: FaceDataset,
    split: str = "public",
    *,
    tta: bool = True,
    progress: Progress | None = None,
) -> Predictions:
    """One pass over the faces of ``split`` (a key of SPLITS) and the validation faces, nine more with ``tta``."""
    labels = _data_labels(classifier.card, faces)
    usable = np.flatnonzero(np.isin(faces.labels, [faces.classes.index(label) for label in labels]))
    labelled = faces.only(labels)
    validation = _validation_mask(classifier.card, labelled)
    on_validation = split == "validation"
    mask = validation if on_validation else labelled.usage == SPLITS[split]
    selected = _select_split(labelled, mask, split)
    others = labelled.take(np.zeros(len(labelled), bool) if on_validation else validation)
    predictor = BatchPredictor(classifier, progress, len(selected) * (1 + tta * TTA_PASSES) + len(others))
    outputs = predictor.run(selected.pixels)
    scores = outputs.target_scores("label")
    calibrated, temperature = (
        _cross_calibrate(scores, selected.labels)
        if on_validation
        else _calibrate(scores, predictor.predict(others.pixels)[0], others.labels)
    )
    return Predictions(
        card=classifier.card,
        split=split,
        faces=selected,
        indices=usable[mask],
        unique=np.ones(len(selected), bool) if on_validation else mask_without_duplicates(labelled, SPLITS[split]),
        excluded={} if on_validation else _count_excluded(faces, labels, SPLITS[split]),
        scores=scores,
        people_scores=outputs.scores,
        votes=outputs.votes,
        calibrated=calibrated,
        temperature=temperature,
        validation_faces=int(validation.sum()),
        tta=predict_tta(predictor, selected.pixels, scores) if tta else {},
    )


def compute_metrics(predictions: Predictions) -> dict[str, Any]:
    """All metrics of these predictions as plain numbers; None where the data does not allow one."""
    labels, scores = predictions.faces.labels, predictions.scores
    on_validation = predictions.split == "validation"
    calibrated = None if predictions.calibrated is None else calibration_error(predictions.calibrated, labels)
    return {
        "split": predictions.split,
        "faces": len(labels),
        "labels": list(predictions.card.labels),
        "excluded": dict(predictions.excluded),
        "fingerprint": fingerprint_faces(predictions.faces),
        "synthetic": predictions.faces.synthetic,
        **(table := classification_metrics(scores, labels, predictions.card.labels)),
        "chance": chance_accuracy({name: row["support"] for name, row in table["per_class"].items()}),
        **_metrics_without_duplicates(scores, predictions.faces, predictions.unique),
        "ece_calibrated": calibrated,
        "calibration": {
            "temperature": predictions.temperature,
            "faces": predictions.validation_faces,
            "on": "the other half of validation" if on_validation else "validation",
        },
        **_vote_metrics(predictions.card, predictions.votes, predictions.faces),
        **people_metrics(
            predictions.people_scores, predictions.faces, _even_scores(predictions.card, predictions.people_scores)
        ),
        "confusion": confusion_matrix(scores, labels).tolist(),
        "mistakes": compare_with_majority(scores, predictions.faces),
        "tta": {
            name: {
                "accuracy": accuracy(mean_scores, labels),
                "nll": log_loss(mean_scores, labels),
                "ece": calibration_error(mean_scores, labels),
            }
            for name, mean_scores in predictions.tta.items()
        },
    }


def fingerprint_faces(faces: FaceDataset) -> str:
    """Sixteen hexadecimal digits, the same for the same faces with the same labels in any file."""
    digest = hashlib.sha256(np.ascontiguousarray(faces.pixels).tobytes())
    digest.update(" ".join(faces.classes[label] for label in faces.labels).encode())
    return digest.hexdigest()[:16]


def _data_labels(card: ModelCard, faces: FaceDataset) -> tuple[str, ...]:
    """The model's labels in the data's words; an ExperimentError where the data has no such class."""
    labels = tuple(normalize_label(label) for label in card.labels)
    unknown = [label for label in labels if label not in faces.classes]
    if unknown:
        raise ExperimentError(
            f"The model and the data have different labels: no face in the data is '{unknown[0]}'",
            f"the model has {', '.join(card.labels)}; the data has {', '.join(faces.classes)}",
            "Name another model, or data with its labels",
        )
    return labels


def _select_split(faces: FaceDataset, mask: Mask, split: str) -> FaceDataset:
    if split != "validation":
        return faces.split(SPLITS[split])
    if not mask.any():
        happened = "The data has none of the model's validation faces"
        raise ExperimentError(happened, "the complete data that it was trained on was expected", "Use --split public")
    return faces.take(mask)


def _validation_mask(card: ModelCard, faces: FaceDataset) -> Mask:
    """The validation faces by the model's own recipe; the same ones every time."""
    table = card.recipe.get("data") if isinstance(card.recipe, Mapping) else None
    defaults = {key: getattr(DataSettings(), key) for key in _VALIDATION_SETTINGS}
    values = table if isinstance(table, Mapping) else {}
    own = {key: values[key] for key, default in defaults.items() if type(values.get(key)) is type(default)}
    settings = replace(DataSettings(), **own)
    none = np.zeros(len(faces), bool)
    # Without the group column the validation faces cannot be selected again.
    if (settings.group and faces.groups is None) or not (settings.validation > 0 or settings.folds):
        return none
    mask = select_validation(settings, faces)
    # With other data, even a row more or less, other faces are selected, and the model was trained on some of them.
    return mask if card.metrics.get(VALIDATION_FINGERPRINT) in (None, fingerprint_faces(faces.take(mask))) else none


def _count_excluded(faces: FaceDataset, labels: tuple[str, ...], usage: str) -> dict[str, int]:
    counts = Counter(faces.classes[label] for label in faces.labels[faces.usage == usage])
    return {name: counts[name] for name in faces.classes if counts[name] and name not in labels}


def _calibrate(scores: Scores, others: Scores, labels: NDArray[np.int64]) -> tuple[Scores | None, float | None]:
    """The scores at the temperature fitted on the ``others``, and it; None without others."""
    if not len(others):
        return None, None
    temperature = calibration.fit_temperature(_to_logits(others), np.eye(others.shape[1])[labels])
    return calibration.softmax(_to_logits(scores) / temperature), temperature


def _cross_calibrate(scores: Scores, labels: NDArray[np.int64]) -> tuple[Scores | None, float | None]:
    """Each half at the temperature fitted on the other half; the temperature fitted on all is returned."""
    if len(scores) < 2:
        return None, None
    even = np.arange(len(scores)) % 2 == 0
    calibrated = np.empty(scores.shape)
    for half in (even, ~even):
        calibrated[half] = _calibrate(scores[half], scores[~half], labels[~half])[0]
    return calibrated, _calibrate(scores, scores, labels)[1]


def _to_logits(scores: Scores) -> Scores:
    return np.log(np.maximum(scores.astype(np.float64), 1e-12))


def _metrics_without_duplicates(scores: Scores, faces: FaceDataset, unique: Mask) -> dict[str, Any]:
    value = accuracy(scores[unique], faces.labels[unique]) if unique.any() else None
    return {"faces_no_duplicates": int(unique.sum()), "accuracy_no_duplicates": value}


def _even_scores(card: ModelCard, scores: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The scores of the target ``people`` with an even prior; None where the card has no class frequencies."""
    prior = card.decision.get("prior")
    return divide_by_prior(scores, card.labels, prior) if prior else None


def _vote_metrics(card: ModelCard, votes: NDArray[np.float32] | None, faces: FaceDataset) -> dict[str, Any]:
    return vote_metrics(votes, faces, card.mixture_above) if votes is not None and card.vote_labels == VOTES else {}
