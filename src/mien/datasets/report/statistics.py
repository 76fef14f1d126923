"""What is counted and measured on labelled faces."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets import duplicates, label_order
from mien.datasets.checks import count_classes
from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, VOTE_CATEGORIES, FaceDataset
from mien.labels import EMOTIONS, VOTES

#: So many pairs of twins, and of near-twins, are shown.
MAX_PAIRS = 9


@dataclass(frozen=True)
class DuplicatePair:
    """Two faces by their places. ``likeness`` is 1 for the very same pixels."""

    one: int
    other: int
    likeness: float


@dataclass(frozen=True)
class DatasetStatistics:
    """``counts`` by split and class; ``weights`` by class, from the Training faces, 0 where there are none.

    ``brightness`` and ``contrast`` (N,) are the mean and the standard deviation of each face's pixels; ``means`` and
    ``spreads`` (K, 48, 48) the mean and the standard deviation of each class's faces, of all pixels in the first row.
    ``near`` counts the pairs that are nearly the same picture.
    """

    counts: dict[str, list[int]]
    weights: list[float]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    means: NDArray[np.float32]
    spreads: NDArray[np.float32]
    pairs: tuple[DuplicatePair, ...]
    near: int
    twins: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "class_weights": dict(zip(EMOTIONS, self.weights, strict=True)),
            "brightness": _spread(self.brightness),
            "contrast": _spread(self.contrast),
            "twins": self.twins,
            "near_twins": self.near,
            "pairs_shown": [asdict(pair) for pair in self.pairs],
        }


def measure_dataset(faces: FaceDataset) -> DatasetStatistics:
    found = count_classes(faces)
    flat = faces.pixels.reshape(len(faces), -1)
    groups, near = duplicates.find_exact_duplicates(faces.pixels), duplicates.find_near_duplicates(faces.pixels)
    means, spreads = _averaged(faces)
    return DatasetStatistics(
        found,
        class_weights(next(iter(found.values())) if TRAINING not in found else found[TRAINING]),
        flat.mean(1, dtype=np.float32),
        flat.std(1, dtype=np.float32),
        means,
        spreads,
        (*_twins(faces, groups), *_near(faces, near)),
        len(near),
        sum(len(group) - 1 for group in groups),
    )


def class_weights(row: list[int]) -> list[float]:
    """How much a face of each class counts, so that every class counts the same: all / (classes * its own)."""
    there = sum(count > 0 for count in row)
    return [round(sum(row) / (there * count), 4) if count else 0.0 for count in row]


def _averaged(faces: FaceDataset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of all faces, then of each class; gray where a class has none."""
    means, spreads = np.full((2, len(EMOTIONS) + 1, *faces.pixels.shape[1:]), 128, np.float32)
    for row in range(len(EMOTIONS) + 1):
        some = faces.pixels if row == 0 else faces.pixels[faces.labels == row - 1]
        if len(some):
            means[row], spreads[row] = some.mean(0, dtype=np.float32), some.std(0, dtype=np.float32)
    return means, spreads


def _twins(faces: FaceDataset, groups: list[NDArray[np.int64]]) -> list[DuplicatePair]:
    blank = faces.blank()
    return _chosen(
        faces, [DuplicatePair(int(group[0]), int(group[-1]), 1.0) for group in groups if not blank[group[0]]]
    )


def _near(faces: FaceDataset, near: duplicates.NearDuplicates) -> list[DuplicatePair]:
    found = zip(near.places.tolist(), near.likeness.tolist(), strict=True)
    return _chosen(faces, [DuplicatePair(one, other, min(round(alike, 4), 0.9999)) for (one, other), alike in found])


def _chosen(faces: FaceDataset, pairs: list[DuplicatePair]) -> list[DuplicatePair]:
    """The most telling: other labels before other splits, and no face twice."""
    shown: set[int] = set()
    chosen = []
    for pair in sorted(pairs, key=lambda pair: _telling(faces, pair)):
        if not shown & {pair.one, pair.other}:
            chosen.append(pair)
            shown |= {pair.one, pair.other}
    return chosen[:MAX_PAIRS]


def _telling(faces: FaceDataset, pair: DuplicatePair) -> tuple[bool, bool]:
    one, other = pair.one, pair.other
    return bool(faces.labels[one] == faces.labels[other]), bool(faces.usage[one] == faces.usage[other])


def _spread(values: NDArray[np.float32]) -> dict[str, float]:
    """Five numbers that say how values are spread."""
    low, first, middle, third, high = np.percentile(values, [1, 25, 50, 75, 99]).round(1).tolist()
    return {"1 %": low, "25 %": first, "50 %": middle, "75 %": third, "99 %": high}


# ==== mien.lab.eda.people
# Ten people looked at every face of FER2013. What did they say, and did it have to do with the label?

