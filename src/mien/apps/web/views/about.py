"""The page about it all: how it works, what it cannot do, what it must not be used for."""

from __future__ import annotations

from flask import Blueprint, render_template

from mien.apps.web.service import service

routes = Blueprint("page_about", __name__)


@routes.get("/about")
def page() -> str:
    own = service()
    return render_template("about.html", settings=own.settings, card=own.engines.card(own.engines.default))
