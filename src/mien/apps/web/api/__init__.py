"""What programs ask for: one module for each, all under ``/api/v1`` but DeepFace's own ``/analyze``."""

from __future__ import annotations

from flask import Flask

from mien.apps.web import openapi
from mien.apps.web.api import analyze, explanations, readings, status, videos

#: Where everything stands; a later version would stand beside it.
ROOT = "/api/v1"


def install(app: Flask) -> None:
    for routes in (readings.routes, explanations.routes, videos.routes, status.model_routes, status.status_routes):
        app.register_blueprint(routes, url_prefix=ROOT)
    app.register_blueprint(openapi.routes, url_prefix="/api")
    app.register_blueprint(analyze.routes)
