"""What pages are made of. Its address holds a fingerprint of it all, so browsers may keep it for good."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from mien.apps.session import samples
from mien.explain.page import walkthrough_script, walkthrough_style
from mien.html import style_sheet

routes = Blueprint("pages", __name__)

_CONTENT_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
    "json": "application/json",
}


@cache
def load_assets() -> dict[str, bytes]:
    """Everything by its name: what lies in ``static``, and what other rooms bring."""
    found = dict(_under(files("mien.apps.web").joinpath("static"), ""))
    # One file: a page waits for one answer before it can be shown, not for two.
    found["style.css"] = f"{style_sheet()}\n{found.pop('web.css').decode()}".encode()
    found |= {f"samples/{name}": data for name, data in samples.pictures().items()}
    found["walkthrough.css"] = walkthrough_style().encode()
    found["walkthrough.js"] = walkthrough_script().encode()
    return found


@cache
def assets_version() -> str:
    mixed = hashlib.sha256()
    for name, data in sorted(load_assets().items()):
        mixed.update(name.encode() + b"\0" + data)
    return mixed.hexdigest()[:12]


@routes.get("/assets/<told>/<path:name>")
def asset(told: str, name: str) -> Response:
    """One file of the pages; an older fingerprint gets the newest, and no leave to keep it."""
    data = load_assets().get(name)
    if data is None:
        abort(404)
    response = Response(data, content_type=_CONTENT_TYPES[name.rpartition(".")[2]])
    keep = "public, max-age=31536000, immutable" if told == assets_version() else "no-cache"
    response.headers["Cache-Control"] = keep
    response.set_etag(assets_version())
    response.make_conditional(request)
    return response


@routes.get("/favicon.ico")
def icon() -> BaseResponse:
    return redirect(f"/assets/{assets_version()}/icon.svg")


def _under(folder: Traversable, before: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _under(each, f"{before}{each.name}/")
        elif each.name.rpartition(".")[2] in _CONTENT_TYPES:
            found.append((f"{before}{each.name}", each.read_bytes()))
    return found
