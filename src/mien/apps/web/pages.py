"""The pages: a route for each, and the values that all of them share."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from flask import Blueprint, Flask, redirect, render_template
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from mien import text
from mien._version import __version__
from mien.apps.session.model_cards import compare_cards, coverage_curve, format_score, list_facts
from mien.apps.session.samples import SAMPLES
from mien.apps.web import assets
from mien.apps.web.assets import assets_version
from mien.apps.web.service import current_service
from mien.explain.explanation import MAP_METHODS
from mien.explain.figures import colormaps
from mien.html import icon_svg
from mien.labels import VOTES, label_adjective, label_colour

routes = Blueprint("pages", __name__)

#: The pages in the order of the menu: path, caption, purpose.
PAGES = (
    ("/", "Photo", "Read the expressions of faces in images"),
    ("/live", "Live", "Read the camera"),
    ("/video", "Video", "Analyse a video"),
    ("/explain", "Explain", "Explain a prediction: evidence, layers, contributions"),
    ("/models", "Models", "The models and their accuracy"),
    ("/about", "About", "How it works, its limits, and what it must not be used for"),
)


def register_routes(app: Flask) -> None:
    app.register_blueprint(assets.routes)
    app.register_blueprint(routes)
    app.context_processor(_shared_values)


def _shared_values() -> dict[str, Any]:
    """What the templates of all pages use; ``page_data`` is for the scripts, as JSON."""
    service = current_service()
    asset = f"/assets/{assets_version()}"
    return {
        "pages": PAGES,
        "asset": asset,
        "version": __version__,
        "sprite": _icon_symbols(),
        "sample_photos": SAMPLES,
        "text": text,
        "page_data": {
            "asset": asset,
            "model": service.engines.default,
            "models": list(service.engines.names),
            "adjectives": {label: label_adjective(label) for label in VOTES},
            "colours": {label: label_colour(label) for label in VOTES},
            "scales": {name: list(colormaps.legend_colours(name)) for name in ("sea", "ember", "tide")},
            "maxBytes": service.settings.max_bytes,
            "maxVideoBytes": service.settings.max_video_bytes,
            "noFace": f"{text.NO_FACE} {text.NO_FACE_HELP}",
            "keyRequired": bool(service.settings.keys),
        },
    }


@cache
def _icon_symbols() -> Markup:
    """The icons of the labels as SVG symbols, once for each page, which other SVG elements use by their id."""
    symbols = "".join(
        icon_svg(label).replace("<svg class='icon'", f"<symbol id='face-{label}'").replace("</svg>", "</symbol>")
        for label in VOTES
    ).replace(" aria-hidden='true' focusable='false'", "")
    return Markup(f"<svg class='sprite' aria-hidden='true' focusable='false'>{symbols}</svg>")


@routes.get("/")
def photo() -> str:
    return render_template("photo.html")


@routes.get("/live")
def live() -> str:
    return render_template("live.html")


@routes.get("/video")
def video() -> str:
    settings = current_service().settings
    return render_template("video.html", keep_minutes=settings.keep_minutes, max_bytes=settings.max_video_bytes)


@routes.get("/explain")
def explain() -> str:
    return render_template("explain.html", methods=MAP_METHODS.values())


@routes.get("/inside")
def redirect_old_explain_address() -> BaseResponse:
    return redirect("/explain", 301)


@routes.get("/about")
def about() -> str:
    service = current_service()
    card = service.engines.card(service.engines.default)
    return render_template("about.html", settings=service.settings, card=card)


@routes.get("/models")
def models() -> str:
    engines = current_service().engines
    cards = engines.cards()
    return render_template(
        "models.html",
        cards=cards,
        default=engines.default,
        rows=compare_cards(cards),
        facts=list_facts,
        curves=[_curve(name, pairs) for name, card in cards.items() if (pairs := coverage_curve(card))],
        size=(_WIDTH, _HEIGHT),
    )


#: The size of the chart in pixels, and its margins. The axes run from 50 % to 100 %.
_WIDTH, _HEIGHT = 520, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 14, 26, 40


class CoverageCurve(NamedTuple):
    """Accuracy against coverage of one model: the SVG polyline, and its points as x, y and a description."""

    name: str
    polyline: str
    points: list[tuple[float, float, str]]


def _curve(name: str, pairs: list[tuple[float, float]]) -> CoverageCurve:
    points = [
        (
            _LEFT + (part - 0.5) / 0.5 * (_WIDTH - _LEFT - _RIGHT),
            _TOP + (1 - (accuracy - 0.5) / 0.5) * (_HEIGHT - _TOP - _BOTTOM),
            f"accuracy {format_score(accuracy)} at coverage {format_score(part)}",
        )
        for part, accuracy in pairs
    ]
    return CoverageCurve(name, " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points), points)
