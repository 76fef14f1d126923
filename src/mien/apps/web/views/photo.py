"""The page for photos."""

from __future__ import annotations

from flask import Blueprint, render_template

routes = Blueprint("page_photo", __name__)


@routes.get("/")
def page() -> str:
    return render_template("photo.html")
