"""Access to the service: host names, origins (CORS), API keys, rate limits; and the security headers of responses."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import threading
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from mien.apps.web.errors import HttpProblem
from mien.apps.web.monitoring import Metrics
from mien.apps.web.settings import WebSettings

#: The pages have no inline styles and no inline scripts, so that injected text, such as a file name, cannot run.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d{1,5})?")

#: Endpoints, or prefixes of them, that need no key: pages and their assets, health, the reference, and the jobs of
#: videos, whose ids cannot be guessed and which browsers request where they cannot send a key (<video src>).
_PUBLIC = (
    "pages.",
    "assets.",
    "status.health",
    "status.ready",
    "openapi.",
    "videos.state",
    "videos.events",
    "videos.result",
)


#: Requests with a wrong key that an address may send in a minute.
WRONG_KEYS_PER_MINUTE = 60.0


def install_security(app: Flask, settings: WebSettings, metrics: Metrics) -> None:
    """Check each request before its route, and add the headers to each response."""
    limiter = RateLimiter(settings.rate) if settings.rate else None
    wrong_keys = RateLimiter(WRONG_KEYS_PER_MINUTE)

    @app.before_request
    def _check() -> Response | None:
        g.start = time.perf_counter()
        client_id = request.headers.get("X-Request-ID", "")
        g.request_id = client_id if _REQUEST_ID.fullmatch(client_id) else secrets.token_hex(8)
        try:
            return _check_request(settings, limiter, wrong_keys)
        except HttpProblem as problem:
            metrics.refused.labels(reason=str(problem.members.pop("reason", "other"))).inc()
            raise

    @app.after_request
    def _add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        response.headers["X-Request-ID"] = g.get("request_id", "")
        _add_cors_headers(response, settings)
        return response


def _check_request(settings: WebSettings, limiter: RateLimiter | None, wrong_keys: RateLimiter) -> Response | None:
    """The response to a CORS preflight request, None for a request that may continue; else HttpProblem."""
    _check_host(settings)
    _check_origin(settings)
    if request.method == "OPTIONS" and request.headers.get("Access-Control-Request-Method"):
        return Response(status=204)
    if (request.endpoint or "").startswith(_PUBLIC):
        return None
    _check_key(settings, wrong_keys)
    if limiter and (wait := limiter.wait_for(request.remote_addr or "")):
        detail = f"The rate limit is {settings.rate:g} requests a minute. Wait a little."
        raise HttpProblem(429, detail, headers={"Retry-After": str(int(wait) + 1)}, reason="rate")
    return None


def _check_host(settings: WebSettings) -> None:
    """Reject other host names: DNS rebinding lets the page of another site use its own name for this server."""
    match = _HOST.fullmatch(request.host)
    name = match[1].strip("[]").rstrip(".").lower() if match else ""
    if not name or not _is_own_host(name, settings):
        detail = "This server does not accept that host name. Its owner can add it to the setting 'hosts'."
        raise HttpProblem(421, detail, reason="host")


def _is_own_host(name: str, settings: WebSettings) -> bool:
    if name in ("localhost", settings.host.lower()) or "*" in settings.hosts:
        return True
    for host in (each.lower() for each in settings.hosts):
        if name == host or (host.startswith("*.") and name.endswith(host[1:])):
            return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(settings: WebSettings) -> None:
    """Reject requests from pages of other sites, unless their origin is allowed."""
    origin = request.headers.get("Origin")
    if not origin or _is_allowed_origin(origin, settings):
        return
    same = urlsplit(origin).netloc.lower() == request.host.lower()
    if not same or request.headers.get("Sec-Fetch-Site", "same-origin") == "cross-site":
        detail = "Pages of other sites may not send requests to this server, unless 'origins' names them."
        raise HttpProblem(403, detail, reason="origin")


def _is_allowed_origin(origin: str, settings: WebSettings) -> bool:
    return "*" in settings.origins or origin.rstrip("/") in settings.origins


def _check_key(settings: WebSettings, wrong_keys: RateLimiter) -> None:
    if not settings.keys:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
    # All keys are compared, in constant time, so that the duration reveals nothing about them.
    matches = [hmac.compare_digest(key.encode(), each.encode()) for each in settings.keys]
    if not any(matches):
        if wait := wrong_keys.wait_for(request.remote_addr or ""):
            headers = {"Retry-After": str(int(wait) + 1)}
            raise HttpProblem(429, "Too many requests with a wrong key. Wait a little.", headers=headers, reason="rate")
        detail = "This server needs a key: send it as 'Authorization: Bearer KEY' or as 'X-API-Key'."
        raise HttpProblem(401, detail, headers={"WWW-Authenticate": "Bearer"}, reason="key")


def _add_cors_headers(response: Response, settings: WebSettings) -> None:
    origin = request.headers.get("Origin")
    if not origin or not settings.origins or not _is_allowed_origin(origin, settings):
        return
    response.headers["Access-Control-Allow-Origin"] = "*" if "*" in settings.origins else origin
    response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
    response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, X-API-Key, X-Request-ID"
    response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After, X-Request-ID"
    response.headers["Access-Control-Max-Age"] = "600"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.vary.add("Origin")


class RateLimiter:
    """A token bucket for each client: ``per_minute`` requests a minute, and up to a sixth of that at once.

    Of more than 10,000 clients the ones that were idle for the longest time are dropped.
    """

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._capacity = max(per_minute / 6, 1.0)
        self._lock = threading.Lock()
        #: The tokens of each client, and when they were counted; the client that came last is the last.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, client: str) -> float:
        """Count a request. 0 when it is within the limit, else the number of seconds until the next one is."""
        now = time.monotonic()
        with self._lock:
            tokens, counted = self._buckets.pop(client, (self._capacity, now))
            tokens = min(self._capacity, tokens + (now - counted) * self._per_second)
            allowed = tokens >= 1
            self._buckets[client] = (tokens - 1 if allowed else tokens, now)
            while len(self._buckets) > 10_000:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._per_second
