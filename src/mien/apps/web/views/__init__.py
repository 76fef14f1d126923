"""The pages, one module for each; they share a frame, a style sheet and small scripts."""

from __future__ import annotations

from flask import Flask

from mien.apps.web.views import about, assets, frame, inside, live, models, photo, video


def install(app: Flask) -> None:
    app.register_blueprint(assets.routes)
    app.context_processor(frame.shared)
    for each in (photo, live, video, inside, models, about):
        app.register_blueprint(each.routes)
