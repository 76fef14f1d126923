"""Counts and times, told as Prometheus reads them. A few lines, because nothing here is worth another package."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

#: The upper ends of the buckets for times, in seconds: a photo takes hundredths, an explanation up to seconds.
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_Labels: TypeAlias = tuple[tuple[str, str], ...]


class Counter:
    """How often something happened, by labels."""

    kind = "counter"

    def __init__(self, name: str, told: str) -> None:
        self.name, self.told = name, told
        self._lock = threading.Lock()
        self._values: dict[_Labels, float] = {}

    def add(self, amount: float = 1, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def lines(self) -> Iterator[str]:
        with self._lock:
            values = dict(self._values)
        for labels, value in values.items():
            yield f"{self.name}{_braced(labels)} {value:g}"


class Histogram:
    """How long something took, by labels."""

    kind = "histogram"

    def __init__(self, name: str, told: str) -> None:
        self.name, self.told = name, told
        self._lock = threading.Lock()
        self._counts: dict[_Labels, list[int]] = {}
        self._sums: dict[_Labels, float] = {}

    def observe(self, seconds: float, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        place = next((i for i, end in enumerate(BUCKETS) if seconds <= end), len(BUCKETS))
        with self._lock:
            self._counts.setdefault(key, [0] * (len(BUCKETS) + 1))[place] += 1
            self._sums[key] = self._sums.get(key, 0.0) + seconds

    def lines(self) -> Iterator[str]:
        with self._lock:
            known = [(labels, list(counts), self._sums[labels]) for labels, counts in self._counts.items()]
        for labels, counts, total in known:
            so_far = 0
            for end, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                so_far += count
                yield f"{self.name}_bucket{_braced((*labels, ('le', end)))} {so_far}"
            yield f"{self.name}_sum{_braced(labels)} {total:.6f}"
            yield f"{self.name}_count{_braced(labels)} {so_far}"


class Gauge:
    """What something is now, asked when it is told."""

    kind = "gauge"

    def __init__(self, name: str, told: str, ask: Callable[[], Mapping[_Labels, float] | float]) -> None:
        self.name, self.told, self._ask = name, told, ask

    def lines(self) -> Iterator[str]:
        now = self._ask()
        for labels, value in (now if isinstance(now, Mapping) else {(): now}).items():
            yield f"{self.name}{_braced(labels)} {value:g}"


class Metrics:
    """What this service counts."""

    def __init__(self) -> None:
        self.requests = Counter("mien_requests_total", "Requests, by route, method and status.")
        self.pictures = Counter("mien_pictures_total", "Pictures, by how it went.")
        self.faces = Counter("mien_faces_total", "Faces read, by model and expression.")
        self.refused = Counter("mien_refused_total", "Requests that were refused, by reason.")
        self.seconds = Histogram("mien_request_seconds", "How long requests took, by route.")
        self.stages = Histogram("mien_stage_seconds", "How long the stages of reading took.")
        self._gauges: list[Gauge] = []

    def gauge(self, name: str, told: str, ask: Callable[[], Mapping[_Labels, float] | float]) -> None:
        self._gauges.append(Gauge(name, told, ask))

    def text(self) -> str:
        every: list[Counter | Histogram | Gauge] = [self.requests, self.pictures, self.faces, self.refused]
        every += [self.seconds, self.stages, *self._gauges]
        return "\n".join(line for each in every for line in _told(each)) + "\n"


def _told(each: Counter | Histogram | Gauge) -> Iterator[str]:
    yield f"# HELP {each.name} {each.told}"
    yield f"# TYPE {each.name} {each.kind}"
    yield from each.lines()


def _braced(labels: _Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
