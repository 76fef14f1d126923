"""Statistics of labelled faces: classes, brightness, duplicates, annotator votes, and projections of the pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets import duplicates
from mien.datasets.checks import CheckResult, Predict, count_classes, predict_scores
from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, VOTE_CATEGORIES, FaceDataset, LoadedDataset
from mien.labels import EMOTIONS, VOTES

#: The most pairs of duplicates, and of near duplicates, in a report.
MAX_PAIRS = 9
#: The most faces without agreement among annotators, and of faces with a majority against the label, in a report.
MAX_EXAMPLES = 12
#: The fraction of the annotators that is a clear majority, and the fewest votes for which agreement is measured.
MIN_MAJORITY, MIN_VOTES = 0.8, 8
#: The most faces whose pixels are projected, and the number of principal components.
MAX_MAPPED, COMPONENTS = 4000, 4
#: The most faces that the embedded model predicts.
MAX_PREDICTED = 1200
#: Principal components are computed on faces of this size: finer detail adds time and little variance.
_PCA_SIDE = 24


@dataclass(frozen=True)
class DuplicatePair:
    """The indices of two faces. ``similarity`` is 1 for the same pixels."""

    first: int
    second: int
    similarity: float


@dataclass(frozen=True)
class DatasetStatistics:
    """``counts`` by split and class; ``weights`` by class, from the Training faces, 0 for a class without faces.

    ``brightness`` and ``contrast`` (N,) are the mean and the standard deviation of each face's pixels; ``means`` and
    ``deviations`` (K + 1, 48, 48) the mean and the standard deviation of all faces, then of each class.
    ``duplicates`` counts the faces that repeat another one, ``near_duplicates`` the pairs of nearly the same image.
    """

    counts: dict[str, list[int]]
    weights: list[float]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]
    pairs: tuple[DuplicatePair, ...]
    near_duplicates: int
    duplicates: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "class_weights": dict(zip(EMOTIONS, self.weights, strict=True)),
            "brightness": _percentiles(self.brightness),
            "contrast": _percentiles(self.contrast),
            "duplicates": self.duplicates,
            "near_duplicates": self.near_duplicates,
            "duplicate_examples": [asdict(pair) for pair in self.pairs],
        }


@dataclass(frozen=True)
class VoteStatistics:
    """``fractions`` (7, 10): the part of the votes for each class's faces that was for each of VOTE_CATEGORIES.

    ``agreement`` is the part of the ``faces`` with votes whose label has more votes than any other category, and
    ``class_agreement`` (7,) that of each class. ``ambiguous`` are the faces with the least agreement among annotators,
    ``contradicting`` those with a clear majority against the label.
    """

    fractions: NDArray[np.float64]
    class_agreement: NDArray[np.float64]
    agreement: float
    faces: int
    ambiguous: tuple[int, ...]
    contradicting: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        rows = zip(EMOTIONS, self.fractions.round(4).tolist(), strict=True)
        return {
            "faces": self.faces,
            "agreement": round(self.agreement, 4),
            "agreement_by_class": dict(zip(EMOTIONS, self.class_agreement.round(4).tolist(), strict=True)),
            "votes_by_class": {label: dict(zip(VOTE_CATEGORIES, row, strict=True)) for label, row in rows},
            "ambiguous": list(self.ambiguous),
            "contradicting": list(self.contradicting),
        }


@dataclass(frozen=True)
class PredictionMap:
    """Principal components of a model's predictions: ``points`` (M, 2) of the faces ``indices`` (M,).

    ``labels`` (M,) are the labels of these faces, ``accuracy`` is that of the model on them, ``usage`` their split.
    """

    indices: NDArray[np.int64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    accuracy: float
    usage: str


@dataclass(frozen=True)
class PixelMap:
    """Principal components of the pixels: ``points`` (M, 2) of the faces ``indices`` (M,), in standard deviations.

    ``labels`` (M,) are the labels of these faces; ``axes`` (4, 48, 48) and ``mean`` (48, 48) are faces without
    brightness and contrast, an axis being one standard deviation along it; ``explained`` (4,) is each axis's part of
    the variance. ``nearest_mean`` is the accuracy of the nearest mean face of Training on the other splits, and
    ``majority_class`` that of always the largest class; None without both Training and test faces.
    """

    indices: NDArray[np.int64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    axes: NDArray[np.float64]
    mean: NDArray[np.float64]
    explained: NDArray[np.float64]
    nearest_mean: float | None
    majority_class: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "faces": len(self.indices),
            "explained": self.explained.round(4).tolist(),
            "nearest_mean_accuracy": self.nearest_mean,
            "majority_class_accuracy": self.majority_class,
        }


@dataclass(frozen=True)
class DatasetReport:
    """Everything that is measured on a data set. ``votes`` is None without annotator votes."""

    checked: CheckResult
    statistics: DatasetStatistics
    votes: VoteStatistics | None
    pixel_map: PixelMap
    prediction_map: PredictionMap

    @property
    def loaded(self) -> LoadedDataset:
        return self.checked.loaded

    def to_dict(self) -> dict[str, Any]:
        predictions = self.prediction_map
        return {
            **self.checked.to_dict(),
            **self.statistics.to_dict(),
            "pca": self.pixel_map.to_dict(),
            "embedded_model": {
                "split": predictions.usage,
                "faces": len(predictions.indices),
                "accuracy": predictions.accuracy,
            },
            **({} if self.votes is None else {"votes": self.votes.to_dict()}),
        }


def measure_dataset(faces: FaceDataset) -> DatasetStatistics:
    counts = count_classes(faces)
    flat = faces.pixels.reshape(len(faces), -1)
    groups, near = duplicates.find_exact_duplicates(faces.pixels), duplicates.find_near_duplicates(faces.pixels)
    means, deviations = _class_means(faces)
    blank = faces.blank()
    exact_pairs = [DuplicatePair(int(group[0]), int(group[-1]), 1.0) for group in groups if not blank[group[0]]]
    near_pairs = [
        DuplicatePair(first, second, min(round(similarity, 4), 0.9999))
        for (first, second), similarity in zip(near.indices.tolist(), near.similarity.tolist(), strict=True)
    ]
    return DatasetStatistics(
        counts,
        class_weights(counts.get(TRAINING) or next(iter(counts.values()))),
        flat.mean(1, dtype=np.float32),
        flat.std(1, dtype=np.float32),
        means,
        deviations,
        (*_select_pairs(faces, exact_pairs), *_select_pairs(faces, near_pairs)),
        len(near),
        sum(len(group) - 1 for group in groups),
    )


def class_weights(counts: list[int]) -> list[float]:
    """The weight of a face of each class that makes all classes equal: all faces / (classes * faces of the class)."""
    classes = sum(count > 0 for count in counts)
    return [round(sum(counts) / (classes * count), 4) if count else 0.0 for count in counts]


def _class_means(faces: FaceDataset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of all faces, then of each class; gray where a class has none."""
    means, deviations = np.full((2, len(EMOTIONS) + 1, *faces.pixels.shape[1:]), 128, np.float32)
    for row in range(len(EMOTIONS) + 1):
        pixels = faces.pixels if row == 0 else faces.pixels[faces.labels == row - 1]
        if len(pixels):
            means[row], deviations[row] = pixels.mean(0, dtype=np.float32), pixels.std(0, dtype=np.float32)
    return means, deviations


