"""How the service is: alive, ready, and in numbers."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from mien._version import __version__
from mien.apps.web.service import service

routes = Blueprint("state", __name__)


@routes.get("/health")
def health() -> Response:
    """200 while the process lives and answers."""
    return jsonify(status="ok", version=__version__)


@routes.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while new work is welcome; 503 while the server leaves, or is full."""
    own = service()
    full = own.gate.waiting >= own.settings.queue > 0
    why = "leaving" if own.leaving.is_set() else "full" if full else None
    model, detector = own.engines.default, own.engines.get().detector
    return jsonify(status=why or "ready", model=model, detector=detector), 503 if why else 200


@routes.get("/metrics")
def metrics() -> Response:
    """Counts and times, as Prometheus reads them."""
    return Response(service().metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
