"""The description of the API (OpenAPI 3.1), in one place and in plain values; a test holds it against the routes."""

from __future__ import annotations

from functools import cache
from typing import Any

from mien._version import __version__
from mien.apps.web.openapi.paths import paths
from mien.apps.web.openapi.schemas import schemas

_ABOUT = """Reads what facial expressions look like in pictures and films, and shows what happens inside the network.

Nothing that is sent is kept. No address and no path is ever opened. Every failure is `application/problem+json` with
one sentence that says what happened, what was expected, and what to do."""


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "mien", "version": __version__, "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"header": []}],
        "tags": [
            {"name": "pictures", "description": "Photos, and frames of a camera."},
            {"name": "films", "description": "Read in the background; jobs live in the process that took them."},
            {"name": "service", "description": "What there is, and how it is."},
            {"name": "DeepFace", "description": "For programs that call DeepFace's own server."},
        ],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }
