"""Moments made by hand, for the tests of what becomes of them."""

from functools import partial

import numpy as np

from fakes import fake_card
from mien.labels import EMOTIONS
from mien.models.decision import build_emotions
from mien.results import AnalyzedFrame, Box, Face, FrameResult, Quality, Reading

CARD = fake_card(vote_labels=(), uncertain_below=0.4)
JUDGE = partial(build_emotions, CARD)


def shares(**parts: float) -> np.ndarray:
    """``shares(happy=0.8)``: the rest is divided among the others."""
    others = [label for label in EMOTIONS if label not in parts]
    left = (1 - sum(parts.values())) / len(others)
    return np.array([parts.get(label, left) for label in EMOTIONS])


def reading(values: np.ndarray, person: int = 1, quality: Quality | None = None, box: Box | None = None) -> Reading:
    return Reading(Face(box or Box(10, 10, 40, 40), 0.9), JUDGE(values, None), quality or Quality(), person)


def moment(index: int, *readings: Reading, fps: float = 25.0, size=(160, 120), pixels=None) -> AnalyzedFrame:
    return AnalyzedFrame(index, index / fps, FrameResult("clip.webm", size, readings, "fake", "fake"), pixels=pixels)


def film(*parts: tuple[float, np.ndarray | None], fps: float = 25.0, person: int = 1) -> list[AnalyzedFrame]:
    """One person's film: for so many seconds these shares, or nobody (None)."""
    frames = [values for seconds, values in parts for _ in range(round(seconds * fps))]
    return [
        moment(index, *([] if values is None else [reading(values, person)]), fps=fps)
        for index, values in enumerate(frames)
    ]


def noisy(
    values: np.ndarray, seconds: float, spread: float = 0.1, fps: float = 25.0, seed: int = 0
) -> list[AnalyzedFrame]:
    """A face that does not change, seen through noise."""
    rng = np.random.default_rng(seed)
    told = []
    for index in range(round(seconds * fps)):
        jumped = np.clip(values + rng.normal(0, spread, len(values)), 0.001, None)
        told.append(moment(index, reading(jumped / jumped.sum()), fps=fps))
    return told
