"""What explanations show, made small enough to send: whole numbers from 0 to 255, in base64.

Each array is ``{"shape": [...], "data": base64}``, row by row. Those of maps and layers have ``scale`` too, the name of
the colours (:mod:`mien.explain.figures.colormaps`) that their numbers are places on, and ``strongest``, the value at its
end.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
from flask import Blueprint, Response, g, jsonify, request
from numpy.typing import NDArray

from mien.apps.web.api.readings import engine_for, pixels_of, read_pixels
from mien.apps.web.errors import HttpProblem
from mien.apps.web.metrics import measure_stage
from mien.apps.web.service import WebService, current_service
from mien.apps.web.uploads import (
    DEFAULT_MAPS,
    MAX_MAPS,
    ImageRequest,
    integer_option,
    negotiate_content_type,
    parse_request,
    text_option,
)
from mien.engine import Engine, select_framing
from mien.errors import MienError, suggest_name
from mien.explain import Activations, Explanation, Layer, Saliency
from mien.explain.figures import colormaps
from mien.faces.crop import crop_face
from mien.images.sources import clean_file_name
from mien.results import Pixels


def explanation(told: Explanation, many: int) -> dict[str, Any]:
    """The arrays of an explanation, with ``many`` maps of each layer, the strongest first."""
    return {
        "crop": packed(told.crop),
        "region_map": packed(told.region_map),
        "maps": [saliency(each) for each in told.maps],
        "layers": [layer(each, many) for each in told.layers],
    }


def look(told: Activations, many: int) -> dict[str, Any]:
    return {
        "emotion": told.emotions.top,
        "scores": dict(told.emotions.scores),
        "regions": None if told.regions is None else told.regions.to_dict(),
        "crop": packed(told.crop),
        "map": None if told.map is None else saliency(told.map),
        "layers": [layer(each, many) for each in told.layers],
    }


def saliency(shown: Saliency) -> dict[str, Any]:
    name: colormaps.Scale = "tide" if shown.signed else "ember"
    told = {"method": shown.method, "target": shown.target, "versus": shown.versus}
    return {**told, **_coloured(shown.map, name)}


def layer(shown: Layer, many: int) -> dict[str, Any]:
    """A layer's strongest channels; of a layer without places all of them."""
    flat = shown.activations.ndim == 1
    channels = range(shown.shape[0]) if flat else shown.order[:many]
    values = np.asarray(shown.activations[list(channels)])
    told = {"name": shown.name, "kind": shown.kind, "channels": list(channels), "of": shown.shape[0]}
    return {
        **told,
        "zero_activation": shown.zero_activation,
        "receptive_field": _reach(shown),
        **_coloured(values, colormaps.choose_scale(values)),
    }


def _reach(shown: Layer) -> dict[str, float] | None:
    return None if shown.receptive_field is None else shown.receptive_field._asdict()


def _coloured(values: NDArray[np.floating[Any]], name: colormaps.Scale) -> dict[str, Any]:
    strongest = float(np.abs(values).max(initial=0.0))
    return {"scale": name, "strongest": round(strongest, 6), **packed(colormaps.colour_indices(values, name))}


def packed(values: NDArray[np.uint8]) -> dict[str, Any]:
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}


# ==== mien.apps.web.api.explanations
# ``POST /explanations``: what happens inside the network on a face; ``POST /looks``: the quick look, for cameras.

routes = Blueprint("explanations", __name__)

JSON, HTML = "application/json", "text/html"


@routes.post("/explanations")
def explain() -> Response:
    """One picture, one face: layers, maps, evidence. As HTML it is the walkthrough, a standalone page."""
    kind = negotiate_content_type(request, [JSON, HTML])
    own, said = current_service(), _one(current_service())
    engine = engine_for(own, said.words)
    with own.turn():
        pixels = pixels_of(own, said.uploads[0])
        with measure_stage(own.metrics, "explain"):
            told = _explained(own, engine, pixels, said)
        g.facts = {"pictures": 1, "faces": len(told)}
        return _walkthrough(told, pixels, said) if kind == HTML else _as_json(told, pixels, said)


@routes.post("/looks")
def look_explanations() -> Response:
    """The readings of one picture, and a quick look inside at the face numbered ``face`` (the largest, if none is)."""
    own, said = current_service(), _one(current_service())
    engine = engine_for(own, said.words)
    with own.turn():
        pixels = pixels_of(own, said.uploads[0])
        result = read_pixels(own, engine, pixels, said.uploads[0].name, said.words)
        place = (integer_option(said.words, "face", 1, 100_000) or 1) - 1
        inside = None
        if place < len(result):
            crop = crop_face(
                pixels, result.faces[place], select_framing(engine.card, engine.detector), engine.card.side
            )
            with measure_stage(own.metrics, "look"):
                inside = look(engine.activations(crop, _layers(engine, said)), _maps(said))
        g.facts = {"pictures": 1, "faces": len(result)}
    return jsonify(picture=result.to_dict(), look=inside)


def _one(own: WebService) -> ImageRequest:
    said = parse_request(request, own.settings)
    if len(said.uploads) != 1:
        raise HttpProblem(400, "One picture at a time is looked into.")
    return said


def _maps(said: ImageRequest) -> int:
    return integer_option(said.words, "maps", 1, MAX_MAPS) or DEFAULT_MAPS


def _layers(engine: Engine, said: ImageRequest) -> str:
    """The layers that were asked for; those the model does not have are the request's fault, not the model's."""
    named = text_option(said.words, "layers") or "auto"
    known = ("auto", "all", *engine.layers)
    for name in named.split(","):
        if name.strip() not in known:
            happened = f"The model has no layer '{clean_file_name(name)}'"
            raise MienError(happened, "'auto', 'all' or layers by name were expected", suggest_name(name, known))
    return named


def _explained(own: WebService, engine: Engine, pixels: Pixels, said: ImageRequest) -> tuple[Explanation, ...]:
    words = said.words
    return engine.explain_image(
        pixels,
        None if words.get("face") == "all" else integer_option(words, "face", 1, 100_000) or 1,
        methods=text_option(words, "methods") or ("cam",),
        layers=_layers(engine, said),
        target=text_option(words, "target"),
        versus=text_option(words, "versus"),
        seed=integer_option(words, "seed", 0, 999_999_999) or 0,
        min_face=integer_option(words, "min_face", 1, 100_000),
    )


def _as_json(told: tuple[Explanation, ...], pixels: Pixels, said: ImageRequest) -> Response:
    height, width = pixels.shape[:2]
    many, name = _maps(said), said.uploads[0].name
    explanations = [{**each.to_dict(), "source": name, "arrays": explanation(each, many)} for each in told]
    body: dict[str, Any] = {"source": name, "size": [width, height], "explanations": explanations}
    return Response(json.dumps(body, ensure_ascii=False), content_type=JSON)


def _walkthrough(told: tuple[Explanation, ...], pixels: Pixels, said: ImageRequest) -> Response:
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
