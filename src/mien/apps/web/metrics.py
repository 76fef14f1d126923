"""Counts and times of the web service, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

#: The upper ends of the buckets for times, in seconds: a photo takes hundredths, an explanation up to seconds.
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics(Collector):
    """The metrics of one app, in a registry of its own: two apps in one process count separately."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        text = "Requests, by route, method and status."
        self.requests = Counter("mien_requests_total", text, ("route", "method", "status"), registry=own)
        self.pictures = Counter("mien_pictures_total", "Pictures, by how it went.", ("outcome",), registry=own)
        text = "Faces read, by model and expression."
        self.faces = Counter("mien_faces_total", text, ("model", "expression"), registry=own)
        text = "Requests that were refused, by reason."
        self.refused = Counter("mien_refused_total", text, ("reason",), registry=own)
        text = "How long requests took, by route."
        self.seconds = Histogram("mien_request_seconds", text, ("route",), registry=own, buckets=BUCKETS)
        text = "How long the stages of reading took."
        self.stages = Histogram("mien_stage_seconds", text, ("stage",), registry=own, buckets=BUCKETS)

    def add_gauge(
        self, name: str, text: str, read: Callable[[], Mapping[tuple[str, ...], float]], labels: Sequence[str] = ()
    ) -> None:
        """A gauge whose values are read at each scrape: the values of ``labels`` -> the number."""
        self._registry.register(_Gauge(name, text, read, labels))

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


# ==== mien.apps.web.stages
# How long each stage of a reading takes: measured around the engine's two parts, through its own seam.


@contextmanager
def measure_stage(metrics: Metrics, name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        metrics.stages.labels(stage=name).observe(time.perf_counter() - began)


class TimedPart:
    """A detector or a classifier whose work is timed; all else is the part's own."""

    def __init__(self, part: Any, metrics: Metrics) -> None:
        self._part, self._metrics = part, metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def detect(self, pixels: Any, *, min_face: int | None = None) -> Any:
        with measure_stage(self._metrics, "detect"):
            return self._part.detect(pixels, min_face=min_face)

    def run(self, faces: Any) -> Any:
        with measure_stage(self._metrics, "score"):
            return self._part.run(faces)
