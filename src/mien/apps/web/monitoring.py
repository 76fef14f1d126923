"""The metrics of the service for Prometheus, and its log: one line for each request.

The log has no content: no file names, no client addresses, no images.
"""

from __future__ import annotations

import json
import logging
import sys
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
        text = "Frames of live sessions, by outcome: read, or dropped because one was being analysed."
        self.live_frames = Counter("mien_live_frames_total", text, ("outcome",), registry=own)
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


class TimedLocalDetector(TimedPart):
    """A :class:`mien.video.tracker.LocalDetector`: protocols look for methods on the class since Python 3.12."""

    def detect_near(self, pixels: Any, boxes: Any) -> Any:
        with self._metrics.measure_stage("detect"):
            return self._part.detect_near(pixels, boxes)


#: All log records of the service; an application that embeds the app sets its level and handlers.
logger = logging.getLogger("mien.web")


class JsonFormatter(logging.Formatter):
    """One line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{stamp}.{int(record.created * 1000) % 1000:03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A short line of text for each record, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in getattr(record, "facts", {}).items())
        line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_event(message: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Any) -> None:
    """Log a message with its facts (those that are None are omitted), and with the traceback of ``error``."""
    facts = {name: value for name, value in facts.items() if value is not None}
    logger.log(level, message, exc_info=error, extra={"facts": facts})


def configure_logging(style: str) -> None:
    """Log to stderr. ``style`` is text, json, off, or auto: text on a terminal, else JSON."""
    logging.getLogger("waitress").setLevel(logging.ERROR)
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1 if style == "off" else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    logger.handlers[:] = [handler]
