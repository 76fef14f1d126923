"""The Flask app: settings, engines, limits, routes, and what is done for every request."""

from __future__ import annotations

import atexit
import time
from typing import Any, cast

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from mien.apps.session.engines import EngineCache
from mien.apps.web import api, pages
from mien.apps.web.errors import register_error_handlers
from mien.apps.web.jobs import VideoQueue
from mien.apps.web.metrics import Metrics
from mien.apps.web.request_limits import ConcurrencyLimit
from mien.apps.web.request_log import log_event
from mien.apps.web.security import install_security
from mien.apps.web.service import BatchingEngineLoader, WebService
from mien.apps.web.settings import WebSettings
from mien.apps.web.uploads import InMemoryRequest
from mien.engine import Engine

#: The bytes of a form besides its files.
FORM_OVERHEAD = 100_000

#: Successful requests of these endpoints are not logged: machines send them all the time.
_UNLOGGED = ("status.health", "status.ready", "status.metrics", "assets.asset")

_METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH")


class WebApp(Flask):
    """Flask, with uploads in memory."""

    request_class = InMemoryRequest


def build_app(engine: Engine | None, settings: WebSettings) -> Flask:
    """The app. A missing model or detector is raised here and not at the first request."""
    app = WebApp(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.url_map.merge_slashes = False
    service = _build_service(engine, settings)
    app.extensions["mien"] = service
    atexit.register(service.jobs.close)
    install_security(app, settings, service.metrics)
    register_error_handlers(app)
    _limit_request_size(app, settings)
    _record_requests(app, service)
    api.register_routes(app)
    pages.register_routes(app)
    if settings.proxies:
        trusted: dict[str, int] = dict.fromkeys(("x_for", "x_proto", "x_host"), settings.proxies)
        app.wsgi_app = cast(Any, ProxyFix(app.wsgi_app, **trusted))  # type: ignore[method-assign]
    return app


def _build_service(engine: Engine | None, settings: WebSettings) -> WebService:
    metrics, limit = Metrics(), ConcurrencyLimit(settings.worker_count, settings.queue_length)
    load = BatchingEngineLoader(settings, metrics, others=lambda: limit.running > 1)
    engines = EngineCache(
        engine, model=settings.model, detector=settings.detector, models=settings.models or None, load=load
    )
    default, jobs = engines.get(), VideoQueue(settings)
    text = "Requests that wait for a worker."
    metrics.add_gauge("mien_requests_waiting", text, lambda: {(): limit.waiting})
    metrics.add_gauge("mien_requests_running", "Requests that are processed.", lambda: {(): limit.running})
    text = "Videos, by state."
    metrics.add_gauge("mien_videos", text, lambda: {(state,): n for state, n in jobs.states().items()}, ("state",))
    metrics.add_gauge("mien_model_runs_total", "Runs of the models.", lambda: {(): load.counts()[0]})
    metrics.add_gauge("mien_model_faces_total", "Faces in these runs.", lambda: {(): load.counts()[1]})
    info: dict[tuple[str, ...], float] = {(default.detector, engines.default): 1}
    metrics.add_gauge("mien_model_info", "The default model and detector.", lambda: info, ("detector", "model"))
    return WebService(settings, metrics, limit, engines, jobs)


def _limit_request_size(app: Flask, settings: WebSettings) -> None:
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes + FORM_OVERHEAD

    @app.before_request
    def _permit_larger_videos() -> None:
        if request.endpoint == "videos.create":
            request.max_content_length = settings.max_video_bytes + FORM_OVERHEAD


def _record_requests(app: Flask, service: WebService) -> None:
    @app.after_request
    def _record(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("start", time.perf_counter())
        route = request.url_rule.rule if request.url_rule else "none"
        # Clients may send any text as a method; the metrics and the log have only the standard ones.
        method = request.method if request.method in _METHODS else "other"
        status = response.status_code
        service.metrics.requests.labels(route=route, method=method, status=str(status)).inc()
        service.metrics.seconds.labels(route=route).observe(seconds)
        if request.endpoint not in _UNLOGGED or status >= 400:
            facts = {"id": g.get("request_id"), "method": method, "route": route, "status": status}
            log_event("request", **facts, ms=round(1000 * seconds, 1), **g.get("facts", {}))
        return response
