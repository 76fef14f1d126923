"""The static files of the pages. Their URL contains a hash of all of them, so that browsers may cache them for good."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from mien.apps.session import samples
from mien.explain.page import walkthrough_script, walkthrough_style
from mien.html import style_sheet

routes = Blueprint("assets", __name__)

_CONTENT_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
    "json": "application/json",
}


@cache
def load_assets() -> dict[str, bytes]:
    """All files by name: those of ``static``, the sample images, and the style and script of the walkthrough."""
    folder = files("mien.apps.web").joinpath("static")
    assets = {file.name: file.read_bytes() for file in folder.iterdir() if _extension(file.name) in _CONTENT_TYPES}
    # One style sheet: a page waits for one response before it is rendered, not for two.
    assets["style.css"] = f"{style_sheet()}\n{assets.pop('web.css').decode()}".encode()
    assets |= {f"samples/{name}": data for name, data in samples.load_sample_files().items()}
    assets["walkthrough.css"] = walkthrough_style().encode()
    assets["walkthrough.js"] = walkthrough_script().encode()
    return assets


@cache
def assets_version() -> str:
    """The hash in the URL of the files."""
    digest = hashlib.sha256()
    for name, data in sorted(load_assets().items()):
        digest.update(name.encode() + b"\0" + data)
    return digest.hexdigest()[:12]


@routes.get("/assets/<version>/<path:name>")
def asset(version: str, name: str) -> Response:
    """One file. A request with an older hash gets the newest file, which then must not be cached."""
    data = load_assets().get(name)
    if data is None:
        abort(404)
    response = Response(data, content_type=_CONTENT_TYPES[_extension(name)])
    current = version == assets_version()
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
    response.set_etag(assets_version())
    response.make_conditional(request)
    return response


@routes.get("/favicon.ico")
def icon() -> BaseResponse:
    return redirect(f"/assets/{assets_version()}/icon.svg")


def _extension(name: str) -> str:
    return name.rpartition(".")[2]
