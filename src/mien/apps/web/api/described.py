"""``/api/openapi.json``: what there is, for programs; and ``/api``: the same, for people."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, render_template

from mien.apps.web.openapi import document

routes = Blueprint("described", __name__)


@routes.get("/openapi.json")
def described() -> Response:
    return jsonify(document())


@routes.get("", strict_slashes=False)
def reference() -> str:
    known = document()
    by_tag = {tag["name"]: (tag["description"], list(_of(known, tag["name"]))) for tag in known["tags"]}
    return render_template("reference.html", document=known, by_tag=by_tag, shape=_shape)


def _of(known: dict[str, Any], tag: str) -> Any:
    for path, item in known["paths"].items():
        for verb in ("get", "post", "delete"):
            if verb in item and tag in item[verb]["tags"]:
                told = item[verb]
                yield verb, path, {**told, "parameters": [*item.get("parameters", []), *told.get("parameters", [])]}


def _shape(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(map(_shape, schema["anyOf"]))
    if "allOf" in schema:
        return " and ".join(map(_shape, schema["allOf"]))
    if schema.get("type") == "array":
        return f"list of {_shape(schema['items'])}"
    if "contentMediaType" in schema:
        return "bytes"
    inner = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(inner, dict):
        return f"object of {_shape(inner)}"
    return {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}.get(
        str(schema.get("type")), str(schema.get("type", "anything"))
    )
