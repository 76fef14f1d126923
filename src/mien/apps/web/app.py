"""The app put together: settings, engines, guards, routes."""

from __future__ import annotations

import atexit
import time
from typing import Any, cast

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from mien.apps.web import api, errors, jobs, pages, security
from mien.apps.web.concurrency_limit import ConcurrencyLimit
from mien.apps.web.jobs import VideoQueue
from mien.apps.web.metrics import Metrics
from mien.apps.web.request_log import log_event
from mien.apps.web.service import Engines, WebService
from mien.apps.web.settings import Settings
from mien.apps.web.uploads import InMemoryRequest
from mien.engine import Engine

#: What a form is made of besides its pictures.
_FORM_OVERHEAD = 100_000

#: Asked for all the time by machines; a line in the log for each would hide the others.
_UNLOGGED = ("state.health", "state.ready", "state.metrics", "static", "pages.asset")


class WebApp(Flask):
    """Flask whose uploads stay in memory."""

    request_class = InMemoryRequest


def build_app(engine: Engine | None, settings: Settings) -> Flask:
    """The app; whatever is missing (a model, a detector's file) is raised here and not at the first request."""
    app = WebApp(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.url_map.merge_slashes = False
    service = _build_service(engine, settings)
    app.extensions["mien"] = service
    atexit.register(service.jobs.close)
    security.install_security(app, settings, service.metrics)
    errors.register_error_handlers(app)
    _limit_request_size(app, settings)
    _record_requests(app, service)
    api.install(app)
    pages.install(app)
    if settings.proxies:
        known: dict[str, int] = dict.fromkeys(("x_for", "x_proto", "x_host"), settings.proxies)
        app.wsgi_app = cast(Any, ProxyFix(app.wsgi_app, **known))  # type: ignore[method-assign]
    return app


def _build_service(engine: Engine | None, settings: Settings) -> WebService:
    metrics, gate = Metrics(), ConcurrencyLimit(settings.crew, settings.queue)
    engines = Engines(engine, settings, metrics, others=lambda: gate.working > 1)
    service = WebService(settings, metrics, gate, engines, VideoQueue(settings, jobs.read))
    metrics.add_gauge("mien_waiting", "Requests that wait for a worker.", lambda: {(): gate.waiting})
    metrics.add_gauge("mien_working", "Requests that are worked on.", lambda: {(): gate.working})
    states = service.jobs.states
    metrics.add_gauge("mien_films", "Films, by state.", lambda: {(k,): v for k, v in states().items()}, ("state",))
    metrics.add_gauge("mien_model_runs_total", "Runs of the models.", lambda: {(): engines.runs()[0]})
    metrics.add_gauge("mien_model_faces_total", "Faces in those runs.", lambda: {(): engines.runs()[1]})
    text, labels = "The usual model and detector.", ("detector", "model")
    metrics.add_gauge("mien_model_info", text, lambda: {(engines.get().detector, engines.default): 1}, labels)
    return service


def _limit_request_size(app: Flask, settings: Settings) -> None:
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes + _FORM_OVERHEAD

    @app.before_request
    def _films_are_larger() -> None:
        if request.endpoint == "videos.begin":
            request.max_content_length = settings.max_film_bytes + _FORM_OVERHEAD


def _record_requests(app: Flask, service: WebService) -> None:
    @app.after_request
    def _tell(response: Response) -> Response:
        took = time.perf_counter() - g.get("began", time.perf_counter())
        route = request.url_rule.rule if request.url_rule else "none"
        status = response.status_code
        service.metrics.requests.labels(route=route, method=_method(), status=str(status)).inc()
        service.metrics.seconds.labels(route=route).observe(took)
        if request.endpoint not in _UNLOGGED or status >= 400:
            told = {"id": g.get("request_id"), "method": _method(), "route": route, "status": status}
            log_event("request", **told, ms=round(1000 * took, 1), **g.get("facts", {}))
        return response


def _method() -> str:
    """Anybody may send any word as a method; in the counts and the log there are only the known ones."""
    return request.method if request.method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH") else "other"
