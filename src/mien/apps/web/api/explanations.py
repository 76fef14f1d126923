"""``POST /explanations``: what happens inside the network on a face; ``POST /looks``: the quick look, for cameras."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from mien.apps.web.api import seen
from mien.apps.web.api.readings import engine_for, pixels_of, read_pixels
from mien.apps.web.intake import MAPS, MOST_MAPS, Asked, asked, choice, number, wanted
from mien.apps.web.problems import Problem
from mien.apps.web.service import Service, service
from mien.apps.web.stages import stage
from mien.engine import Engine, framing_of
from mien.errors import MienError, nearest
from mien.explain import Explanation
from mien.faces.crop import cut
from mien.media.names import plain
from mien.types import Pixels

routes = Blueprint("explanations", __name__)

JSON, HTML = "application/json", "text/html"


@routes.post("/explanations")
def explain() -> Response:
    """One picture, one face: layers, maps, evidence. As HTML it is the walkthrough, a standalone page."""
    kind = wanted(request, [JSON, HTML])
    own, said = service(), _one(service())
    engine = engine_for(own, said.words)
    with own.turn():
        pixels = pixels_of(own, said.uploads[0])
        with stage(own.metrics, "explain"):
            told = _explained(own, engine, pixels, said)
        g.facts = {"pictures": 1, "faces": len(told)}
        return _walkthrough(told, pixels, said) if kind == HTML else _as_json(told, pixels, said)


@routes.post("/looks")
def look() -> Response:
    """The readings of one picture, and a quick look inside at the face numbered ``face`` (the largest, if none is)."""
    own, said = service(), _one(service())
    engine = engine_for(own, said.words)
    with own.turn():
        pixels = pixels_of(own, said.uploads[0])
        result = read_pixels(own, engine, pixels, said.uploads[0].name, said.words)
        place = (number(said.words, "face", 1, 100_000) or 1) - 1
        inside = None
        if place < len(result):
            crop = cut(pixels, result.faces[place], framing_of(engine.card, engine.detector), engine.card.side)
            with stage(own.metrics, "look"):
                inside = seen.look(engine.look(crop, _layers(engine, said)), _maps(said))
        g.facts = {"pictures": 1, "faces": len(result)}
    return jsonify(picture=result.to_dict(), look=inside)


def _one(own: Service) -> Asked:
    said = asked(request, own.settings)
    if len(said.uploads) != 1:
        raise Problem(400, "One picture at a time is looked into.")
    return said


def _maps(said: Asked) -> int:
    return number(said.words, "maps", 1, MOST_MAPS) or MAPS


def _layers(engine: Engine, said: Asked) -> str:
    """The layers that were asked for; those the model does not have are the request's fault, not the model's."""
    named = choice(said.words, "layers") or "auto"
    known = ("auto", "all", *engine.layers)
    for name in named.split(","):
        if name.strip() not in known:
            happened = f"The model has no layer '{plain(name)}'"
            raise MienError(happened, "'auto', 'all' or layers by name were expected", nearest(name, known))
    return named


def _explained(own: Service, engine: Engine, pixels: Pixels, said: Asked) -> tuple[Explanation, ...]:
    words = said.words
    return engine.explain_picture(
        pixels,
        None if words.get("face") == "all" else number(words, "face", 1, 100_000) or 1,
        methods=choice(words, "methods") or ("cam",),
        layers=_layers(engine, said),
        target=choice(words, "target"),
        versus=choice(words, "versus"),
        seed=number(words, "seed", 0, 999_999_999) or 0,
        min_face=number(words, "min_face", 1, 100_000),
    )


def _as_json(told: tuple[Explanation, ...], pixels: Pixels, said: Asked) -> Response:
    height, width = pixels.shape[:2]
    many, name = _maps(said), said.uploads[0].name
    explanations = [{**each.to_dict(), "source": name, "arrays": seen.explanation(each, many)} for each in told]
    body: dict[str, Any] = {"source": name, "size": [width, height], "explanations": explanations}
    return Response(json.dumps(body, ensure_ascii=False), content_type=JSON)


def _walkthrough(told: tuple[Explanation, ...], pixels: Pixels, said: Asked) -> Response:
    """The page, or with ``part=body`` what stands in it, for a page that brings its own style and script."""
    from mien.explain.page import render_walkthrough, render_walkthrough_body

    if len(told) != 1:
        expected = "The number of a face was expected"
        raise MienError("The walkthrough shows one face", expected, "Send face=1, or leave it out")
    one = replace(told[0], source=said.uploads[0].name)
    if said.words.get("part") == "body":
        return Response(render_walkthrough_body(one, pixels), content_type=f"{HTML}; charset=utf-8")
    response = Response(render_walkthrough(one, pixels), content_type=f"{HTML}; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="walkthrough.html"'
    return response
