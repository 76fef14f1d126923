"""Inference over many faces: batches with progress, test-time augmentation (mirror images, shifts), and latency."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import Progress
from mien.faces.crop import to_model_input
from mien.models import Classifier, ModelCard, load_classifier
from mien.models.classifier import Outputs

#: Passes over each face that ``predict_tta`` adds to the plain one.
TTA_PASSES = 9

#: Faces of a batch; progress is reported after each.
_BATCH = 128

#: Pixels of a shift.
_SHIFT = 2

Pixels = NDArray[np.uint8]
ScoreRows = NDArray[np.float32]


class BatchPredictor:
    """Runs a classifier on gray faces of any size; ``progress`` counts the faces of all passes, of ``total``."""

    def __init__(self, classifier: Classifier, progress: Progress | None = None, total: int = 0) -> None:
        self._classifier, self._progress, self._total, self._done = classifier, progress, total, 0

    def predict(self, pixels: Pixels, target: str = "label") -> tuple[ScoreRows, ScoreRows | None]:
        """Scores (N, K) of the target and, where the model has that head, votes of the faces uint8 (N, H, W)."""
        outputs = self.run(pixels)
        return outputs.target_scores(target), outputs.votes

    def run(self, pixels: Pixels) -> Outputs:
        """All outputs of the model for the faces uint8 (N, H, W)."""
        card = self._classifier.card
        batches = []
        for start in range(0, max(len(pixels), 1), _BATCH):
            crops = to_model_input(pixels[start : start + _BATCH], card.side, card.color)
            batches.append(self._classifier.run(crops))
            self._done += len(crops)
            if self._progress:
                self._progress(self._done, self._total)
        scores, *others = zip(*batches, strict=True)
        votes, label_scores = (None if parts[0] is None else np.concatenate(parts) for parts in others)
        return Outputs(np.concatenate(scores), votes, label_scores)


def predict_tta(predictor: BatchPredictor, pixels: Pixels, plain: ScoreRows) -> dict[str, ScoreRows]:
    """Mean scores over each face and its mirror image ("flip"), and over both and their shifts in four directions.

    ``plain`` are the scores of the faces without augmentation.
    """
    mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
    flipped = predictor.predict(mirrored)[0]
    shifted = [predictor.predict(view)[0] for each in (pixels, mirrored) for view in _shift_faces(each)]
    return {"flip": (plain + flipped) / 2, "flip and shifts": np.mean([plain, flipped, *shifted], axis=0)}


def augment_views(pixels: Pixels) -> Iterator[Pixels]:
    """The faces, their mirror images, and both shifted in four directions: ten arrays of the same shape."""
    for each in (pixels, np.ascontiguousarray(pixels[:, :, ::-1])):
        yield each
        yield from _shift_faces(each)


def _shift_faces(pixels: Pixels) -> Iterator[Pixels]:
    """The faces shifted up, down, left and right; border pixels are repeated."""
    height, width = pixels.shape[1:3]
    padded = np.pad(pixels, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT)), mode="edge")
    for down, across in ((0, 1), (2, 1), (1, 0), (1, 2)):
        top, left = down * _SHIFT, across * _SHIFT
        yield padded[:, top : top + height, left : left + width]


#: Timed runs, and runs before them that warm up.
_TIMED, _WARM = 60, 5


def model_facts(path: Path) -> dict[str, Any]:
    """The facts of an ONNX file for ``metrics.json``; ``milliseconds`` is measured now."""
    card = ModelCard.read(path)
    return {
        "name": card.name,
        "file": path.name,
        "megabytes": path.stat().st_size / 1e6,
        "parameters": card.parameters,
        "multiply_adds": card.multiply_adds,
        "milliseconds": measure_latency(path),
        "recipe": dict(card.recipe) if isinstance(card.recipe, Mapping) else card.recipe,
    }


def measure_latency(path: Path) -> float:
    """The median time of single faces on one core, in milliseconds."""
    classifier = load_classifier(path, threads=1)
    card = classifier.card
    face = np.random.default_rng(0).integers(0, 256, (1, card.side, card.side, card.channels), np.uint8)
    times = []
    for _ in range(_WARM + _TIMED):
        start = time.perf_counter()
        classifier.run(face)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[_WARM:])
