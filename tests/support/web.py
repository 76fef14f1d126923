"""What the tests of the web app share: apps, pictures, and a server that really listens."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from fakes import FakeClassifier, FakeDetector
from mien.apps.web import create_app
from mien.engine import Engine
from mien.results import Box

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAITS, ASTRONAUT, HOPPER = (EXAMPLES / f"{name}.jpg" for name in ("portraits", "astronaut", "hopper"))
READINGS = "/api/v1/readings"
QUIET = {"detector": "haar", "log": "off", "port": 0}


def app_of(engine: Engine | None = None, **settings):
    """An app as the server makes it, quiet, and with whatever the test sets."""
    return create_app(engine, **{**QUIET, **settings})


def fake_engine(**parts) -> Engine:
    return Engine(
        parts.get("classifier") or FakeClassifier(), parts.get("detector") or FakeDetector((Box(0, 0, 8, 8),))
    )


def service(app):
    return app.extensions["mien"]


def picture(width: int = 16, height: int = 16, *, form: str = "PNG", value: int = 128) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(stream, form)
    return stream.getvalue()


def upload(*files: tuple[str, bytes], **words):
    """What the test client sends as a form."""
    return {"file": [(io.BytesIO(data), name) for name, data in files], **words}


def send(client, data: bytes, path: str = READINGS, **more):
    return client.post(path, data=data, content_type="application/octet-stream", **more)


@contextmanager
def listening(app, **how) -> Iterator[tuple[str, int]]:
    """The app behind a real socket, in a thread; the address."""
    from mien.apps.web.server import WebServer

    server = WebServer(app, **how)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.address
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


def form(*files: tuple[str, bytes], **words: str) -> dict[str, object]:
    """The same form as bytes: the test client would write large ones to the disk, which is what we test against."""
    parts = [_part(f'name="file"; filename="{name}"', data) for name, data in files]
    parts += [_part(f'name="{name}"', value.encode()) for name, value in words.items()]
    return {"data": b"".join(parts) + b"--mien--\r\n", "content_type": "multipart/form-data; boundary=mien"}


def _part(head: str, data: bytes) -> bytes:
    return b"--mien\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
