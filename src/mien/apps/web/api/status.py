"""``GET /models``, ``/health``, ``/ready`` and ``/metrics``: the models, and the state of the service."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from mien._version import __version__
from mien.apps.web.service import current_service
from mien.labels import label_colour
from mien.models import ModelCard

routes = Blueprint("status", __name__)


@routes.get("/models")
def models() -> Response:
    """The cards of the models, the default first, with the colours of their labels."""
    engines = current_service().engines
    entries = [_model_entry(name, card, name == engines.default) for name, card in engines.cards().items()]
    return jsonify(models=entries, detector=engines.get().detector)


def _model_entry(name: str, card: ModelCard, default: bool) -> dict[str, Any]:
    labels = tuple(dict.fromkeys((*card.labels, *card.vote_labels)))
    return {
        "name": name,
        "default": default,
        "colours": {label: label_colour(label, labels) for label in labels},
        "card": {key: value for key, value in card.to_dict().items() if key != "recipe"},
    }


@routes.get("/health")
def health() -> Response:
    """200 while the process is alive."""
    return jsonify(status="ok", version=__version__)


@routes.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while new requests are accepted; 503 while the server stops, or its queue is full."""
    service = current_service()
    full = service.limit.waiting >= service.settings.queue_length > 0
    reason = "stopping" if service.stopping.is_set() else "full" if full else None
    model, detector = service.engines.default, service.engines.get().detector
    return jsonify(status=reason or "ready", model=model, detector=detector), 503 if reason else 200


@routes.get("/metrics")
def metrics() -> Response:
    """The metrics in the text format of Prometheus."""
    return Response(current_service().metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
