"""What every page has: its way to the others, its style and scripts, and the words that scripts need."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from flask import Blueprint, Flask, render_template
from markupsafe import Markup

from mien import text
from mien._version import __version__
from mien.apps.session.model_cards import comparison, coverage, facts, percent
from mien.apps.session.samples import SAMPLES
from mien.apps.web import assets
from mien.apps.web.assets import assets_version
from mien.apps.web.service import current_service
from mien.explain.explanation import METHODS
from mien.explain.figures import colormaps
from mien.html import icon_svg
from mien.labels import VOTES, label_adjective, label_colour
from mien.models import ModelCard

#: The pages in the order of the menu: where, what it is called, what it is for.
PAGES = (
    ("/", "Photo", "Read the faces in photos"),
    ("/live", "Live", "Read a camera"),
    ("/video", "Video", "Read a film"),
    ("/explain", "Inside", "See inside the network"),
    ("/models", "Models", "The models and how good they are"),
    ("/about", "About", "How it works, what it cannot do, what it must not be used for"),
)


def shared() -> dict[str, Any]:
    own = current_service()
    asset = f"/assets/{assets_version()}"
    return {
        "pages": PAGES,
        "asset": asset,
        "version": __version__,
        "sprite": _sprite(),
        "sample_photos": SAMPLES,
        "words": text,
        "told": {
            "asset": asset,
            "model": own.engines.default,
            "models": list(own.engines.names),
            "looks": {label: label_adjective(label) for label in VOTES},
            "colours": {label: label_colour(label) for label in VOTES},
            "scales": {name: list(colormaps.legend_colours(name)) for name in ("sea", "ember", "tide")},
            "maxBytes": own.settings.max_bytes,
            "maxFilmBytes": own.settings.max_film_bytes,
            "noFace": f"{text.NO_FACE} {text.NO_FACE_HELP}",
            "locked": bool(own.settings.keys),
        },
    }


@cache
def _sprite() -> Markup:
    """The small faces, once on a page, to be used by name."""
    faces = (
        icon_svg(label).replace("<svg class='icon'", f"<symbol id='face-{label}'").replace("</svg>", "</symbol>")
        for label in VOTES
    )
    told = "".join(faces).replace(" aria-hidden='true' focusable='false'", "")
    return Markup(f"<svg class='sprite' aria-hidden='true' focusable='false'>{told}</svg>")


# ==== mien.apps.web.views.about
# The page about it all: how it works, what it cannot do, what it must not be used for.

about_routes = Blueprint("page_about", __name__)


@about_routes.get("/about")
def about_page() -> str:
    own = current_service()
    return render_template("about.html", settings=own.settings, card=own.engines.card(own.engines.default))


# ==== mien.apps.web.views.inside
# The page that opens the network.

explain_routes = Blueprint("page_inside", __name__)

#: What the methods are called on the page, and what each does.
_TOLD = {
    "cam": ("Class map", "exact, from the last layer; at once"),
    "occlusion": ("Covering", "what is lost when a part is covered; about a second"),
    "rise": ("Random masks", "many random covers, averaged; a second or two"),
}


@explain_routes.get("/explain")
def explain_page() -> str:
    return render_template("explain.html", methods=[(name, *_TOLD[name]) for name in METHODS])


# ==== mien.apps.web.views.live
# The page for the camera.

live_routes = Blueprint("page_live", __name__)


@live_routes.get("/live")
def live_page() -> str:
    return render_template("live.html")


# ==== mien.apps.web.views.photo
# The page for photos.

photo_routes = Blueprint("page_photo", __name__)


@photo_routes.get("/")
def photo_page() -> str:
    return render_template("photo.html")


# ==== mien.apps.web.views.video
# The page for films.

video_routes = Blueprint("page_video", __name__)


@video_routes.get("/video")
def video_page() -> str:
    settings = current_service().settings
    return render_template("video.html", keep=settings.keep_minutes, most=settings.max_film_bytes)


# ==== mien.apps.web.views.models
# The page of the models: what each says of itself, side by side, and as a curve.

models_routes = Blueprint("page_models", __name__)

#: The drawing's size, and its margins: left, top, right, bottom.
_WIDTH, _HEIGHT = 520, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 14, 26, 40

_LINES = ("var(--accent)", "var(--wrong)", "var(--right)", "var(--warn)")


@models_routes.get("/models")
def models_page() -> str:
    engines = current_service().engines
    cards = {name: engines.card(name) for name in engines.names}
    return render_template(
        "models.html",
        cards=cards,
        default=engines.default,
        rows=comparison(cards),
        facts=facts,
        curves=_curves(cards),
        colour=label_colour,
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


# ==== mien.apps.web.views
# The pages, one module for each; they share a frame, a style sheet and small scripts.


def install(app: Flask) -> None:
    app.register_blueprint(assets.routes)
    app.context_processor(shared)
    for routes in (photo_routes, live_routes, video_routes, explain_routes, models_routes, about_routes):
        app.register_blueprint(routes)
