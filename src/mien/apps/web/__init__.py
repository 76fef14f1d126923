"""The web app and the service: pages for people, ``/api/v1`` for programs, one engine behind both.

::

    app.py         create_app: the pieces put together
    settings.py    what can be set, and from where it comes
    server.py      waitress, with nothing on the disk and a stop that finishes what was begun
    arenas.py      memory that its threads share
    arrival.py     what comes to it, bounded in length, altogether, and in time
    engines.py     the engines by model and detector; batching.py  faces of several requests in one run of a model
    service.py     what the routes share; stages.py  how long each stage of a reading takes
    gate.py        how many requests are worked on at once, and how many may wait
    intake.py      the pictures in a request, from whichever of its shapes
    safety.py      who may ask, from where, and how often; the headers of every answer
    problems.py    what went wrong, as problem+json
    metrics.py     counts and times; log.py  one line for each request, without any content
    jobs.py        films that are being read; filming.py  one of them, and what comes of it
    api/           one module for each thing that programs ask for; openapi/ describes them
    views/         one module for each page; templates/ and static/ hold what they send
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

    ``engine`` answers where a request names no other model; without it the models are loaded by name. ``settings``
    are the fields of :class:`mien.apps.web.settings.Settings`; what is not given comes from ``MIEN_*`` variables, then
    from the file that ``config`` (or ``MIEN_CONFIG``) names.
    """
    try:
        from mien.apps.web.app import build_app
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "werkzeug", "jinja2", "filelock", "prometheus_client"):
            raise
        raise MissingExtra(
            f"The web app needs {error.name}, which is not installed",
            "The extra 'web' brings it",
            f"Run {install_command('web')}",
        ) from error
    from mien.apps.web.settings import load_settings

    return build_app(engine, load_settings(settings))
