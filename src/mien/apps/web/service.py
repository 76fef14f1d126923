"""What the routes share: settings, engines, the gate before them, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from flask import current_app

from mien.apps.web.engines import Engines
from mien.apps.web.gate import Busy, Gate
from mien.apps.web.jobs import Jobs
from mien.apps.web.metrics import Metrics
from mien.apps.web.settings import Settings


@dataclass(frozen=True, eq=False)
class Service:
    """One process's service."""

    settings: Settings
    metrics: Metrics
    gate: Gate
    engines: Engines
    jobs: Jobs
    #: Set while the server finishes what was begun: it is not ready for more.
    leaving: Event = field(default_factory=Event)

    @contextmanager
    def turn(self, *, bounded: bool = True) -> Iterator[None]:
        """A turn at the processors, waited for no longer than the deadline."""
        try:
            with self.gate.inside(time.monotonic() + self.settings.deadline, bounded=bounded) as waited:
                self.metrics.stages.labels(stage="wait").observe(waited)
                yield
        except Busy as busy:
            self.metrics.refused.labels(reason="late" if busy.late else "queue").inc()
            raise


def service() -> Service:
    """The service of the app that answers the present request."""
    known: Service = current_app.extensions["mien"]
    return known
