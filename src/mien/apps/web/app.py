"""The Flask app: settings, engines, limits, routes, what is done for every request, and the state of the service."""

from __future__ import annotations

import atexit
import time
from typing import Any, cast

from flask import Blueprint, Flask, Response, g, jsonify, request
from werkzeug.middleware.proxy_fix import ProxyFix

from mien._version import __version__
from mien.apps.session.engines import EngineCache
from mien.apps.web import image_routes, live_routes, openapi, pages, video_routes
from mien.apps.web.errors import register_error_handlers
from mien.apps.web.jobs import VideoQueue
from mien.apps.web.live_sessions import LiveSessions
from mien.apps.web.monitoring import Metrics, log_event
from mien.apps.web.security import install_security
from mien.apps.web.service import BatchingEngineLoader, ConcurrencyLimit, PixelBudget, WebService, current_service
from mien.apps.web.settings import WebSettings
from mien.apps.web.uploads import InMemoryRequest
from mien.engine import Engine
from mien.labels import label_colour
from mien.models import ModelCard

#: The prefix of this version; a later version would get a prefix beside it.
PREFIX = "/api/v1"

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
    for blueprint in (image_routes.routes, video_routes.routes, live_routes.routes, routes):
        app.register_blueprint(blueprint, url_prefix=PREFIX)
    app.register_blueprint(openapi.routes, url_prefix="/api")
    app.register_blueprint(image_routes.deepface_routes)
    pages.register_routes(app)
    if settings.proxies:
        trusted: dict[str, int] = dict.fromkeys(("x_for", "x_proto", "x_host"), settings.proxies)
        app.wsgi_app = cast(Any, ProxyFix(app.wsgi_app, **trusted))  # type: ignore[method-assign]
    return app


def _build_service(engine: Engine | None, settings: WebSettings) -> WebService:
    metrics, limit = Metrics(), ConcurrencyLimit(settings.worker_count, settings.queue_length)
    load = BatchingEngineLoader(settings, metrics, others=lambda: limit.running > 1)
    engines = EngineCache(
        engine,
        model=settings.model,
        detector=settings.detector,
        prior=settings.prior,
        models=settings.models or None,
        load=load,
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
    live = LiveSessions(settings.live_sessions)
    metrics.add_gauge("mien_live_sessions", "Open live sessions.", lambda: {(): len(live)})
    return WebService(settings, metrics, limit, PixelBudget(settings.max_pixels), engines, jobs, live)


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


routes = Blueprint("status", __name__)


@routes.get("/models")
def models() -> Response:
    """The cards of the models, the default first, with the colours of their labels."""
    engines = current_service().engines
    entries = [_model_entry(name, card, name == engines.default) for name, card in engines.cards().items()]
    return jsonify(models=entries, detector=engines.get().detector)


def _model_entry(name: str, card: ModelCard, default: bool) -> dict[str, Any]:
    labels = tuple(dict.fromkeys((*card.labels, *card.vote_labels)))
    return {
        "name": name,
        "default": default,
        "colours": {label: label_colour(label, labels) for label in labels},
        "card": {key: value for key, value in card.to_dict().items() if key != "recipe"},
    }


@routes.get("/health")
def health() -> Response:
    """200 while the process is alive."""
    return jsonify(status="ok", version=__version__)


@routes.get("/ready")
def ready() -> tuple[Response, int]:
    """200 while new requests are accepted; 503 while the server stops, or its queue is full."""
    service = current_service()
    full = service.limit.waiting >= service.settings.queue_length > 0
    reason = "stopping" if service.stopping.is_set() else "full" if full else None
    model, detector = service.engines.default, service.engines.get().detector
    return jsonify(status=reason or "ready", model=model, detector=detector), 503 if reason else 200


@routes.get("/metrics")
def metrics() -> Response:
    """The metrics in the text format of Prometheus."""
    return Response(current_service().metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
