"""Errors as ``application/problem+json`` (RFC 9457): the HTTP status, and the message of the library."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from mien.apps.web.monitoring import log_event
from mien.errors import (
    ArrayError,
    DetectorError,
    MienError,
    MissingExtra,
    ModelMissing,
    PriorError,
    SourceError,
    SourceTooLarge,
)


class ServerBusy(Exception):
    """The queue is full, or a request waited in it for too long (``timed_out``).

    ``retry_after`` is the number of seconds after which a retry may succeed.
    """

    def __init__(self, retry_after: int, timed_out: bool) -> None:
        super().__init__("timed out" if timed_out else "queue full")
        self.retry_after, self.timed_out = retry_after, timed_out


PROBLEM_TYPE = "application/problem+json"

#: The HTTP status of the library's errors; the first class that fits counts.
_STATUSES = (
    (SourceTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (SourceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ArrayError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelMissing, HTTPStatus.NOT_FOUND),
    (DetectorError, HTTPStatus.NOT_FOUND),
    (PriorError, HTTPStatus.BAD_REQUEST),
    (MissingExtra, HTTPStatus.NOT_IMPLEMENTED),
)


class HttpProblem(Exception):
    """A request that fails with this status; ``members`` are added to the standard members of the JSON object."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.members = status, detail, headers or {}, members


def status_code(error: MienError) -> int:
    """The HTTP status of an error; 500 where it is the server's fault, for instance a damaged model."""
    return next((int(status) for kind, status in _STATUSES if isinstance(error, kind)), 500)


def problem_from_error(error: MienError) -> HttpProblem:
    """The response to an error of the library; 400 for a plain MienError, which reports an invalid option."""
    status = 400 if type(error) is MienError else status_code(error)
    return HttpProblem(status, str(error), error=type(error).__name__)


def problem_response(problem: HttpProblem) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": g.get("request_id"),
        **problem.members,
    }
    content = json.dumps(body, ensure_ascii=False)
    return Response(content, problem.status, problem.headers, content_type=PROBLEM_TYPE)


def register_error_handlers(app: Flask) -> None:
    """Turn every exception of the app into a response, so that no traceback reaches a client."""
    app.register_error_handler(HttpProblem, problem_response)
    app.register_error_handler(ServerBusy, _handle_busy)
    app.register_error_handler(MienError, _handle_mien_error)
    app.register_error_handler(HTTPException, _handle_http_exception)
    app.register_error_handler(Exception, _handle_bug)


def _handle_busy(busy: ServerBusy) -> Response:
    detail = "The server is busy. Try again in a little while."
    if busy.timed_out:
        detail = "The server is busy: the request waited for too long in the queue. Try again in a little while."
    return problem_response(HttpProblem(503, detail, headers={"Retry-After": str(busy.retry_after)}))


def _handle_mien_error(error: MienError) -> Response:
    problem = problem_from_error(error)
    if problem.status >= 500 and problem.status != HTTPStatus.NOT_IMPLEMENTED:
        log_event("failed", level=logging.ERROR, error=error, id=g.get("request_id"))
    return problem_response(problem)


def _handle_http_exception(error: HTTPException) -> Response:
    detail = {
        RequestEntityTooLarge: "The request is larger, or has more parts, than this server accepts.",
        NotFound: "Nothing exists at this address. /api lists all addresses.",
        MethodNotAllowed: "This address does not support the method of the request.",
    }.get(type(error), error.description or "")
    headers = {name: value for name, value in error.get_headers() if name.lower() == "allow"}
    return problem_response(HttpProblem(error.code or 500, str(detail), headers=headers))


def _handle_bug(error: Exception) -> Response:
    log_event("bug", level=logging.ERROR, error=error, id=g.get("request_id"))
    detail = "This is a bug in mien, and it was logged. Please report it with the id of this request."
    return problem_response(HttpProblem(500, detail))
