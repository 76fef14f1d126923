"""What programs ask for: one module for each, all under ``/api/v1`` but DeepFace's own ``/analyze``."""

from __future__ import annotations

from flask import Flask

from mien.apps.web.api import analyze, described, explanations, models, readings, state, videos

#: Where everything stands; a later version would stand beside it.
ROOT = "/api/v1"


def install(app: Flask) -> None:
    for each in (readings, explanations, videos, models, state):
        app.register_blueprint(each.routes, url_prefix=ROOT)
    app.register_blueprint(described.routes, url_prefix="/api")
    app.register_blueprint(analyze.routes)
