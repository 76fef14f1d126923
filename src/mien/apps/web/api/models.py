"""``GET /models``: what may be asked for, and what each model says about itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from mien.apps.web.service import service
from mien.labels import colour
from mien.models import ModelCard

routes = Blueprint("models", __name__)


@routes.get("/models")
def models() -> Response:
    """The cards of the models, the default first; with the colours that go with their labels."""
    engines = service().engines
    cards = {name: engines.card(name) for name in engines.names}
    told = [_told(name, card, name == engines.default) for name, card in cards.items()]
    return jsonify(models=told, detector=engines.get().detector)


def _told(name: str, card: ModelCard, default: bool) -> dict[str, Any]:
    words = dict.fromkeys((*card.labels, *card.vote_labels))
    return {
        "name": name,
        "default": default,
        "colours": {label: colour(label, tuple(words)) for label in words},
        "card": {key: value for key, value in card.to_dict().items() if key != "recipe"},
    }
