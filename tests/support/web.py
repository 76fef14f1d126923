"""Shared by the tests of the web app: apps, images, requests, and a server on a real socket."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jsonschema import Draft202012Validator
from PIL import Image

from fakes import FakeClassifier, FakeDetector
from mien.apps.web import create_app
from mien.apps.web.openapi import openapi_document
from mien.engine import Engine
from mien.results import Box

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAITS, ASTRONAUT, HOPPER = (EXAMPLES / f"{name}.jpg" for name in ("portraits", "astronaut", "hopper"))
READINGS, VIDEOS = "/api/v1/readings", "/api/v1/videos"


def make_app(engine: Engine | None = None, **settings):
    """An app as the server creates it, with the Haar detector and without a log."""
    return create_app(engine, **{"detector": "haar", "log": "off", "port": 0, **settings})


def make_fake_engine(classifier=None, detector=None) -> Engine:
    return Engine(classifier or FakeClassifier(), detector or FakeDetector((Box(0, 0, 8, 8),)))


class GatedClassifier(FakeClassifier):
    """Its runs wait while ``gate`` is cleared; ``started`` is set by the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def run(self, faces):
        self.started.set()
        self.gate.wait(20)
        return super().run(faces)


def service_of(app):
    return app.extensions["mien"]


def image_bytes(width: int = 16, height: int = 16, *, file_format: str = "PNG", value: int = 128) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(stream, file_format)
    return stream.getvalue()


def form_files(*files: tuple[str, bytes], **fields):
    """A form for the test client."""
    return {"file": [(io.BytesIO(data), name) for name, data in files], **fields}


def multipart_form(*files: tuple[str, bytes], **fields: str) -> dict[str, object]:
    """The same form as bytes: the test client would write a large one to the disk."""
    parts = [_form_part(f'name="file"; filename="{name}"', data) for name, data in files]
    parts += [_form_part(f'name="{name}"', value.encode()) for name, value in fields.items()]
    return {"data": b"".join(parts) + b"--mien--\r\n", "content_type": "multipart/form-data; boundary=mien"}


def _form_part(head: str, data: bytes) -> bytes:
    return b"--mien\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def post_bytes(client, data: bytes, path: str = READINGS, **options):
    """Post data as the body itself, without a form."""
    return client.post(path, data=data, content_type="application/octet-stream", **options)


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return as soon as the condition is true; fail if it is not true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not true in time"
        time.sleep(0.002)


def check_schema(name: str, value) -> None:
    """The value is valid by a schema of the OpenAPI document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": openapi_document()["components"]}
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]
    assert errors == []


@contextmanager
def running_server(app, **options) -> Iterator[tuple[str, int]]:
    """The app behind a real socket, in a thread; the value is its address."""
    from mien.apps.web.server import WebServer

    server = WebServer(app, **options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.address
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()
