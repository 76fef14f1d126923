"""One model on one split of the data: its answers, and the figures they come to.

The temperature behind ``ece_calibrated`` is fitted on faces that are never among those that are reported.
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
from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, FaceDataset
from mien.datasets.splits import DataSettings, mask_without_duplicates, select_validation
from mien.errors import ExperimentError
from mien.evaluation import calibration
from mien.evaluation.inference import TTA_PASSES, BatchPredictor, Progress, predict_tta
from mien.evaluation.latency import model_facts
from mien.evaluation.metrics import (
    Mask,
    Scores,
    accuracy,
    calibration_error,
    classification_metrics,
    compare_with_majority,
    confusion_matrix,
    log_loss,
    vote_metrics,
)
from mien.labels import VOTES, normalize_label
from mien.models import Classifier, ModelCard, load_classifier

#: What a split is called on the command line, and in the data. Validation is held out of Training.
SPLITS = {"public": PUBLIC, "private": PRIVATE, "validation": TRAINING}

#: The settings of a recipe that decide which Training faces are held out.
_DIVIDING = ("held_out", "folds", "fold", "group")

#: Under this word a card's scores have the fingerprint of the faces that were held out.
VALIDATION_FINGERPRINT = "held_out_fingerprint"


@dataclass(frozen=True)
class Predictions:
    """What a model said of the N faces of one split.

    ``faces`` are labelled along the card's labels; ``places`` is where each stands in the data; ``alone`` are those
    without a twin in another split; ``left_out`` counts faces of expressions that the model does not know.
    ``calibrated`` are the shares at the temperature that ``held_out`` other faces ask for; None where there are none.
    ``views`` holds the mean shares of several passes, by the name of the augmentation.
    """

    card: ModelCard
    split: str
    faces: FaceDataset
    places: NDArray[np.int64]
    alone: Mask
    left_out: Mapping[str, int]
    shares: NDArray[np.float32]
    votes: NDArray[np.float32] | None
    calibrated: Scores | None
    temperature: float | None
    held_out: int
    views: Mapping[str, NDArray[np.float32]]


def evaluate_classifier(classifier: Classifier, faces: FaceDataset, split: str = PUBLIC) -> dict[str, Any]:
    """Every figure of one model on one official split of the data, one forward pass a face."""
    faces = faces.only(_labels(classifier.card, faces))
    chosen = faces.split(split)
    shares, votes = BatchPredictor(classifier).over(chosen.pixels)
    alone = mask_without_duplicates(faces, split)
    return {
        "split": split,
        "faces": len(chosen),
        **classification_metrics(shares, chosen.labels, chosen.classes),
        **_twin_figures(shares, chosen, alone),
        **_vote_figures(classifier.card, votes, chosen),
    }


def evaluate_file(
    model: Path,
    faces: FaceDataset,
    split: str = "public",
    *,
    augmented: bool = True,
    progress: Progress | None = None,
) -> tuple[Predictions, dict[str, Any]]:
    """The answers of an ONNX file, and everything that goes into ``metrics.json``: its facts and its figures."""
    found = predict_split(load_classifier(model), faces, split, augmented=augmented, progress=progress)
    return found, {"mien": __version__, "model": model_facts(model), **compute_metrics(found)}


def predict_split(
    classifier: Classifier,
    faces: FaceDataset,
    split: str = "public",
    *,
    augmented: bool = True,
    progress: Progress | None = None,
) -> Predictions:
    """One pass over the faces of ``split`` (a word of SPLITS), one over those held out, and nine if ``augmented``."""
    known = _labels(classifier.card, faces)
    inside = np.flatnonzero(np.isin(faces.labels, [faces.classes.index(label) for label in known]))
    shown = faces.only(known)
    aside = _aside(classifier.card, shown)
    validates = split == "validation"
    mask = aside if validates else shown.usage == SPLITS[split]
    chosen = _some(shown, mask, split)
    others = shown.take(np.zeros(len(shown), bool) if validates else aside)
    passes = BatchPredictor(classifier, progress, len(chosen) * (1 + augmented * TTA_PASSES) + len(others))
    shares, votes = passes.over(chosen.pixels)
    calibrated, temperature = (
        _cross_fitted(shares, chosen.labels)
        if validates
        else _fitted(shares, passes.over(others.pixels)[0], others.labels)
    )
    return Predictions(
        card=classifier.card,
        split=split,
        faces=chosen,
        places=inside[mask],
        alone=np.ones(len(chosen), bool) if validates else mask_without_duplicates(shown, SPLITS[split]),
        left_out={} if validates else _left_out(faces, known, SPLITS[split]),
        shares=shares,
        votes=votes,
        calibrated=calibrated,
        temperature=temperature,
        held_out=int(aside.sum()),
        views=predict_tta(passes, chosen.pixels, shares) if augmented else {},
    )


def compute_metrics(found: Predictions) -> dict[str, Any]:
    """Every figure of these answers, as plain numbers; None where the data cannot tell."""
    labels, shares = found.faces.labels, found.shares
    return {
        "split": found.split,
        "faces": len(labels),
        "labels": list(found.card.labels),
        "left_out": dict(found.left_out),
        "fingerprint": fingerprint_faces(found.faces),
        **classification_metrics(shares, labels, found.card.labels),
        **_twin_figures(shares, found.faces, found.alone),
        **_calibration(found),
        **_vote_figures(found.card, found.votes, found.faces),
        "confusion": confusion_matrix(shares, labels).tolist(),
        "mistakes": compare_with_majority(shares, found.faces),
        "tta": {name: _short(view, labels) for name, view in found.views.items()},
    }


def fingerprint_faces(faces: FaceDataset) -> str:
    """The same sixteen letters for the same faces with the same labels, whatever file they came in."""
    digest = hashlib.sha256(np.ascontiguousarray(faces.pixels).tobytes())
    digest.update(" ".join(faces.classes[label] for label in faces.labels).encode())
    return digest.hexdigest()[:16]


def _labels(card: ModelCard, faces: FaceDataset) -> tuple[str, ...]:
    """The model's labels in the data's words; a LabError where the data has no such class."""
    labels = tuple(normalize_label(label) for label in card.labels)
    strange = [label for label in labels if label not in faces.classes]
    if strange:
        raise ExperimentError(
            f"The model and the data have different labels: no face in the data is '{strange[0]}'",
            f"the model knows {', '.join(card.labels)}; the data knows {', '.join(faces.classes)}",
            "Name another model, or data with its labels",
        )
    return labels


def _some(faces: FaceDataset, mask: Mask, split: str) -> FaceDataset:
    if split != "validation":
        return faces.split(SPLITS[split])
    if not mask.any():
        happened = "The data has no Training faces that the model held out"
        raise ExperimentError(happened, "the data that it learned from was expected, whole", "Choose --split public")
    return faces.take(mask)


def _aside(card: ModelCard, faces: FaceDataset) -> Mask:
    """The Training faces that the model's own recipe held out; they are the same ones every time."""
    table = card.recipe.get("data") if isinstance(card.recipe, Mapping) else None
    kinds = {key: type(getattr(DataSettings(), key)) for key in _DIVIDING}
    told = {key: table[key] for key in kinds if isinstance(table, Mapping) and type(table.get(key)) is kinds[key]}
    settings = replace(DataSettings(), **told)
    nobody = np.zeros(len(faces), bool)
    # Who is who stands in a column that was not read: then nobody can be said to be held out.
    if (settings.group and faces.groups is None) or not (settings.validation > 0 or settings.folds):
        return nobody
    found = select_validation(settings, faces)
    # Of other data, even a row more or less, others are held out, and some of these the model learned from.
    return found if card.scores.get(VALIDATION_FINGERPRINT) in (None, fingerprint_faces(faces.take(found))) else nobody


