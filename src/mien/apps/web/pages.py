"""The pages: a route for each, the values that all share, and their static files.

The URL of a static file contains a hash of all of them, so that browsers may cache them for good.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from mien import text
from mien._version import __version__
from mien.apps.session import samples
from mien.apps.session.model_cards import (
    compare_cards,
    coverage_curve,
    describe_targets,
    format_score,
    list_facts,
    list_limitations,
)
from mien.apps.session.samples import SAMPLES
from mien.apps.web.service import current_service
from mien.explain.explanation import MAP_METHODS
from mien.explain.figures import colormaps
from mien.explain.page import walkthrough_script, walkthrough_style
from mien.html import icon_svg, style_sheet
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
    app.register_blueprint(assets)
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
            "maxPixels": service.settings.max_pixels,
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
    return render_template(
        "about.html",
        settings=service.settings,
        card=card,
        targets=describe_targets(card),
        limitations=list_limitations(card),
    )


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


assets = Blueprint("assets", __name__)

_CONTENT_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
    "json": "application/json",
}


@cache
def load_assets() -> dict[str, bytes]:
    """All files by name: those of ``static``, the sample images, and the style and script of the walkthrough."""
    folder = files("mien.apps.web").joinpath("static")
    assets = {file.name: file.read_bytes() for file in folder.iterdir() if _extension(file.name) in _CONTENT_TYPES}
    # One style sheet: a page waits for one response before it is rendered, not for two.
    assets["style.css"] = f"{style_sheet()}\n{assets.pop('web.css').decode()}".encode()
    assets |= {f"samples/{name}": data for name, data in samples.load_sample_files().items()}
    assets["walkthrough.css"] = walkthrough_style().encode()
    assets["walkthrough.js"] = walkthrough_script().encode()
    return assets


@cache
def assets_version() -> str:
    """The hash in the URL of the files."""
    digest = hashlib.sha256()
    for name, data in sorted(load_assets().items()):
        digest.update(name.encode() + b"\0" + data)
    return digest.hexdigest()[:12]


@assets.get("/assets/<version>/<path:name>")
def asset(version: str, name: str) -> Response:
    """One file. A request with an older hash gets the newest file, which then must not be cached."""
    data = load_assets().get(name)
    if data is None:
        abort(404)
    response = Response(data, content_type=_CONTENT_TYPES[_extension(name)])
    current = version == assets_version()
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
    response.set_etag(assets_version())
    response.make_conditional(request)
    return response


@assets.get("/favicon.ico")
def icon() -> BaseResponse:
    return redirect(f"/assets/{assets_version()}/icon.svg")


def _extension(name: str) -> str:
    return name.rpartition(".")[2]
