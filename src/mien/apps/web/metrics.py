"""Counters and histograms of the service, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

#: The upper bounds of the buckets for durations, in seconds: an image takes hundredths, an explanation up to seconds.
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics(Collector):
    """The metrics of one app, in a registry of its own: two apps in one process count separately."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        text = "Requests, by route, method and status."
        self.requests = Counter("mien_requests_total", text, ("route", "method", "status"), registry=own)
        text = "Images, by outcome: read or failed."
        self.images = Counter("mien_images_total", text, ("outcome",), registry=own)
        text = "Faces, by model and by leading emotion."
        self.faces = Counter("mien_faces_total", text, ("model", "emotion"), registry=own)
        text = "Rejected requests, by reason."
        self.refused = Counter("mien_refused_total", text, ("reason",), registry=own)
        text = "Duration of requests, by route."
        self.seconds = Histogram("mien_request_seconds", text, ("route",), registry=own, buckets=BUCKETS)
        text = "Duration of the stages of a request: wait, decode, detect, score, explain."
        self.stages = Histogram("mien_stage_seconds", text, ("stage",), registry=own, buckets=BUCKETS)

    def add_gauge(
        self, name: str, text: str, read: Callable[[], Mapping[tuple[str, ...], float]], labels: Sequence[str] = ()
    ) -> None:
        """A gauge whose values are read at each scrape: the values of ``labels`` -> the number."""
        self._registry.register(_Gauge(name, text, read, labels))

    @contextmanager
    def measure_stage(self, name: str) -> Iterator[None]:
        """Add the duration of the block to those of a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(stage=name).observe(time.perf_counter() - start)

    def collect(self) -> Iterable[Metric]:
        """All metrics, without the ``_created`` series; prometheus-client can disable these only for the process."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric

    def text(self) -> str:
        return generate_latest(self).decode()


@dataclass(frozen=True, eq=False)
class _Gauge(Collector):
    name: str
    text: str
    read: Callable[[], Mapping[tuple[str, ...], float]]
    labels: Sequence[str]

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for values, number in self.read().items():
            family.add_metric(values, number)
        yield family


class TimedPart:
    """A detector or a classifier of an engine, with the duration of its work measured; otherwise the part itself."""

    def __init__(self, part: Any, metrics: Metrics) -> None:
        self._part, self._metrics = part, metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def detect(self, pixels: Any, *, min_face: int | None = None) -> Any:
        with self._metrics.measure_stage("detect"):
            return self._part.detect(pixels, min_face=min_face)

    def run(self, faces: Any) -> Any:
        with self._metrics.measure_stage("score"):
            return self._part.run(faces)