def _left_out(faces: FaceDataset, known: tuple[str, ...], usage: str) -> dict[str, int]:
    there = Counter(faces.classes[label] for label in faces.labels[faces.usage == usage])
    return {name: there[name] for name in faces.classes if there[name] and name not in known}


def _fitted(shares: Scores, others: Scores, labels: NDArray[np.int64]) -> tuple[Scores | None, float | None]:
    """The shares at the temperature that the ``others`` ask for, and it; nothing where there are no others."""
    if not len(others):
        return None, None
    temperature = calibration.fit_temperature(_logs(others), np.eye(others.shape[1])[labels])
    return calibration.softmax(_logs(shares) / temperature), temperature


def _cross_fitted(shares: Scores, labels: NDArray[np.int64]) -> tuple[Scores | None, float | None]:
    """Each half at the temperature of the other half; the temperature of all is told."""
    if len(shares) < 2:
        return None, None
    even = np.arange(len(shares)) % 2 == 0
    calibrated = np.empty(shares.shape)
    for half in (even, ~even):
        calibrated[half] = _fitted(shares[half], shares[~half], labels[~half])[0]
    return calibrated, _fitted(shares, shares, labels)[1]


def _logs(shares: Scores) -> Scores:
    return np.log(np.maximum(shares.astype(np.float64), 1e-12))


def _twin_figures(shares: Scores, chosen: FaceDataset, alone: Mask) -> dict[str, Any]:
    right = accuracy(shares[alone], chosen.labels[alone]) if alone.any() else None
    return {"faces_no_twins": int(alone.sum()), "accuracy_no_twins": right}


def _vote_figures(card: ModelCard, votes: NDArray[np.float32] | None, faces: FaceDataset) -> dict[str, Any]:
    return vote_metrics(votes, faces, card.mixture_above) if votes is not None and card.vote_labels == VOTES else {}


def _calibration(found: Predictions) -> dict[str, Any]:
    error = None if found.calibrated is None else calibration_error(found.calibrated, found.faces.labels)
    fitted = {"temperature": found.temperature, "faces": found.held_out, "on": "validation"}
    if found.split == "validation":
        fitted["on"] = "the other half of validation"
    return {"ece_calibrated": error, "calibration": fitted}


def _short(shares: Scores, labels: NDArray[np.int64]) -> dict[str, float]:
    return {
        "accuracy": accuracy(shares, labels),
        "nll": log_loss(shares, labels),
        "ece": calibration_error(shares, labels),
    }
