"""A detector and a classifier that do as they are told, passed through the engine's own seam."""

import threading
from dataclasses import dataclass, field

import numpy as np

from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard
from mien.models.classifier import Outputs
from mien.results import Box, Face


def fake_card(**facts) -> ModelCard:
    known = {"name": "fake", "labels": EMOTIONS, "vote_labels": VOTES, "side": 8, "uncertain_below": 0.0}
    return ModelCard(**{**known, **facts})


@dataclass
class FakeDetector:
    """Finds a face in each box it was given that fits the picture."""

    boxes: tuple[Box, ...] = (Box(0, 0, 8, 8),)
    name: str = "fake"
    asked: list[int | None] = field(default_factory=list)

    def detect(self, pixels, *, min_face=None):
        self.asked.append(min_face)
        height, width = pixels.shape[:2]
        return tuple(
            Face(box, 0.9) for box in self.boxes if box.x + box.width <= width and box.y + box.height <= height
        )


class FakeClassifier:
    """Shares follow the mean of a crop: label i leads where the mean is nearest to i * 255 / (labels - 1)."""

    def __init__(self, card: ModelCard | None = None) -> None:
        self.card = card or fake_card()
        self.runs: list[int] = []
        self._lock = threading.Lock()

    def run(self, faces):
        with self._lock:
            self.runs.append(len(faces))
        mean = faces.reshape(len(faces), -1).mean(axis=1) if len(faces) else np.zeros(0)
        return Outputs(
            _peaked(mean, len(self.card.labels)),
            _peaked(mean, len(self.card.vote_labels)) if self.card.vote_labels else None,
        )


def _peaked(mean, count):
    places = np.linspace(0, 255, count)
    weights = np.exp(-(((mean[:, None] - places[None]) / 40) ** 2))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
