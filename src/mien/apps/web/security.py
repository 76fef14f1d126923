"""Who may ask, from where and how often; and the headers that every answer has."""

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
from mien.apps.web.metrics import Metrics
from mien.apps.web.settings import Settings

#: The pages hold no inline style and no inline script, so nothing that a picture's name smuggles in could run.
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

_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d{1,5})?")

#: What anybody may ask for without a key: what pages are made of, and whether the server lives. A film's job is
#: asked for by its own unguessable id, which browsers can put where they can put no key.
_OPEN = ("page", "state.health", "state.ready", "described.", "videos.state", "videos.events", "videos.result")


class RateLimiter:
    """So many requests a minute for each client, a few at once; clients that have not come for long are forgotten."""

    def __init__(self, a_minute: float) -> None:
        self._rate = a_minute / 60
        self._most = max(a_minute / 6, 1.0)
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, client: str) -> float:
        """0 when the request may pass, else seconds until the next may."""
        now = time.monotonic()
        with self._lock:
            left, then = self._left.pop(client, (self._most, now))
            left = min(self._most, left + (now - then) * self._rate)
            passes = left >= 1
            self._left[client] = (left - 1 if passes else left, now)
            while len(self._left) > 10_000:
                self._left.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._rate


def install_security(app: Flask, settings: Settings, metrics: Metrics) -> None:
    pace = RateLimiter(settings.rate) if settings.rate else None

    @app.before_request
    def _guard() -> Response | None:
        g.began = time.perf_counter()
        asked = request.headers.get("X-Request-ID", "")
        g.request_id = asked if _ID.fullmatch(asked) else secrets.token_hex(8)
        try:
            return _checked(settings, pace)
        except HttpProblem as problem:
            metrics.refused.labels(reason=str(problem.more.pop("reason", "other"))).inc()
            raise

    @app.after_request
    def _finish(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        response.headers["X-Request-ID"] = g.get("request_id", "")
        _allow_origin(response, settings)
        return response


def _checked(settings: Settings, pace: RateLimiter | None) -> Response | None:
    _check_host(settings)
    _check_site(settings)
    if request.method == "OPTIONS" and request.headers.get("Access-Control-Request-Method"):
        return Response(status=204)
    if (request.endpoint or "").startswith(_OPEN):
        return None
    _check_key(settings)
    if pace and (wait := pace.wait_for(request.remote_addr or "")):
        detail = f"At most {settings.rate:g} requests a minute are answered. Wait a little."
        raise HttpProblem(429, detail, headers={"Retry-After": str(int(wait) + 1)}, reason="rate")
    return None


def _check_host(settings: Settings) -> None:
    """A page elsewhere whose name was made to lead here (DNS rebinding) must not be taken for one of ours."""
    found = _HOST.fullmatch(request.host)
    name = found[1].strip("[]").rstrip(".").lower() if found else ""
    if not name or not _answers_to(name, settings):
        raise HttpProblem(
            421, "This server does not answer to that name. Its owner can add it to 'hosts'.", reason="host"
        )


def _answers_to(name: str, settings: Settings) -> bool:
    if name in ("localhost", settings.host.lower()) or "*" in settings.hosts:
        return True
    for known in (each.lower() for each in settings.hosts):
        if name == known or (known.startswith("*.") and name.endswith(known[1:])):
            return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_site(settings: Settings) -> None:
    """What other sites' pages send is refused, unless their origin is among those that may."""
    origin = request.headers.get("Origin")
    if not origin or _may(origin, settings):
        return
    same = urlsplit(origin).netloc.lower() == request.host.lower()
    if not same or request.headers.get("Sec-Fetch-Site", "same-origin") == "cross-site":
        raise HttpProblem(403, "Pages of other sites may not ask this server.", reason="origin")


def _may(origin: str, settings: Settings) -> bool:
    return "*" in settings.origins or origin.rstrip("/") in settings.origins


def _check_key(settings: Settings) -> None:
    if not settings.keys:
        return
    word, _, bearer = request.headers.get("Authorization", "").partition(" ")
    given = bearer.strip() if word.lower() == "bearer" else request.headers.get("X-API-Key", "")
    # Every key is compared, in the same time whether it fits or not.
    fits = [hmac.compare_digest(given.encode(), key.encode()) for key in settings.keys]
    if not any(fits):
        detail = "This server needs a key: send it as 'Authorization: Bearer KEY' or as 'X-API-Key'."
        raise HttpProblem(401, detail, headers={"WWW-Authenticate": "Bearer"}, reason="key")


def _allow_origin(response: Response, settings: Settings) -> None:
    origin = request.headers.get("Origin")
    if not origin or not settings.origins or not _may(origin, settings):
        return
    response.headers["Access-Control-Allow-Origin"] = "*" if "*" in settings.origins else origin
    response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
    response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, X-API-Key, X-Request-ID"
    response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After, X-Request-ID"
    response.headers["Access-Control-Max-Age"] = "600"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.vary.add("Origin")
