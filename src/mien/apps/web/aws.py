"""The service as an AWS Lambda function: ``mien.apps.web.aws.handler``, behind a function URL or an HTTP API.

Lambda passes one request at a time as a dict and expects the response as a dict. Videos and event streams need more
than one request, and so are disabled there.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from io import BytesIO
from typing import Any

from flask import Flask
from werkzeug.datastructures import Headers

from mien.apps.web import create_app
from mien.apps.web.monitoring import configure_logging


class LambdaHandler:
    """Returns the response to an event of payload format 2.0. The app is created for the first event."""

    @cached_property
    def app(self) -> Flask:
        configure_logging("json")
        # AWS assigns the host name of a function, and no other name reaches it.
        return create_app(hosts=("*",), max_video_bytes=0)

    def __call__(self, event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
        return run_event(self.app, event)


handler = LambdaHandler()


def run_event(app: Callable[..., Iterable[bytes]], event: Mapping[str, Any]) -> dict[str, Any]:
    """The response of a WSGI app to an event."""
    start: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        start.update(status=int(status.split()[0]), headers=Headers(headers))
        return lambda data: None

    body = app(build_environ(event), start_response)
    try:
        data = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    headers = {name: ", ".join(start["headers"].getlist(name)) for name in dict(start["headers"])}
    return {
        "statusCode": start["status"],
        "headers": headers,
        "isBase64Encoded": True,
        "body": base64.b64encode(data).decode(),
    }


def build_environ(event: Mapping[str, Any]) -> dict[str, Any]:
    """The request of an event as a WSGI environment."""
    http = event["requestContext"]["http"]
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    text = event.get("body") or ""
    data = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    return {
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        "REQUEST_METHOD": http["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": event.get("rawPath", "/"),
        "QUERY_STRING": event.get("rawQueryString", ""),
        "SERVER_PROTOCOL": http.get("protocol", "HTTP/1.1"),
        "SERVER_NAME": headers.get("host", "localhost").partition(":")[0],
        "SERVER_PORT": headers.get("x-forwarded-port", "443"),
        "REMOTE_ADDR": http.get("sourceIp", ""),
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(data)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": headers.get("x-forwarded-proto", "https"),
        "wsgi.input": BytesIO(data),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