def _select_pairs(faces: FaceDataset, pairs: list[DuplicatePair]) -> list[DuplicatePair]:
    """Some pairs, those with different labels first, then those across splits, each face once."""

    def order(pair: DuplicatePair) -> tuple[bool, bool]:
        first, second = pair.first, pair.second
        same_label = bool(faces.labels[first] == faces.labels[second])
        return same_label, bool(faces.usage[first] == faces.usage[second])

    used: set[int] = set()
    selected = []
    for pair in sorted(pairs, key=order):
        if not used & {pair.first, pair.second}:
            selected.append(pair)
            used |= {pair.first, pair.second}
    return selected[:MAX_PAIRS]


def _percentiles(values: NDArray[np.float32]) -> dict[str, float]:
    percents = (1, 25, 50, 75, 99)
    values = np.percentile(values, percents).round(1)
    return {f"{percent} %": value for percent, value in zip(percents, values.tolist(), strict=True)}


def measure_votes(faces: FaceDataset) -> VoteStatistics:
    """The votes of these faces, of which one at least must have votes."""
    has_votes = faces.votes.sum(1) > 0
    agrees = _label_has_majority(faces)
    fractions, agreement = np.zeros((len(EMOTIONS), len(VOTE_CATEGORIES))), np.zeros(len(EMOTIONS))
    for label in range(len(EMOTIONS)):
        inside = has_votes & (faces.labels == label)
        fractions[label] = faces.votes[inside].sum(0) / max(faces.votes[inside].sum(), 1)
        agreement[label] = agrees[inside].mean() if inside.any() else 0.0
    overall, count = float(agrees[has_votes].mean()), int(has_votes.sum())
    return VoteStatistics(fractions, agreement, overall, count, _find_ambiguous(faces), _find_contradicting(faces))


def _label_has_majority(faces: FaceDataset) -> NDArray[np.bool_]:
    """Mask (N,): the label has more votes than any other category; a tie is no agreement."""
    indices = np.arange(len(faces))
    others = faces.votes.copy()
    others[indices, faces.labels] = 0
    return np.asarray(faces.votes[indices, faces.labels] > others.max(1))


def _find_ambiguous(faces: FaceDataset) -> tuple[int, ...]:
    """The faces with the largest entropy of the votes for an expression, eight votes or more."""
    counts = faces.votes[:, : len(VOTES)].astype(float)
    scores = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    entropy = -(scores * np.log(np.where(scores > 0, scores, 1))).sum(1)
    entropy[(counts.sum(1) < MIN_VOTES) | faces.blank()] = -1
    order = np.argsort(-entropy, kind="stable")[:MAX_EXAMPLES]
    return tuple(int(index) for index in order if entropy[index] > 0)


