"""What the routes share: settings, metrics, the concurrency limit, the engines, and the queue of videos."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

from flask import current_app

from mien.apps.session.engines import EngineCache
from mien.apps.web.batching import BatchingClassifier
from mien.apps.web.jobs import VideoQueue
from mien.apps.web.metrics import Metrics, TimedPart
from mien.apps.web.request_limits import ConcurrencyLimit, ServerBusy
from mien.apps.web.settings import WebSettings
from mien.engine import Engine
from mien.faces.detectors import load_detector
from mien.models import find_model_file, load_classifier, resolve_model


class BatchingEngineLoader:
    """Loads engines whose parts are measured, and whose faces share the runs of one classifier for each model.

    ``others``: are other requests being processed at the moment?
    """

    def __init__(self, settings: WebSettings, metrics: Metrics, others: Callable[[], bool]) -> None:
        self._window, self._metrics, self._others = settings.window_ms / 1000, metrics, others
        self._lock = Lock()
        self._classifiers: dict[str, BatchingClassifier] = {}

    def __call__(self, *, model: str, detector: str) -> Engine:
        yunet = find_model_file("yunet") if detector in ("auto", "yunet") else None
        part: Any = TimedPart(load_detector(detector, yunet=yunet), self._metrics)
        return Engine(self._classifier(model), part)

    def counts(self) -> tuple[int, int]:
        """The runs of all models so far, and the faces in them."""
        with self._lock:
            classifiers = list(self._classifiers.values())
        return sum(each.runs for each in classifiers), sum(each.faces for each in classifiers)

    def _classifier(self, model: str) -> BatchingClassifier:
        with self._lock:
            if model not in self._classifiers:
                # One core for each run: a face takes less than a millisecond, and other requests need the other cores.
                part: Any = TimedPart(load_classifier(resolve_model(model), threads=1), self._metrics)
                self._classifiers[model] = BatchingClassifier(part, window=self._window, others=self._others)
            return self._classifiers[model]


@dataclass(frozen=True, eq=False)
class WebService:
    """The state of one app in one process."""

    settings: WebSettings
    metrics: Metrics
    limit: ConcurrencyLimit
    engines: EngineCache
    jobs: VideoQueue
    #: Set while the server finishes open requests before it stops.
    stopping: Event = field(default_factory=Event)

    @contextmanager
    def slot(self, *, bounded: bool = True) -> Iterator[None]:
        """Hold a slot of the concurrency limit, for which the request waits until its deadline. Else ServerBusy."""
        try:
            with self.limit.slot(time.monotonic() + self.settings.deadline, bounded=bounded) as seconds:
                self.metrics.stages.labels(stage="wait").observe(seconds)
                yield
        except ServerBusy as busy:
            self.metrics.refused.labels(reason="timeout" if busy.timed_out else "queue").inc()
            raise


def current_service() -> WebService:
    """The service of the app that handles the current request."""
    service: WebService = current_app.extensions["mien"]
    return service
