"""What went wrong, as ``application/problem+json`` (RFC 9457): a status, and the sentence that the library gives."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from mien.apps.web.concurrency_limit import ServerBusy
from mien.apps.web.request_log import logger
from mien.errors import ArrayError, DetectorError, MienError, MissingExtra, ModelMissing, SourceError, SourceTooLarge

PROBLEM_TYPE = "application/problem+json"

#: Which status an error of ours has; the first that fits counts.
_STATUSES = (
    (SourceTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (SourceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ArrayError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelMissing, HTTPStatus.NOT_FOUND),
    (DetectorError, HTTPStatus.NOT_FOUND),
    (MissingExtra, HTTPStatus.NOT_IMPLEMENTED),
)


class HttpProblem(Exception):
    """A request that cannot be answered; ``more`` are members beside the usual ones."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more


def status_code(error: MienError) -> int:
    return next((int(status) for kind, status in _STATUSES if isinstance(error, kind)), 500)


def problem_from_error(error: MienError) -> HttpProblem:
    """The problem that one of our errors is; 400 where the request itself was wrong."""
    status = 400 if type(error) is MienError else status_code(error)
    return HttpProblem(status, str(error), error=type(error).__name__)


def problem_from_busy(busy: ServerBusy) -> HttpProblem:
    detail = "The server has too much to do at the moment. Try again in a little while."
    if busy.late:
        detail = "The server could not begin with this in time. Try again in a little while."
    return HttpProblem(503, detail, headers={"Retry-After": str(busy.after)})


def problem_response(problem: HttpProblem) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": g.get("request_id"),
        **problem.more,
    }
    return Response(json.dumps(body, ensure_ascii=False), problem.status, problem.headers, content_type=PROBLEM_TYPE)


def register_error_handlers(app: Flask) -> None:
    """Everything that can go wrong in the app ends here, and no traceback reaches a client."""
    app.register_error_handler(HttpProblem, problem_response)
    app.register_error_handler(ServerBusy, lambda busy: problem_response(problem_from_busy(busy)))
    app.register_error_handler(MienError, _mien)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def _mien(error: MienError) -> Response:
    problem = problem_from_error(error)
    if problem.status >= 500 and problem.status != HTTPStatus.NOT_IMPLEMENTED:
        logger.error("failed", exc_info=error, extra={"facts": {"id": g.get("request_id")}})
    return problem_response(problem)


def _http(error: HTTPException) -> Response:
    detail = {
        RequestEntityTooLarge: "The request is larger, or has more parts, than this server takes.",
        NotFound: "There is nothing at this address. /api is the reference of what there is.",
        MethodNotAllowed: "This address does not take that method.",
    }.get(type(error), error.description or "")
    headers = {name: value for name, value in error.get_headers() if name.lower() == "allow"}
    return problem_response(HttpProblem(error.code or 500, str(detail), headers=headers))


def _bug(error: Exception) -> Response:
    logger.log(logging.ERROR, "bug", exc_info=error, extra={"facts": {"id": g.get("request_id")}})
    told = "This is a bug in mien, and it was written down. Please report it with this request's number."
    return problem_response(HttpProblem(500, told))
