"""The page of the models: what each says of itself, side by side, and as a curve."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, render_template

from mien.apps.cards import comparison, coverage, facts, percent
from mien.apps.web.service import service
from mien.labels import colour
from mien.models import ModelCard

routes = Blueprint("page_models", __name__)

#: The drawing's size, and its margins: left, top, right, bottom.
_WIDTH, _HEIGHT = 520, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 14, 26, 40

_LINES = ("var(--accent)", "var(--wrong)", "var(--right)", "var(--warn)")


@routes.get("/models")
def page() -> str:
    engines = service().engines
    cards = {name: engines.card(name) for name in engines.names}
    return render_template(
        "models.html",
        cards=cards,
        default=engines.default,
        rows=comparison(cards),
        facts=facts,
        curves=_curves(cards),
        colour=colour,
        size=(_WIDTH, _HEIGHT),
    )


class Curve(NamedTuple):
    """One model's line in the drawing: where it goes, its colour, and its points in words."""

    name: str
    points: str
    stroke: str
    dots: list[tuple[float, float, str]]


def _curves(cards: dict[str, ModelCard]) -> list[Curve]:
    """How right a model is on the faces it is surest of, by how many of them are kept."""
    known = {name: pairs for name, card in cards.items() if (pairs := coverage(card))}
    return [_curve(name, pairs, _LINES[i % len(_LINES)]) for i, (name, pairs) in enumerate(known.items())]


def _curve(name: str, pairs: list[tuple[float, float]], stroke: str) -> Curve:
    places = [(_across(kept), _down(right)) for kept, right in pairs]
    words = [f"{percent(right)} right on the surest {percent(kept)}" for kept, right in pairs]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Curve(name, points, stroke, [(x, y, told) for (x, y), told in zip(places, words, strict=True)])


def _across(kept: float) -> float:
    return _LEFT + (kept - 0.5) / 0.5 * (_WIDTH - _LEFT - _RIGHT)


def _down(right: float) -> float:
    return _TOP + (1 - (right - 0.5) / 0.5) * (_HEIGHT - _TOP - _BOTTOM)
