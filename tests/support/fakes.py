"""A detector and a classifier with predictable results, for the constructor of the engine."""

import threading
from dataclasses import dataclass, field

import numpy as np

from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard
from mien.models.classifier import Outputs
from mien.results import Box, Face


def fake_card(**facts) -> ModelCard:
    defaults = {"name": "fake", "labels": EMOTIONS, "vote_labels": VOTES, "side": 8, "uncertain_below": 0.0}
    return ModelCard(**{**defaults, **facts})


@dataclass
class FakeDetector:
    """Detects a face in each of ``boxes`` that is inside the image; ``min_faces`` records the argument of each call."""

    boxes: tuple[Box, ...] = (Box(0, 0, 8, 8),)
    name: str = "fake"
    min_faces: list[int | None] = field(default_factory=list)

    def detect(self, pixels, *, min_face=None):
        self.min_faces.append(min_face)
        height, width = pixels.shape[:2]
        return tuple(
            Face(box, 0.9) for box in self.boxes if box.x + box.width <= width and box.y + box.height <= height
        )


class FakeClassifier:
    """The scores depend on the mean of a crop: label i leads where the mean is nearest to i * 255 / (labels - 1).

    ``runs`` records the number of faces of each run.
    """

    def __init__(self, card: ModelCard | None = None) -> None:
        self.card = card or fake_card()
        self.runs: list[int] = []
        self._lock = threading.Lock()

    def run(self, faces):
        with self._lock:
            self.runs.append(len(faces))
        mean = faces.reshape(len(faces), -1).mean(axis=1) if len(faces) else np.zeros(0)
        votes = _peaked_scores(mean, len(self.card.vote_labels)) if self.card.vote_labels else None
        return Outputs(_peaked_scores(mean, len(self.card.labels)), votes)


def _peaked_scores(mean, count):
    peaks = np.linspace(0, 255, count)
    weights = np.exp(-(((mean[:, None] - peaks[None]) / 40) ** 2))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