#: So many faces are shown on which people disagree, and on which they disagree with the label.
MAX_EXAMPLES = 12
#: So much of the voters must say the same for it to be said against a label.
MIN_MAJORITY = 0.8


@dataclass(frozen=True)
class VoteStatistics:
    """``answers`` (7, 10): of what people said of a class's faces, the part that was each of ANSWERS.

    ``agree`` (7,) is the part of each class's faces whose label was said more often than any other answer, ``overall``
    that of all; ``asked`` counts the faces with votes. ``torn`` are the faces people agree on least, ``contrary`` those
    on which they agree with each other and not with the label.
    """

    answers: NDArray[np.float64]
    agree: NDArray[np.float64]
    overall: float
    asked: int
    torn: tuple[int, ...]
    contrary: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        table = {
            label: dict(zip(VOTE_CATEGORIES, np.round(row, 4).tolist(), strict=True))
            for label, row in zip(EMOTIONS, self.answers, strict=True)
        }
        agree = dict(zip(EMOTIONS, np.round(self.agree, 4).tolist(), strict=True))
        shown = {"disagreed_on_most": list(self.torn), "against_the_label": list(self.contrary)}
        return {"asked": self.asked, "agree": round(self.overall, 4), "agree_by_class": agree, "said": table, **shown}


def measure_votes(faces: FaceDataset) -> VoteStatistics:
    """What people said of these faces, of which one at least must have votes."""
    voted = faces.votes.sum(1) > 0
    right = _most(faces)
    answers, agree = np.zeros((len(EMOTIONS), len(VOTE_CATEGORIES))), np.zeros(len(EMOTIONS))
    for label in range(len(EMOTIONS)):
        inside = voted & (faces.labels == label)
        answers[label] = faces.votes[inside].sum(0) / max(faces.votes[inside].sum(), 1)
        agree[label] = right[inside].mean() if inside.any() else 0.0
    overall = float(right[voted].mean())
    return VoteStatistics(answers, agree, overall, int(voted.sum()), _torn(faces), _contrary(faces))


def votes_of_face(faces: FaceDataset, place: int) -> dict[str, int]:
    """What was said of one face, most frequent first, without the answers that nobody gave."""
    counts = {answer: int(count) for answer, count in zip(VOTE_CATEGORIES, faces.votes[place], strict=True) if count}
    return dict(sorted(counts.items(), key=lambda each: -each[1]))


def _most(faces: FaceDataset) -> NDArray[np.bool_]:
    """Where the label got more votes than any other answer; a tie is no agreement."""
    own = faces.votes[np.arange(len(faces)), faces.labels]
    others = faces.votes.copy()
    others[np.arange(len(faces)), faces.labels] = 0
    return np.asarray(own > others.max(1))


