"""Facts about a model file: its size, parameters and operations, and its latency for one face on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mien.models import ModelCard, load_classifier

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