def _find_contradicting(faces: FaceDataset) -> tuple[int, ...]:
    """Faces with a clear majority for another expression than the label, the clearest of each label in turn."""
    counts, total = faces.votes[:, : len(VOTES)], faces.votes.sum(1)
    majority = counts.max(1) >= np.maximum(MIN_MAJORITY * total, 1)
    indices = np.flatnonzero(majority & (counts.argmax(1) != faces.labels))
    turns: list[tuple[int, int]] = []
    for label in range(len(EMOTIONS)):
        inside = indices[faces.labels[indices] == label]
        part = faces.votes[inside].max(1) / np.maximum(total[inside], 1)
        turns += enumerate(inside[np.argsort(-part, kind="stable")][:MAX_EXAMPLES].tolist())
    return tuple(index for _, index in sorted(turns, key=lambda each: each[0])[:MAX_EXAMPLES])


def map_predictions(faces: FaceDataset, predict: Predict = predict_scores) -> PredictionMap:
    """Principal components of the log-probabilities of the embedded model, which was trained on the Training faces.

    Test faces are used where there are any.
    """
    usage = next((each for each in (PUBLIC, PRIVATE) if (faces.usage == each).any()), TRAINING)
    inside = np.flatnonzero((faces.usage == usage) & ~faces.blank())
    indices = np.sort(np.random.default_rng(0).permutation(inside)[:MAX_PREDICTED])
    if not len(indices):
        return PredictionMap(indices, np.zeros((0, 2)), faces.labels[indices], 0.0, usage)
    scores = predict(faces.pixels[indices]).astype(np.float64)
    logits = np.log(np.maximum(scores, 1e-3))
    # The mean over the labels carries no prediction.
    logits -= logits.mean(1, keepdims=True)
    points, _ = _principal_components(logits - logits.mean(0))
    accuracy = float((scores.argmax(1) == faces.labels[indices]).mean())
    return PredictionMap(indices, points[:, :2], faces.labels[indices], round(accuracy, 4), usage)


def map_pixels(faces: FaceDataset) -> PixelMap:
    """Principal components of a random sample of the faces without the blank ones."""
    inside = np.flatnonzero(~faces.blank())
    if len(inside) <= COMPONENTS:
        inside = np.arange(len(faces))
    indices = np.sort(np.random.default_rng(0).permutation(inside)[:MAX_MAPPED])
    rows = standardize(faces.pixels[indices])
    mean = rows.mean(0)
    shape = faces.pixels.shape[1:]
    small = [
        cv2.resize(row.reshape(shape), (_PCA_SIDE, _PCA_SIDE), interpolation=cv2.INTER_AREA) for row in rows - mean
    ]
    points, explained = _principal_components(np.stack(small).reshape(len(rows), -1).astype(np.float64))
    axes = points.T @ (rows - mean) / len(rows)
    nearest_mean, majority_class = _baseline_accuracies(faces)
    return PixelMap(
        indices,
        points[:, :2],
        faces.labels[indices],
        axes.reshape(-1, *shape).astype(np.float64),
        mean.reshape(shape).astype(np.float64),
        explained,
        nearest_mean,
        majority_class,
    )


def standardize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Faces as rows (N, 2304) of mean 0 and standard deviation 1: without brightness and contrast."""
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    return np.asarray((rows - rows.mean(1, keepdims=True)) / np.maximum(rows.std(1, keepdims=True), 1e-3))


def _principal_components(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of the rows along the first four components, in standard deviations, and the variance explained."""
    variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    largest = np.argsort(-variances)[:COMPONENTS]
    # The sign of a component is arbitrary: its largest entry is made positive, so that every run gives the same map.
    components = directions[:, largest]
    components = components * np.sign(components[np.abs(components).argmax(0), np.arange(COMPONENTS)])
    points = rows @ components / np.sqrt(np.maximum(variances[largest], 1e-12))
    return points, variances[largest] / max(variances.sum(), 1e-12)


def _baseline_accuracies(faces: FaceDataset) -> tuple[float | None, float | None]:
    """The accuracies of the nearest mean face and of the largest class."""
    training = faces.usage == TRAINING
    labels = [label for label in range(len(EMOTIONS)) if (training & (faces.labels == label)).any()]
    if training.all() or len(labels) < 2:
        return None, None
    means = np.stack([standardize(faces.pixels[training & (faces.labels == label)]).mean(0) for label in labels])
    # The squared distance without the square of the face, which is the same for all means.
    distance = (means**2).sum(1) - 2 * standardize(faces.pixels[~training]) @ means.T
    correct = np.array(labels)[distance.argmin(1)] == faces.labels[~training]
    largest = np.bincount(faces.labels[training]).argmax()
    return round(float(correct.mean()), 4), round(float((faces.labels[~training] == largest).mean()), 4)