def _torn(faces: FaceDataset) -> tuple[int, ...]:
    """The faces with the largest entropy among the voters who named an expression, eight of them or more."""
    counts = faces.votes[:, : len(VOTES)].astype(float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
    entropy[(counts.sum(1) < 8) | faces.blank()] = -1
    order = np.argsort(-entropy, kind="stable")[:MAX_EXAMPLES]
    return tuple(int(place) for place in order if entropy[place] > 0)


def _contrary(faces: FaceDataset) -> tuple[int, ...]:
    """Faces that nearly everybody calls the same, and that is not the label; in turn of the labels."""
    counts = faces.votes[:, : len(VOTES)]
    sure = counts.max(1) >= np.maximum(MIN_MAJORITY * faces.votes.sum(1), 1)
    places = np.flatnonzero(sure & (counts.argmax(1) != faces.labels))
    by_label = [places[faces.labels[places] == label] for label in range(len(EMOTIONS))]
    turns = [(turn, int(place)) for some in by_label for turn, place in enumerate(_surest(faces, some))]
    return tuple(place for _, place in sorted(turns, key=lambda each: each[0])[:MAX_EXAMPLES])


def _surest(faces: FaceDataset, places: NDArray[np.int64]) -> list[int]:
    share = faces.votes[places].max(1) / np.maximum(faces.votes[places].sum(1), 1)
    return places[np.argsort(-share, kind="stable")][:MAX_EXAMPLES].tolist()


# ==== mien.lab.eda.space
# Faces as points in space: 2304 numbers each, of which the two directions with the most variance make a map.

#: So many faces are put on the map, and so many directions are looked along.
MAX_MAPPED, AXES = 4000, 4
#: The principal directions are found on faces of this side: fine lines add time and no variance.
_SIDE = 24


#: So many faces the network looks at.
MAX_PREDICTED = 1200


@dataclass(frozen=True)
class PredictionMap:
    """Faces as a trained network sees them: ``places`` (M,), ``points`` (M, 2), ``labels`` (M,), and how often its
    answer is the label. ``usage`` is the split they are of.
    """

    places: NDArray[np.int64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    right: float
    usage: str


def map_predictions(faces: FaceDataset) -> PredictionMap:
    """The map of what the embedded model says, of test faces where there are any: it has learned Training by heart."""
    usage = next((each for each in (PUBLIC, PRIVATE) if (faces.usage == each).any()), TRAINING)
    there = np.flatnonzero((faces.usage == usage) & ~faces.blank())
    places = np.sort(np.random.default_rng(0).permutation(there)[:MAX_PREDICTED])
    if not len(places):
        return PredictionMap(places, np.zeros((0, 2)), faces.labels[places], 0.0, usage)
    shares = label_order.predict_scores(faces.pixels[places]).astype(np.float64)
    logs = np.log(np.maximum(shares, 1e-3))
    # The middle of the logarithms is no answer; what is left after it are the network's own directions.
    logs -= logs.mean(1, keepdims=True)
    points, _ = _principal(logs - logs.mean(0))
    right = float((shares.argmax(1) == faces.labels[places]).mean())
    return PredictionMap(places, points[:, :2], faces.labels[places], round(right, 4), usage)


@dataclass(frozen=True)
class PixelMap:
    """``places`` (M,) are the faces on the map and ``points`` (M, 2) where they stand, in standard deviations.

    ``labels`` (M,) are theirs; ``axes`` (4, 48, 48) and ``mean`` (48, 48) are faces without brightness and contrast,
    an axis being what one standard deviation along it adds; ``explained`` (4,) is each axis's part of the variance.
    ``nearest`` is how often the nearest mean face of Training has the label of a test face, and ``always`` how often
    the commonest label is right; None without both.
    """

    places: NDArray[np.int64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    axes: NDArray[np.float64]
    mean: NDArray[np.float64]
    explained: NDArray[np.float64]
    nearest: float | None
    always: float | None

    def to_dict(self) -> dict[str, Any]:
        told = {"faces": len(self.places), "explained": np.round(self.explained, 4).tolist()}
        return told | {"nearest_mean_accuracy": self.nearest, "commonest_label_accuracy": self.always}


def map_pixels(faces: FaceDataset) -> PixelMap:
    """The map of a random part of the faces, blank ones left out."""
    there = np.flatnonzero(~faces.blank())
    if len(there) <= AXES:
        there = np.arange(len(faces))
    places = np.sort(np.random.default_rng(0).permutation(there)[:MAX_MAPPED])
    rows = standardize(faces.pixels[places])
    mean = rows.mean(0)
    scores, explained = _principal(_small(rows - mean))
    axes = scores.T @ (rows - mean) / len(rows)
    nearest, always = _nearest_mean(faces)
    side = faces.pixels.shape[1:]
    return PixelMap(
        places,
        scores[:, :2],
        faces.labels[places],
        axes.reshape(-1, *side).astype(np.float64),
        mean.reshape(side).astype(np.float64),
        explained,
        nearest,
        always,
    )


def standardize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Faces as rows (N, 2304) of mean 0 and standard deviation 1: light and contrast are taken out."""
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    return (rows - rows.mean(1, keepdims=True)) / np.maximum(rows.std(1, keepdims=True), 1e-3)


def _small(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    side = int(np.sqrt(rows.shape[1]))
    faces = [cv2.resize(row.reshape(side, side), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for row in rows]
    return np.stack(faces).reshape(len(rows), -1).astype(np.float64)


def _principal(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where rows stand along the four widest directions, in deviations, and each direction's part of the variance."""
    variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    widest = np.argsort(-variances)[:AXES]
    # A direction has no sign of its own: let its largest part be positive, so that every run draws the same map.
    chosen = directions[:, widest]
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(0), np.arange(AXES)])
    scores = rows @ chosen / np.sqrt(np.maximum(variances[widest], 1e-12))
    return scores, variances[widest] / max(variances.sum(), 1e-12)


def _nearest_mean(faces: FaceDataset) -> tuple[float | None, float | None]:
    trained = faces.usage == TRAINING
    present = [label for label in range(len(EMOTIONS)) if (trained & (faces.labels == label)).any()]
    if trained.all() or len(present) < 2:
        return None, None
    means = np.stack([standardize(faces.pixels[trained & (faces.labels == label)]).mean(0) for label in present])
    asked = standardize(faces.pixels[~trained])
    # The nearest mean, without the square of the face, which is the same for all means.
    distance = (means**2).sum(1) - 2 * asked @ means.T
    right = np.array(present)[distance.argmin(1)] == faces.labels[~trained]
    commonest = np.bincount(faces.labels[trained]).argmax()
    return round(float(right.mean()), 4), round(float((faces.labels[~trained] == commonest).mean()), 4)
