"""The web app: pages for people and an HTTP API for programs (``/api/v1``), with the same engines behind both.

::

    app.py                create_app: the parts put together; the routes for the state of the service
    settings.py           the settings and their sources
    server.py             the HTTP server (waitress): limits before a body is received, graceful stop
    service.py            what the routes share: concurrent requests and their queue, batching of faces, engines
    security.py           host names, CORS, API keys, the rate limit, security headers
    errors.py             errors as application/problem+json
    monitoring.py         metrics for Prometheus, and one line of the log for each request
    uploads.py            the images and options of a request
    jobs.py               the queue of videos
    image_routes.py       the routes for images; openapi.py describes all routes
    video_routes.py       the routes for videos
    pages.py              the pages and their files; templates/ and static/ are what they consist of
    aws.py                the app as an AWS Lambda function
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mien.errors import MissingExtra, install_command

if TYPE_CHECKING:
    from flask import Flask

    from mien.engine import Engine

__all__ = ["create_app"]


def create_app(engine: Engine | None = None, **settings: Any) -> Flask:
    """The web app, for any WSGI server: ``gunicorn "mien.apps.web:create_app()"``.

    ``engine`` answers requests that name no other model; without it the models are loaded by name. ``settings`` are
    the fields of :class:`mien.apps.web.settings.WebSettings`; the others come from ``MIEN_*`` variables, then from the
    file that ``config`` (or ``MIEN_CONFIG``) names.
    """
    try:
        from mien.apps.web.app import build_app
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "werkzeug", "filelock", "prometheus_client"):
            raise
        raise MissingExtra(
            f"The web app needs {error.name}, which is not installed",
            "The extra 'web' installs it",
            f"Run {install_command('web')}",
        ) from error
    from mien.apps.web.settings import load_settings

    return build_app(engine, load_settings(settings).settings)
