"""The engines: one for each model and detector that was asked for, loaded once and shared by all requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from flask import current_app

from mien.apps.web.batching import BatchingClassifier
from mien.apps.web.concurrency_limit import ConcurrencyLimit, ServerBusy
from mien.apps.web.jobs import VideoQueue
from mien.apps.web.metrics import Metrics, TimedPart
from mien.apps.web.settings import Settings
from mien.engine import Engine
from mien.errors import DetectorError, ModelMissing, nearest
from mien.faces.detectors import detector_names, load_detector
from mien.models import ModelCard, available_models, find_model_file, load_classifier, resolve_model


class Engines:
    """``engine`` is the caller's own, which answers where no model and no detector is named; it may be None."""

    def __init__(self, engine: Engine | None, settings: Settings, metrics: Metrics, others: Callable[[], bool]) -> None:
        self._own, self._settings, self._metrics, self._others = engine, settings, metrics, others
        self._lock = threading.RLock()
        self._classifiers: dict[str, BatchingClassifier] = {}
        self._engines: dict[tuple[str, str], Engine] = {}
        # Before the first request: what is missing is said at the start.
        self.get()

    @property
    def default(self) -> str:
        """The name of the model that answers where none is named."""
        return self._own.card.name if self._own else self._settings.model

    @property
    def names(self) -> tuple[str, ...]:
        """The models that may be asked for, the default first. They are names: nobody's request names a path."""
        named = self._settings.models or (() if self._own else available_models())
        return tuple(dict.fromkeys([self.default, *named]))

    def get(self, model: str | None = None, detector: str | None = None) -> Engine:
        """The engine for a model and a detector; the usual ones where a name is None or empty."""
        if not detector and self._own and (not model or model == self.default):
            return self._own
        model, detector = model or self.default, detector or self._settings.detector
        if model not in self.names:
            known = ", ".join(self.names)
            raise ModelMissing(
                f"There is no model '{model}' here", f"Expected one of {known}", nearest(model, self.names)
            )
        if detector not in detector_names():
            known = ", ".join(detector_names())
            remedy = nearest(detector, detector_names())
            raise DetectorError(f"There is no detector '{detector}'", f"Expected one of {known}", remedy)
        with self._lock:
            if (model, detector) not in self._engines:
                self._engines[model, detector] = self._made(model, detector)
            return self._engines[model, detector]

    def card(self, model: str) -> ModelCard:
        """The card of a model that may be asked for; its session is not opened for that."""
        if self._own and model == self.default:
            return self._own.card
        with self._lock:
            known = self._classifiers.get(model)
        return known.card if known else ModelCard.read(resolve_model(model))

    def runs(self) -> tuple[int, int]:
        """How many runs of models there were, and how many faces in them."""
        with self._lock:
            known = list(self._classifiers.values())
        return sum(each.runs for each in known), sum(each.faces for each in known)

    def _made(self, model: str, detector: str) -> Engine:
        yunet = find_model_file("yunet") if detector in ("auto", "yunet") else None
        finder: Any = TimedPart(load_detector(detector, yunet=yunet), self._metrics)
        if self._own and model == self.default:
            raise DetectorError(
                f"This server's model does not come with the detector '{detector}'",
                "It was started with an engine of its own",
                "Leave the detector out",
            )
        return Engine(self._classifier(model), finder)

    def _classifier(self, model: str) -> BatchingClassifier:
        if model not in self._classifiers:
            # One core for a run: a face takes less than a millisecond, and other requests want the rest.
            classifier = load_classifier(resolve_model(model), threads=1)
            window = self._settings.window_ms / 1000
            timed = TimedPart(classifier, self._metrics)
            self._classifiers[model] = BatchingClassifier(timed, window=window, others=self._others)
        return self._classifiers[model]


# ==== mien.apps.web.service
# What the routes share: settings, engines, the gate before them, and what is counted.


@dataclass(frozen=True, eq=False)
class WebService:
    """One process's service."""

    settings: Settings
    metrics: Metrics
    gate: ConcurrencyLimit
    engines: Engines
    jobs: VideoQueue
    #: Set while the server finishes what was begun: it is not ready for more.
    leaving: Event = field(default_factory=Event)

    @contextmanager
    def turn(self, *, bounded: bool = True) -> Iterator[None]:
        """A turn at the processors, waited for no longer than the deadline."""
        try:
            with self.gate.inside(time.monotonic() + self.settings.deadline, bounded=bounded) as waited:
                self.metrics.stages.labels(stage="wait").observe(waited)
                yield
        except ServerBusy as busy:
            self.metrics.refused.labels(reason="late" if busy.late else "queue").inc()
            raise


def current_service() -> WebService:
    """The service of the app that answers the present request."""
    known: WebService = current_app.extensions["mien"]
    return known
