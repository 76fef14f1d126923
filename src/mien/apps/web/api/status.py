"""``GET /models``: what may be asked for, and what each model says about itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from mien._version import __version__
from mien.apps.web.service import current_service
from mien.labels import label_colour
from mien.models import ModelCard

model_routes = Blueprint("models", __name__)


@model_routes.get("/models")
def models() -> Response:
    """The cards of the models, the default first; with the colours that go with their labels."""
    engines = current_service().engines
    cards = {name: engines.card(name) for name in engines.names}
    told = [_told(name, card, name == engines.default) for name, card in cards.items()]
    return jsonify(models=told, detector=engines.get().detector)


def _told(name: str, card: ModelCard, default: bool) -> dict[str, Any]:
    words = dict.fromkeys((*card.labels, *card.vote_labels))
    return {
        "name": name,
        "default": default,
        "colours": {label: label_colour(label, tuple(words)) for label in words},
        "card": {key: value for key, value in card.to_dict().items() if key != "recipe"},
    }


# ==== mien.apps.web.api.state
# How the service is: alive, ready, and in numbers.

status_routes = Blueprint("state", __name__)


@status_routes.get("/health")
def health() -> Response:
    """200 while the process lives and answers."""
    return jsonify(status="ok", version=__version__)


@status_routes.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while new work is welcome; 503 while the server leaves, or is full."""
    own = current_service()
    full = own.gate.waiting >= own.settings.queue > 0
    why = "leaving" if own.leaving.is_set() else "full" if full else None
    model, detector = own.engines.default, own.engines.get().detector
    return jsonify(status=why or "ready", model=model, detector=detector), 503 if why else 200


@status_routes.get("/metrics")
def metrics() -> Response:
    """Counts and times, as Prometheus reads them."""
    return Response(current_service().metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
