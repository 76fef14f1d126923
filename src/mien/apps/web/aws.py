"""The service as an AWS Lambda function: ``mien.apps.web.aws.handler``, behind a function URL or an HTTP API.

Lambda hands over one request at a time as a dict and takes the answer as one. Films and event streams outlive a
request, and so are off there.
"""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any

from flask import Flask
from werkzeug.datastructures import Headers

from mien.apps.web import create_app

_making = threading.Lock()
_apps: list[Flask] = []


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """One event of payload format 2.0, answered. The app is made at the first and kept for those after it."""
    return run_event(_app(), event)


def run_event(app: Callable[..., Iterable[bytes]], event: Mapping[str, Any]) -> dict[str, Any]:
    """One event through a WSGI app."""
    told: dict[str, Any] = {}

    def begin(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        told.update(status=int(status.split()[0]), headers=Headers(headers))
        return lambda data: None

    body = app(build_environ(event), begin)
    try:
        data = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    headers = {name: ", ".join(told["headers"].getlist(name)) for name in dict(told["headers"])}
    return {
        "statusCode": told["status"],
        "headers": headers,
        "isBase64Encoded": True,
        "body": base64.b64encode(data).decode(),
    }


def build_environ(event: Mapping[str, Any]) -> dict[str, Any]:
    """The request as WSGI has it."""
    http = event["requestContext"]["http"]
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    text = event.get("body") or ""
    data = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    known = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {
        **known,
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


def _app() -> Flask:
    with _making:
        if not _apps:
            from mien.apps.web.request_log import configure_logging

            configure_logging("json")
            # A function's address is given by AWS, and nothing but AWS can reach it under another.
            _apps.append(create_app(hosts=("*",), max_film_bytes=0))
        return _apps[0]
