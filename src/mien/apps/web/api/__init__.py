"""The routes for programs, all under ``/api/v1`` except DeepFace's own ``/analyze``."""

from __future__ import annotations

from flask import Flask

from mien.apps.web import openapi
from mien.apps.web.api import analyze, explanations, readings, status, videos

#: The prefix of this version; a later version would get a prefix beside it.
PREFIX = "/api/v1"


def register_routes(app: Flask) -> None:
    for module in (readings, explanations, videos, status):
        app.register_blueprint(module.routes, url_prefix=PREFIX)
    app.register_blueprint(openapi.routes, url_prefix="/api")
    app.register_blueprint(analyze.routes)
