"""The page of the models: what each says of itself, side by side, and as a curve."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Blueprint, render_template

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
        rows=list(_rows(cards)),
        curves=_curves(cards),
        colour=colour,
        size=(_WIDTH, _HEIGHT),
    )


def _rows(cards: dict[str, ModelCard]) -> list[tuple[str, list[str]]]:
    """The comparison: what is compared, and each model's cell; rows that no model can fill are left out."""
    wanted = (
        ("Right on the test faces", "accuracy"),
        ("… without faces seen in training", "accuracy_no_twins"),
        ("Right on the 70 % it is surest of", "accuracy_surest_70"),
        ("Mean over the expressions", "balanced_accuracy"),
        ("Names what most of ten people said", "votes_accuracy"),
    )
    rows = [(words, [_percent(card.scores.get(name)) for card in cards.values()]) for words, name in wanted]
    rows.append(("Calibration error", [_plain(card.scores.get("ece")) for card in cards.values()]))
    rows.append(("Parameters", [f"{card.parameters:,}" if card.parameters else "" for card in cards.values()]))
    return [(words, cells) for words, cells in rows if any(cells)]


def _percent(value: Any) -> str:
    return f"{100 * value:.1f}\u00a0%" if isinstance(value, int | float) else ""


def _plain(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


class Curve(NamedTuple):
    """One model's line in the drawing: where it goes, its colour, and its points in words."""

    name: str
    points: str
    stroke: str
    dots: list[tuple[float, float, str]]


def _curves(cards: dict[str, ModelCard]) -> list[Curve]:
    """How right a model is on the faces it is surest of, by how many of them are kept."""
    told = {name: card.scores.get("coverage") for name, card in cards.items()}
    known = {name: sorted((float(k), float(v)) for k, v in each.items()) for name, each in told.items() if each}
    return [_curve(name, pairs, _LINES[i % len(_LINES)]) for i, (name, pairs) in enumerate(known.items())]


def _curve(name: str, pairs: list[tuple[float, float]], stroke: str) -> Curve:
    places = [(_across(kept), _down(right)) for kept, right in pairs]
    words = [f"{_percent(right)} right on the surest {_percent(kept)}" for kept, right in pairs]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Curve(name, points, stroke, [(x, y, told) for (x, y), told in zip(places, words, strict=True)])


def _across(kept: float) -> float:
    return _LEFT + (kept - 0.5) / 0.5 * (_WIDTH - _LEFT - _RIGHT)


def _down(right: float) -> float:
    return _TOP + (1 - (right - 0.5) / 0.5) * (_HEIGHT - _TOP - _BOTTOM)
