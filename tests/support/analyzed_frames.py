"""Analysed frames built from scores, without a video."""

from functools import partial

import numpy as np

from fakes import fake_card
from mien.labels import EMOTIONS
from mien.models.decision import build_emotions
from mien.results import AnalyzedFrame, Box, Face, FrameResult, Quality, Reading

CARD = fake_card(vote_labels=(), uncertain_below=0.4)
DECIDE = partial(build_emotions, CARD)


def scores(**values: float) -> np.ndarray:
    """``scores(happy=0.8)``: the rest is divided among the other labels."""
    others = [label for label in EMOTIONS if label not in values]
    rest = (1 - sum(values.values())) / len(others)
    return np.array([values.get(label, rest) for label in EMOTIONS])


def make_reading(values: np.ndarray, track: int = 1, quality: Quality | None = None, box: Box | None = None) -> Reading:
    return Reading(Face(box or Box(10, 10, 40, 40), 0.9), DECIDE(values, None), quality or Quality(), track)


def make_frame(index: int, *readings: Reading, fps: float = 25.0, size=(160, 120), pixels=None) -> AnalyzedFrame:
    result = FrameResult("clip.webm", size, readings, "fake", "fake")
    return AnalyzedFrame(index, index / fps, result, pixels=pixels)


def make_frames(*parts: tuple[float, np.ndarray | None], fps: float = 25.0, track: int = 1) -> list[AnalyzedFrame]:
    """One track: for so many seconds these scores, or no face (None)."""
    values = [each for seconds, each in parts for _ in range(round(seconds * fps))]
    return [
        make_frame(index, *([] if each is None else [make_reading(each, track)]), fps=fps)
        for index, each in enumerate(values)
    ]


def make_noisy_frames(
    values: np.ndarray, seconds: float, spread: float = 0.1, fps: float = 25.0, seed: int = 0
) -> list[AnalyzedFrame]:
    """A face that does not change, with noise in its scores."""
    rng = np.random.default_rng(seed)
    frames = []
    for index in range(round(seconds * fps)):
        noisy = np.clip(values + rng.normal(0, spread, len(values)), 0.001, None)
        frames.append(make_frame(index, make_reading(noisy / noisy.sum()), fps=fps))
    return frames
