"""Faces as points in space: 2304 numbers each, of which the two directions with the most variance make a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.lab import order
from mien.lab.data import PRIVATE, PUBLIC, TRAINING, Faces
from mien.labels import EMOTIONS

#: So many faces are put on the map, and so many directions are looked along.
MAPPED, AXES = 4000, 4
#: The principal directions are found on faces of this side: fine lines add time and no variance.
_SIDE = 24


#: So many faces the network looks at.
SEEN = 1200


@dataclass(frozen=True)
class Sight:
    """Faces as a trained network sees them: ``places`` (M,), ``points`` (M, 2), ``labels`` (M,), and how often its
    answer is the label. ``usage`` is the split they are of.
    """

    places: NDArray[np.int64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    right: float
    usage: str


def seen(faces: Faces) -> Sight:
    """The map of what the embedded model says, of test faces where there are any: it has learned Training by heart."""
    usage = next((each for each in (PUBLIC, PRIVATE) if (faces.usage == each).any()), TRAINING)
    there = np.flatnonzero((faces.usage == usage) & ~faces.blank())
    places = np.sort(np.random.default_rng(0).permutation(there)[:SEEN])
    if not len(places):
        return Sight(places, np.zeros((0, 2)), faces.labels[places], 0.0, usage)
    shares = order.shares(faces.pixels[places]).astype(np.float64)
    logs = np.log(np.maximum(shares, 1e-3))
    # The middle of the logarithms is no answer; what is left after it are the network's own directions.
    logs -= logs.mean(1, keepdims=True)
    points, _ = _principal(logs - logs.mean(0))
    right = float((shares.argmax(1) == faces.labels[places]).mean())
    return Sight(places, points[:, :2], faces.labels[places], round(right, 4), usage)


@dataclass(frozen=True)
class Space:
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


def mapped(faces: Faces) -> Space:
    """The map of a random part of the faces, blank ones left out."""
    there = np.flatnonzero(~faces.blank())
    if len(there) <= AXES:
        there = np.arange(len(faces))
    places = np.sort(np.random.default_rng(0).permutation(there)[:MAPPED])
    rows = level(faces.pixels[places])
    mean = rows.mean(0)
    scores, explained = _principal(_small(rows - mean))
    axes = scores.T @ (rows - mean) / len(rows)
    nearest, always = _nearest_mean(faces)
    side = faces.pixels.shape[1:]
    return Space(
        places,
        scores[:, :2],
        faces.labels[places],
        axes.reshape(-1, *side).astype(np.float64),
        mean.reshape(side).astype(np.float64),
        explained,
        nearest,
        always,
    )


def level(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
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


def _nearest_mean(faces: Faces) -> tuple[float | None, float | None]:
    trained = faces.usage == TRAINING
    present = [label for label in range(len(EMOTIONS)) if (trained & (faces.labels == label)).any()]
    if trained.all() or len(present) < 2:
        return None, None
    means = np.stack([level(faces.pixels[trained & (faces.labels == label)]).mean(0) for label in present])
    asked = level(faces.pixels[~trained])
    # The nearest mean, without the square of the face, which is the same for all means.
    distance = (means**2).sum(1) - 2 * asked @ means.T
    right = np.array(present)[distance.argmin(1)] == faces.labels[~trained]
    commonest = np.bincount(faces.labels[trained]).argmax()
    return round(float(right.mean()), 4), round(float((faces.labels[~trained] == commonest).mean()), 4)
