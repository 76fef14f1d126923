"""The page for films."""

from __future__ import annotations

from flask import Blueprint, render_template

from mien.apps.web.service import service

routes = Blueprint("page_video", __name__)


@routes.get("/video")
def page() -> str:
    settings = service().settings
    return render_template("video.html", keep=settings.keep_minutes, most=settings.max_film_bytes)
