"""How long each stage of a reading takes: measured around the engine's two parts, through its own seam."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mien.apps.web.metrics import Metrics


@contextmanager
def stage(metrics: Metrics, name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        metrics.stages.labels(stage=name).observe(time.perf_counter() - began)


class Timed:
    """A detector or a classifier whose work is timed; all else is the part's own."""

    def __init__(self, part: Any, metrics: Metrics) -> None:
        self._part, self._metrics = part, metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def detect(self, pixels: Any, *, min_face: int | None = None) -> Any:
        with stage(self._metrics, "detect"):
            return self._part.detect(pixels, min_face=min_face)

    def run(self, faces: Any) -> Any:
        with stage(self._metrics, "score"):
            return self._part.run(faces)
