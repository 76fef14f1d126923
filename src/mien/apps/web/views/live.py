"""The page for the camera."""

from __future__ import annotations

from flask import Blueprint, render_template

routes = Blueprint("page_live", __name__)


@routes.get("/live")
def page() -> str:
    return render_template("live.html")
